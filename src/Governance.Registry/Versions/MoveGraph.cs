using Governance.Kernel;
using Governance.Platform.Graph;

namespace Governance.Registry.Versions;

/// <summary>Lineage nodes of the registry.</summary>
internal static class MoveGraph
{
    public static GraphNode Version(ModelVersionRef version) =>
        new(Urn.Version(version), GraphNodeKind.Version, $"{version.Model} v{version.Version}");

    public static GraphNode Model(string name) => new(Urn.Model(name), GraphNodeKind.Model, name);

    public static GraphEdge Serves(ModelVersionRef version, GraphNode by, bool ends) =>
        new(Version(version), by, GraphVerb.Serves, GraphGrade.Observed) { Ends = ends };

    public static GraphNode Stage(string model, string stage) =>
        new(Urn.Stage(model, stage), GraphNodeKind.Stage, $"{model} {stage}");

    public static GraphNode Alias(string model, string alias) =>
        new(Urn.Alias(model, alias), GraphNodeKind.Alias, $"{model}@{alias}");
}
