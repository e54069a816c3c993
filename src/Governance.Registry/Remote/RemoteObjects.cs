using Governance.Kernel;

namespace Governance.Registry.Remote;

// What a foreign MLflow server says of its objects. Times are Unix milliseconds. Nothing here was checked beyond its type
// and length: names may be anything.

/// <summary>Which objects a search gives.</summary>
internal enum RemoteView
{
    Active,
    Deleted,
    All,
}

/// <summary>One thing of a page: what it calls itself, and itself or why it cannot be read.</summary>
internal sealed record RemoteItem<T>(string Id, Result<T> Value);

internal sealed record RemotePage<T>(IReadOnlyList<RemoteItem<T>> Items, string? Next);

internal sealed record RemoteExperiment(string Id, string Name)
{
    public string ArtifactLocation { get; init; } = "";
    public bool Deleted { get; init; }
    public long? CreatedMs { get; init; }
    public long? UpdatedMs { get; init; }
    public IReadOnlyList<(string Key, string Value)> Tags { get; init; } = [];
}

internal sealed record RemoteRun(string Id, string ExperimentId)
{
    public string Name { get; init; } = "";
    public string UserId { get; init; } = "";
    public string Status { get; init; } = "";
    public long? StartMs { get; init; }
    public long? EndMs { get; init; }
    public string ArtifactUri { get; init; } = "";
    public bool Deleted { get; init; }
    public IReadOnlyList<(string Key, string Value)> Tags { get; init; } = [];
    public IReadOnlyList<(string Key, string Value)> Params { get; init; } = [];

    /// <summary>The latest value of each metric.</summary>
    public IReadOnlyList<RemoteMetric> Metrics { get; init; } = [];
    public IReadOnlyList<RemoteInput> Inputs { get; init; } = [];

    /// <summary>Ids of logged models that it used.</summary>
    public IReadOnlyList<string> ModelInputs { get; init; } = [];
    public IReadOnlyList<(string ModelId, long Step)> ModelOutputs { get; init; } = [];
}

internal sealed record RemoteMetric(string Key, double Value, long TimestampMs, long Step)
{
    public string? ModelId { get; init; }
    public string? DatasetName { get; init; }
    public string? DatasetDigest { get; init; }
    public string? RunId { get; init; }
}

internal sealed record RemoteInput(string Name, string Digest)
{
    public string SourceType { get; init; } = "";
    public string Source { get; init; } = "";
    public string? Schema { get; init; }
    public string? Profile { get; init; }
    public IReadOnlyList<(string Key, string Value)> Tags { get; init; } = [];
}

internal sealed record RemoteLoggedModel(string Id, string ExperimentId)
{
    public string Name { get; init; } = "";
    public string ModelType { get; init; } = "";
    public string Status { get; init; } = "";
    public string? SourceRunId { get; init; }
    public string ArtifactUri { get; init; } = "";
    public long? CreatedMs { get; init; }
    public long? UpdatedMs { get; init; }
    public IReadOnlyList<(string Key, string Value)> Tags { get; init; } = [];
    public IReadOnlyList<(string Key, string Value)> Params { get; init; } = [];
    public IReadOnlyList<RemoteMetric> Metrics { get; init; } = [];
}

internal sealed record RemoteModel(string Name)
{
    public string Description { get; init; } = "";
    public string UserId { get; init; } = "";
    public long? CreatedMs { get; init; }
    public long? UpdatedMs { get; init; }
    public IReadOnlyList<(string Key, string Value)> Tags { get; init; } = [];
    public IReadOnlyList<(string Alias, int Version)> Aliases { get; init; } = [];
}

internal sealed record RemoteVersion(string Model, int Number)
{
    public string Stage { get; init; } = "None";
    public string Status { get; init; } = "";
    public string Source { get; init; } = "";
    public string? RunId { get; init; }
    public string? LoggedModelId { get; init; }
    public string Description { get; init; } = "";
    public string RunLink { get; init; } = "";
    public string UserId { get; init; } = "";
    public long? CreatedMs { get; init; }
    public long? UpdatedMs { get; init; }
    public IReadOnlyList<(string Key, string Value)> Tags { get; init; } = [];

    /// <summary>Only some answers of some servers have them; a model's are the ones to trust.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];
}

/// <summary>A stored file, by its path under the place that was listed. Size in bytes, if the server says one.</summary>
internal sealed record RemoteFile(ArtifactPath Path, long? Size);

/// <summary>Where a server keeps files, and by which of its routes they are listed and read.</summary>
internal abstract record RemotePlace
{
    private RemotePlace() { }

    /// <summary>A directory of its artifact proxy.</summary>
    public sealed record Proxy(ArtifactPath Path) : RemotePlace;

    /// <summary>A run's artifacts, wherever they lie: the server fetches them.</summary>
    public sealed record OfRun(string RunId) : RemotePlace;

    /// <summary>A logged model's artifacts, wherever they lie: the server fetches them.</summary>
    public sealed record OfLoggedModel(string ModelId) : RemotePlace;
}
