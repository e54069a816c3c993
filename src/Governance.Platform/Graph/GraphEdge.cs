using Governance.Platform.Database;

namespace Governance.Platform.Graph;

/// <summary>Kinds of lineage nodes.</summary>
public enum GraphNodeKind
{
    /// <summary>A dataset by content: <c>dataset:sha256:&lt;hex&gt;</c>, or by MLflow name and digest: <c>dataset:mlflow:&lt;name&gt;@&lt;digest&gt;</c>.</summary>
    Dataset,

    /// <summary>A column of a dataset: <c>column:&lt;dataset urn&gt;#&lt;name&gt;</c>.</summary>
    Column,

    /// <summary>A run: <c>run:&lt;id&gt;</c>.</summary>
    Run,

    /// <summary>A logged model: <c>logged-model:&lt;id&gt;</c>.</summary>
    LoggedModel,

    /// <summary>A registered model: <c>model:&lt;name&gt;</c>.</summary>
    Model,

    /// <summary>A version: <c>version:&lt;name&gt;/&lt;n&gt;</c>.</summary>
    Version,

    /// <summary>An alias: <c>alias:&lt;name&gt;@&lt;alias&gt;</c>.</summary>
    Alias,

    /// <summary>A stage of a model: <c>stage:&lt;name&gt;/&lt;stage&gt;</c>.</summary>
    Stage,

    /// <summary>A transformation between datasets: <c>transformation:&lt;id&gt;</c>.</summary>
    Transformation,
}

/// <summary>What an edge says, in the direction of flow (W3C PROV in brackets).</summary>
public enum GraphVerb
{
    /// <summary>Entity → activity (used).</summary>
    Used,

    /// <summary>Activity → entity (wasGeneratedBy).</summary>
    Generated,

    /// <summary>Entity → entity (wasDerivedFrom).</summary>
    Derived,

    /// <summary>Member → whole (hadMember).</summary>
    PartOf,

    /// <summary>Version → alias or stage that serves it.</summary>
    Serves,
}

/// <summary>How well an edge is known.</summary>
public enum GraphGrade
{
    /// <summary>The gateway itself saw it happen.</summary>
    Observed,

    /// <summary>A signed statement says so.</summary>
    Attested,

    /// <summary>Somebody says so.</summary>
    Declared,
}

/// <summary>A node by its URN.</summary>
/// <param name="Urn">Identity; see <see cref="GraphNodeKind"/> for forms.</param>
/// <param name="Kind">Kind.</param>
/// <param name="Label">Short text for people; no personal data.</param>
public sealed record GraphNode(string Urn, GraphNodeKind Kind, string Label);

/// <summary>An edge in the direction of flow, upstream to downstream.</summary>
/// <param name="From">Upstream end.</param>
/// <param name="To">Downstream end.</param>
/// <param name="Verb">Meaning.</param>
/// <param name="Grade">How well it is known.</param>
public sealed record GraphEdge(GraphNode From, GraphNode To, GraphVerb Verb, GraphGrade Grade)
{
    /// <summary>Closes the edge instead of opening it: an alias moved away, a stage was left. History stays.</summary>
    public bool Ends { get; init; }
}

/// <summary>Port for contributing lineage edges inside a transaction; implemented by the lineage module.</summary>
public interface IGraphWriter
{
    /// <summary>Upserts both nodes and opens or closes the edge.</summary>
    Task LinkAsync(
        GovernanceDb db,
        GraphEdge edge,
        Guid entryId,
        DateTimeOffset now,
        CancellationToken cancellationToken
    );
}

/// <summary>The URN forms, in one place.</summary>
public static class Urn
{
    /// <summary>A dataset by content.</summary>
    public static string Dataset(Kernel.Digest sha256) => $"dataset:sha256:{sha256}";

    /// <summary>A dataset known only by MLflow's short digest: an alias, never an identity.</summary>
    public static string MlflowDataset(string name, string digest) => $"dataset:mlflow:{name}@{digest}";

    /// <summary>A column of a dataset.</summary>
    public static string Column(string datasetUrn, string name) => $"column:{datasetUrn}#{name}";

    /// <summary>A run.</summary>
    public static string Run(string runId) => $"run:{runId}";

    /// <summary>A logged model.</summary>
    public static string LoggedModel(string id) => $"logged-model:{id}";

    /// <summary>A registered model.</summary>
    public static string Model(string name) => $"model:{name}";

    /// <summary>A version.</summary>
    public static string Version(Kernel.ModelVersionRef version) => $"version:{version.Model}/{version.Version}";

    /// <summary>An alias.</summary>
    public static string Alias(string model, string alias) => $"alias:{model}@{alias}";

    /// <summary>A stage of a model.</summary>
    public static string Stage(string model, string stage) => $"stage:{model}/{stage}";

    /// <summary>A transformation.</summary>
    public static string Transformation(Guid id) => $"transformation:{id:N}";
}
