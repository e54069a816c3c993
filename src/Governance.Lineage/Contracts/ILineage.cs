using Governance.Platform.Graph;

namespace Governance.Lineage.Contracts;

/// <summary>Which way to walk.</summary>
public enum Direction
{
    /// <summary>Towards sources.</summary>
    Up,

    /// <summary>Towards what is affected.</summary>
    Down,

    /// <summary>Both ways.</summary>
    Both,
}

/// <summary>A flat answer: nodes, edges, and an announced cut when a limit was hit.</summary>
/// <param name="Nodes">Nodes met, start nodes first, in breadth-first order.</param>
/// <param name="Edges">Edges among them.</param>
/// <param name="Truncated">Why the walk stopped early (<c>depth</c> is not a cut; <c>nodes</c>, <c>edges</c>, <c>time</c> are), or null.</param>
/// <param name="Frontier">URNs not expanded because of the cut.</param>
public sealed record Subgraph(
    IReadOnlyList<GraphNode> Nodes,
    IReadOnlyList<SubgraphEdge> Edges,
    string? Truncated,
    IReadOnlyList<string> Frontier
);

/// <summary>An edge of an answer.</summary>
/// <param name="From">URN upstream.</param>
/// <param name="To">URN downstream.</param>
/// <param name="Verb">Meaning.</param>
/// <param name="Grade">How well it is known.</param>
/// <param name="EntryId">Log entry that justifies it.</param>
public sealed record SubgraphEdge(string From, string To, GraphVerb Verb, GraphGrade Grade, Guid EntryId);

/// <summary>Queries over the lineage graph. Checks no permission: callers do.</summary>
public interface ILineage
{
    /// <summary>
    /// Breadth-first walk with one visited set; depth 1–64 counts edges from the start; at most <paramref name="maxNodes"/> ≤ 5,000.
    /// <paramref name="visible"/> prunes what the caller may not know of. Null when the start is unknown.
    /// </summary>
    Task<Subgraph?> WalkAsync(
        string startUrn,
        Direction direction,
        int depth,
        int maxNodes,
        Func<GraphNode, bool> visible,
        CancellationToken cancellationToken
    );

    /// <summary>The same walk, for callers who must look something up to know what is visible: they are asked once per batch.</summary>
    Task<Subgraph?> WalkAsync(
        string startUrn,
        Direction direction,
        int depth,
        int maxNodes,
        VisibleNodes visible,
        CancellationToken cancellationToken
    );
}

/// <summary>Tells which of these nodes the caller may know of, as a set of URNs. Asked once per batch, never twice about one node.</summary>
/// <param name="nodes">1–500 nodes.</param>
/// <param name="cancellationToken">Ends the walk.</param>
public delegate ValueTask<IReadOnlySet<string>> VisibleNodes(
    IReadOnlyList<GraphNode> nodes,
    CancellationToken cancellationToken
);
