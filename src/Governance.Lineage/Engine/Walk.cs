using Governance.Lineage.Contracts;
using Governance.Platform.Graph;

namespace Governance.Lineage.Engine;

/// <summary>An edge that touches a node being expanded.</summary>
/// <param name="EdgeId">Row id; also the order in which edges are followed.</param>
/// <param name="At">The node being expanded.</param>
/// <param name="NeighbourId">The node at the other end.</param>
/// <param name="Neighbour">That node.</param>
/// <param name="Downstream">Whether the edge leaves the node being expanded.</param>
/// <param name="Verb">Meaning.</param>
/// <param name="Grade">How well it is known.</param>
/// <param name="EntryId">Log entry that justifies it.</param>
internal sealed record Step(
    long EdgeId,
    long At,
    long NeighbourId,
    GraphNode Neighbour,
    bool Downstream,
    GraphVerb Verb,
    GraphGrade Grade,
    Guid EntryId
);

/// <summary>
/// The state of one breadth-first walk: one visited set, one budget of nodes, nodes and edges in the order they were met.
/// Knows no database: the caller fetches the steps of a batch of the current level and hands them in.
/// </summary>
internal sealed class Walk
{
    private readonly int _maxNodes;
    private readonly Dictionary<long, string> _visited = [];
    private readonly HashSet<long> _seenEdges = [];
    private readonly HashSet<long> _hidden = [];
    private readonly List<GraphNode> _nodes = [];
    private readonly List<SubgraphEdge> _edges = [];
    private List<long> _level;
    private List<long> _next = [];
    private int _expanded;
    private string? _truncated;

    public Walk(long startId, GraphNode start, int maxNodes)
    {
        _maxNodes = maxNodes;
        _visited[startId] = start.Urn;
        _nodes.Add(start);
        _level = [startId];
    }

    /// <summary>Whether a limit was hit.</summary>
    public bool Cut => _truncated is not null;

    /// <summary>Nodes of the current level that are still to be expanded, at most <paramref name="atMost"/>.</summary>
    public IReadOnlyList<long> Batch(int atMost) =>
        _level.GetRange(_expanded, Math.Min(atMost, _level.Count - _expanded));

    /// <summary>Goes down one level; false when there is none.</summary>
    public bool NextLevel()
    {
        (_level, _next, _expanded) = (_next, [], 0);
        return _level.Count > 0;
    }

    /// <summary>Nodes of these steps that nobody has been asked about yet.</summary>
    public IReadOnlyList<GraphNode> Unknown(IEnumerable<Step> steps) =>
        [
            .. steps
                .Where(step => !_visited.ContainsKey(step.NeighbourId) && !_hidden.Contains(step.NeighbourId))
                .DistinctBy(step => step.NeighbourId)
                .Select(step => step.Neighbour),
        ];

    /// <summary>Expands a batch with all its steps, ordered by edge; nodes that are not visible are as if they were not there.</summary>
    public void Expand(IReadOnlyList<long> batch, IReadOnlyList<Step> steps, IReadOnlySet<string> visible)
    {
        var byNode = steps.ToLookup(step => step.At);
        foreach (var node in batch)
        {
            foreach (var step in byNode[node])
            {
                if (!Follow(node, step, visible))
                {
                    _truncated = "nodes";
                    return;
                }
            }

            _expanded++;
        }
    }

    /// <summary>Ends the walk early; everything of this level and the next that is not expanded is the frontier.</summary>
    public void CutShort(string reason) => _truncated ??= reason;

    /// <summary>The answer.</summary>
    public Subgraph Answer() =>
        new(
            _nodes,
            _edges,
            _truncated,
            _truncated is null ? [] : [.. _level.Skip(_expanded).Concat(_next).Select(id => _visited[id])]
        );

    private bool Follow(long node, Step step, IReadOnlySet<string> visible)
    {
        if (!_visited.ContainsKey(step.NeighbourId))
        {
            if (_hidden.Contains(step.NeighbourId) || !visible.Contains(step.Neighbour.Urn))
            {
                _hidden.Add(step.NeighbourId);
                return true;
            }

            if (_nodes.Count >= _maxNodes)
            {
                return false;
            }

            _visited[step.NeighbourId] = step.Neighbour.Urn;
            _nodes.Add(step.Neighbour);
            _next.Add(step.NeighbourId);
        }

        if (_seenEdges.Add(step.EdgeId))
        {
            var (from, to) = step.Downstream ? (node, step.NeighbourId) : (step.NeighbourId, node);
            _edges.Add(new SubgraphEdge(_visited[from], _visited[to], step.Verb, step.Grade, step.EntryId));
        }

        return true;
    }
}
