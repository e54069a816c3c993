using Governance.Platform.Database;
using Governance.Registry.Engine;

namespace Governance.Registry.Storage;

// Times are Unix milliseconds, MLflow's own unit, so that ordering and paging are plain integer work on every database.

internal sealed class ExperimentRow
{
    public long Id { get; set; }
    public string Name { get; set; } = "";
    public string? OwnerId { get; set; }
    public bool Deleted { get; set; }
    public long CreatedMs { get; set; }
    public long UpdatedMs { get; set; }
}

internal sealed class RunRow
{
    public string RunId { get; set; } = "";
    public long ExperimentId { get; set; }
    public string OwnerId { get; set; } = "";
    public string Name { get; set; } = "";
    public string Status { get; set; } = "RUNNING";
    public long? StartMs { get; set; }
    public long? EndMs { get; set; }
    public bool Deleted { get; set; }
}

internal sealed class LoggedModelRow
{
    public string ModelId { get; set; } = "";
    public long ExperimentId { get; set; }
    public string OwnerId { get; set; } = "";
    public string Name { get; set; } = "";
    public string Status { get; set; } = "LOGGED_MODEL_PENDING";
    public string ModelType { get; set; } = "";
    public string? SourceRunId { get; set; }
    public bool Deleted { get; set; }
    public long CreatedMs { get; set; }
    public long UpdatedMs { get; set; }
}

internal enum LabelScope
{
    ExperimentTag = 1,
    RunTag = 2,
    RunParam = 3,
    LoggedModelTag = 4,
    LoggedModelParam = 5,
    ModelTag = 6,
    VersionTag = 7,
    TraceTag = 8,
    TraceMetadata = 9,
}

/// <summary>Tags and params of every kind of object.</summary>
internal sealed class LabelRow : IDatedRow
{
    public LabelScope Scope { get; set; }
    public string ObjectId { get; set; } = "";
    public string Key { get; set; } = "";
    public string Value { get; set; } = "";
    public long WrittenMs { get; set; }
}

internal sealed class MetricRow : IDatedRow
{
    public long Id { get; set; }
    public string RunId { get; set; } = "";
    public string Key { get; set; } = "";
    public double Value { get; set; }

    // SQLite keeps NaN as NULL, so it is a flag.
    public bool IsNan { get; set; }
    public long TimestampMs { get; set; }
    public long Step { get; set; }
    public string? LoggedModelId { get; set; }
    public string? DatasetName { get; set; }
    public string? DatasetDigest { get; set; }
    public long WrittenMs { get; set; }
}

internal sealed class LatestMetricRow
{
    public string RunId { get; set; } = "";
    public string Key { get; set; } = "";
    public double Value { get; set; }
    public bool IsNan { get; set; }
    public long TimestampMs { get; set; }
    public long Step { get; set; }
}

internal sealed class InputRow
{
    public string RunId { get; set; } = "";

    /// <summary>SHA-256 over everything the input says: the same statement twice is one row, another source is another row.</summary>
    public string InputKey { get; set; } = "";
    public string Name { get; set; } = "";
    public string MlflowDigest { get; set; } = "";
    public string SourceType { get; set; } = "";
    public string Source { get; set; } = "";
    public string? Schema { get; set; }
    public string? Profile { get; set; }
    public string Context { get; set; } = "";

    /// <summary>JSON array of {key, value}, as logged.</summary>
    public string TagsJson { get; set; } = "[]";
    public string? DatasetSha256 { get; set; }
}

/// <summary>A logged model as input or output of a run.</summary>
internal sealed class RunModelRow
{
    public string RunId { get; set; } = "";
    public string ModelId { get; set; } = "";
    public bool IsOutput { get; set; }
    public long Step { get; set; }
}

internal sealed class ModelRow
{
    public Guid Id { get; set; }
    public string Name { get; set; } = "";
    public string OwnerId { get; set; } = "";
    public string Description { get; set; } = "";
    public bool Deleted { get; set; }
    public long CreatedMs { get; set; }
    public long UpdatedMs { get; set; }
}

/// <summary>
/// Every model name ever used and its next version number. Names outlive models, so that <c>version:name/3</c> in the log
/// and in the graph can never mean two different versions.
/// </summary>
internal sealed class ModelNameRow
{
    private string _name = "";

    public string Name
    {
        get => _name;
        set
        {
            _name = value;
            Fold();
        }
    }

    /// <summary>What two names that differ in letter case alone have in common; empty until <see cref="FoldNames"/> saw an old one.</summary>
    public string FoldedName { get; private set; } = "";
    public Guid ModelId { get; set; }
    public int NextVersion { get; set; } = 1;

    public void Fold() => FoldedName = RegistryNames.Key(_name);
}

internal sealed class VersionRow
{
    public Guid ModelId { get; set; }
    public int Number { get; set; }
    public Contracts.VersionStatus Status { get; set; }
    public string StatusMessage { get; set; } = "";
    public bool Quarantined { get; set; }
    public string Stage { get; set; } = "None";
    public string Source { get; set; } = "";

    /// <summary>Storage root and path under it; both empty for a prompt, whose text is a virtual file.</summary>
    public string Container { get; set; } = "";
    public string Prefix { get; set; } = "";
    public string? RunId { get; set; }
    public string? LoggedModelId { get; set; }
    public string Description { get; set; } = "";
    public string RunLink { get; set; } = "";
    public string RegisteredBy { get; set; } = "";
    public string ManifestDigest { get; set; } = "";
    public string EvidenceSubject { get; set; } = "";
    public bool Deleted { get; set; }
    public long CreatedMs { get; set; }
    public long UpdatedMs { get; set; }

    /// <summary>Concurrency token.</summary>
    public int Revision { get; set; }

    /// <summary>What its tags are stored under, <see cref="LabelIds.Version"/>.</summary>
    public string ObjectId { get; set; } = "";

    public void Touch(DateTimeOffset now)
    {
        UpdatedMs = now.ToUnixTimeMilliseconds();
        Revision++;
    }
}

internal sealed class AliasRow
{
    public Guid ModelId { get; set; }
    public string Alias { get; set; } = "";
    public int Number { get; set; }
}

internal sealed class ManifestFileRow
{
    public string ManifestDigest { get; set; } = "";
    public string Path { get; set; } = "";
    public long Size { get; set; }
    public string Digest { get; set; } = "";
}

/// <summary>
/// What a client says of one call of an application. Previews, tags and metadata may hold personal data: they stay in these
/// rows, never in the log, and go when the trace is deleted or expires.
/// </summary>
internal sealed class TraceRow
{
    public string TraceId { get; set; } = "";
    public long ExperimentId { get; set; }
    public string OwnerId { get; set; } = "";
    public long TimestampMs { get; set; }
    public long? DurationMs { get; set; }
    public string State { get; set; } = "IN_PROGRESS";
    public string? ClientRequestId { get; set; }
    public string? RequestPreview { get; set; }
    public string? ResponsePreview { get; set; }

    /// <summary>Time of arrival; retention counts from it.</summary>
    public long CreatedMs { get; set; }
}

/// <summary>Feedback on a trace, or what was expected of it. Who may say so decides over the trace; texts never reach the log.</summary>
internal sealed class AssessmentRow
{
    public string Id { get; set; } = "";
    public string TraceId { get; set; } = "";

    /// <summary>Its members but for ids and times, as JSON.</summary>
    public string Content { get; set; } = "";

    /// <summary>The one that it takes the place of.</summary>
    public string? Overrides { get; set; }
    public bool Overridden { get; set; }
    public long CreatedMs { get; set; }
    public long UpdatedMs { get; set; }
}

internal sealed class WebhookRow
{
    public string Id { get; set; } = "";
    public string Name { get; set; } = "";
    public string Description { get; set; } = "";
    public string Url { get; set; } = "";
    public bool Disabled { get; set; }

    /// <summary>Keys of its events, each between bars: <c>|MODEL_VERSION.CREATED|…|</c>.</summary>
    public string Events { get; set; } = "";

    /// <summary>Encrypted under the key-encryption key; never given back.</summary>
    public byte[]? WrappedSecret { get; set; }
    public long CreatedMs { get; set; }
    public long UpdatedMs { get; set; }

    /// <summary>The last attempt to deliver anything; 0 before the first.</summary>
    public long TriedMs { get; set; }

    /// <summary>What came of it: <c>delivered</c>, or why not, in one word.</summary>
    public string Outcome { get; set; } = "";

    /// <summary>Status of the answer, if there was one.</summary>
    public int? AnswerStatus { get; set; }

    /// <summary>Attempts since the last one that the receiver took; they decide how long the next one waits.</summary>
    public int Failures { get; set; }

    /// <summary>No attempt before then, of whatever message.</summary>
    public long RetryMs { get; set; }
}

/// <summary>A message that waits to be delivered; it goes when it was, or when it was given up.</summary>
internal sealed class WebhookDeliveryRow
{
    public string Id { get; set; } = "";
    public string WebhookId { get; set; } = "";
    public string EventKey { get; set; } = "";
    public string Body { get; set; } = "";

    /// <summary>Bytes of the body.</summary>
    public int Size { get; set; }
    public long CreatedMs { get; set; }
}

/// <summary>A stored artifact: storage root and path → content.</summary>
internal sealed class ArtifactRow
{
    public string Container { get; set; } = "";
    public string Path { get; set; } = "";
    public long Size { get; set; }
    public string Digest { get; set; } = "";
}

internal static class LabelIds
{
    public static string Version(Guid modelId, int number) => $"{modelId:N}/{number}";

    public static string Model(Guid modelId) => modelId.ToString("N");

    public static string Experiment(long id) => id.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
