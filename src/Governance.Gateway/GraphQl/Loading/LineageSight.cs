using Governance.Kernel;
using Governance.Platform.Graph;
using Governance.Privacy.Contracts;
using Governance.Registry.Contracts;

namespace Governance.Gateway.GraphQl.Loading;

/// <summary>
/// Which nodes of the lineage graph the caller may know of: <c>lineage:read</c> and the read permission of the node's own kind,
/// both on the object behind it. Logged models, transformations and datasets known only by MLflow's name stand for no object
/// of their own: they are seen on the way from something visible, and are a start only for a caller who reads everything.
/// </summary>
internal sealed class LineageSight(Caller caller, IRegistryReader registry, IDatasets datasets)
{
    private bool _started;

    public async ValueTask<IReadOnlySet<string>> VisibleAsync(
        IReadOnlyList<GraphNode> nodes,
        CancellationToken cancellationToken
    )
    {
        var isStart = !_started;
        _started = true;
        if (SeesEverything)
        {
            return nodes.Select(node => node.Urn).ToHashSet();
        }

        var models = nodes.Select(ModelOf).OfType<string>().ToHashSet();
        var runs = nodes.Select(RunOf).OfType<string>().ToHashSet();
        var contents = nodes.Select(ContentOf).OfType<Digest>().ToHashSet();
        var versions = models.Count > 0 ? await registry.VersionsOfAsync(models, 1, cancellationToken) : null;
        var runViews = runs.Count > 0 ? await registry.FindRunsAsync(runs, cancellationToken) : null;
        var datasetViews =
            contents.Count > 0
                ? await datasets.FindManyVisibleAsync(
                    contents,
                    target => Reads(Permissions.DatasetRead, target),
                    cancellationToken
                )
                : null;
        return nodes.Where(Sees).Select(node => node.Urn).ToHashSet();

        bool Sees(GraphNode node)
        {
            if (ModelOf(node) is { } model)
            {
                return Reads(
                    Permissions.ModelRead,
                    AccessTarget.Model(model, versions![model].FirstOrDefault()?.OwnerId)
                );
            }

            if (RunOf(node) is { } run)
            {
                return runViews!.TryGetValue(run, out var view) && Reads(Permissions.ExperimentRead, view.Target);
            }

            if (ContentOf(node) is { } content)
            {
                return datasetViews!.ContainsKey(content);
            }

            return !isStart;
        }
    }

    private bool SeesEverything =>
        Reads(Permissions.ModelRead, AccessTarget.Global)
        && Reads(Permissions.ExperimentRead, AccessTarget.Global)
        && Reads(Permissions.DatasetRead, AccessTarget.Global);

    private bool Reads(Permission permission, AccessTarget target) =>
        caller.May(Permissions.LineageRead, target) && caller.May(permission, target);

    private static string? ModelOf(GraphNode node) =>
        node.Kind switch
        {
            GraphNodeKind.Model => After(node.Urn, "model:"),
            GraphNodeKind.Version => Before(After(node.Urn, "version:"), '/'),
            GraphNodeKind.Stage => Before(After(node.Urn, "stage:"), '/'),
            GraphNodeKind.Alias => Before(After(node.Urn, "alias:"), '@'),
            _ => null,
        };

    private static string? RunOf(GraphNode node) => node.Kind == GraphNodeKind.Run ? After(node.Urn, "run:") : null;

    private static Digest? ContentOf(GraphNode node)
    {
        const string Prefix = "dataset:sha256:";
        var urn = node.Kind == GraphNodeKind.Column ? After(node.Urn, "column:") : node.Urn;
        return
            node.Kind is GraphNodeKind.Column or GraphNodeKind.Dataset
            && urn.StartsWith(Prefix, StringComparison.Ordinal)
            && urn.Length >= Prefix.Length + 64
            && Digest.TryParse(urn.Substring(Prefix.Length, 64), out var digest)
            ? digest
            : null;
    }

    private static string After(string urn, string prefix) =>
        urn.StartsWith(prefix, StringComparison.Ordinal) ? urn[prefix.Length..] : "";

    private static string Before(string text, char end) => text.LastIndexOf(end) is var at and >= 0 ? text[..at] : text;
}
