using System.Linq.Expressions;
using Governance.Lineage.Contracts;
using Governance.Lineage.Engine;
using Governance.Lineage.Storage;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Microsoft.EntityFrameworkCore;

namespace Governance.Lineage.Walking;

/// <summary>Walks the stored graph level by level: one query per batch of at most 500 nodes and direction, never one per node.</summary>
internal sealed class LineageWalker(IDbContextFactory<GovernanceDb> databases, TimeProvider clock) : ILineage
{
    public const int MaxDepth = 64;
    public const int MaxNodes = 5_000;
    public const int MaxEdges = 20_000;
    public const int BatchSize = 500;
    public static readonly TimeSpan Budget = TimeSpan.FromSeconds(5);

    public Task<Subgraph?> WalkAsync(
        string startUrn,
        Direction direction,
        int depth,
        int maxNodes,
        Func<GraphNode, bool> visible,
        CancellationToken cancellationToken
    ) =>
        WalkAsync(
            startUrn,
            direction,
            depth,
            maxNodes,
            (nodes, _) =>
                ValueTask.FromResult<IReadOnlySet<string>>(nodes.Where(visible).Select(n => n.Urn).ToHashSet()),
            cancellationToken
        );

    public async Task<Subgraph?> WalkAsync(
        string startUrn,
        Direction direction,
        int depth,
        int maxNodes,
        VisibleNodes visible,
        CancellationToken cancellationToken
    )
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(depth, MaxDepth);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxNodes, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxNodes, MaxNodes);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var start = await db.Set<NodeRow>()
            .AsNoTracking()
            .SingleOrDefaultAsync(row => row.Urn == startUrn, cancellationToken);
        // What is not there is looked at like what is: the answer is the same, and its time is to be.
        var node = start is null
            ? new GraphNode(startUrn, KindOf(startUrn), "")
            : new GraphNode(start.Urn, start.Kind, start.Label);
        var seen = (await visible([node], cancellationToken)).Contains(node.Urn);
        if (start is null || !seen)
        {
            return null;
        }

        var walk = new Walk(start.Id, node, maxNodes);
        using var timer = new CancellationTokenSource(Budget, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timer.Token);
        try
        {
            await RunAsync(db, walk, direction, depth, visible, either.Token);
        }
        catch (OperationCanceledException)
            when (timer.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            walk.CutShort("time");
        }

        return walk.Answer();
    }

    private static GraphNodeKind KindOf(string urn) =>
        urn[..Math.Max(0, urn.IndexOf(':', StringComparison.Ordinal))] switch
        {
            "dataset" => GraphNodeKind.Dataset,
            "column" => GraphNodeKind.Column,
            "run" => GraphNodeKind.Run,
            "model" => GraphNodeKind.Model,
            "version" => GraphNodeKind.Version,
            "alias" => GraphNodeKind.Alias,
            "stage" => GraphNodeKind.Stage,
            "logged-model" => GraphNodeKind.LoggedModel,
            _ => GraphNodeKind.Transformation,
        };

    private static async Task RunAsync(
        GovernanceDb db,
        Walk walk,
        Direction direction,
        int depth,
        VisibleNodes visible,
        CancellationToken cancellationToken
    )
    {
        var edgesLeft = MaxEdges;
        for (var level = 0; level < depth && (level == 0 || walk.NextLevel()); level++)
        {
            while (walk.Batch(BatchSize) is { Count: > 0 } batch)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var steps = await StepsAsync(db, batch, direction, edgesLeft + 1, cancellationToken);
                if (steps.Count > edgesLeft)
                {
                    walk.CutShort("edges");
                    return;
                }

                edgesLeft -= steps.Count;
                var allowed = new HashSet<string>(StringComparer.Ordinal);
                foreach (var unknown in walk.Unknown(steps).Chunk(BatchSize))
                {
                    allowed.UnionWith(await visible(unknown, cancellationToken));
                }

                walk.Expand(batch, steps, allowed);
                if (walk.Cut)
                {
                    return;
                }
            }
        }
    }

    private static async Task<List<Step>> StepsAsync(
        GovernanceDb db,
        IReadOnlyList<long> batch,
        Direction direction,
        int atMost,
        CancellationToken cancellationToken
    )
    {
        var open = db.Set<EdgeRow>().AsNoTracking().Where(edge => edge.ClosedAt == null);
        var steps = new List<Step>();
        if (direction is Direction.Down or Direction.Both)
        {
            steps.AddRange(await ReadAsync(open.Where(edge => batch.Contains(edge.FromId)), Down));
        }

        if (direction is Direction.Up or Direction.Both)
        {
            steps.AddRange(await ReadAsync(open.Where(edge => batch.Contains(edge.ToId)), Up));
        }

        steps.Sort((a, b) => a.EdgeId.CompareTo(b.EdgeId));
        return steps;

        Task<List<Step>> ReadAsync(IQueryable<EdgeRow> edges, Expression<Func<EdgeRow, Step>> shape) =>
            edges.OrderBy(edge => edge.Id).Take(atMost).Select(shape).ToListAsync(cancellationToken);
    }

    private static readonly Expression<Func<EdgeRow, Step>> Down = edge => new Step(
        edge.Id,
        edge.FromId,
        edge.ToId,
        new GraphNode(edge.To!.Urn, edge.To.Kind, edge.To.Label),
        true,
        edge.Verb,
        edge.Grade,
        edge.EntryId
    );

    private static readonly Expression<Func<EdgeRow, Step>> Up = edge => new Step(
        edge.Id,
        edge.ToId,
        edge.FromId,
        new GraphNode(edge.From!.Urn, edge.From.Kind, edge.From.Label),
        false,
        edge.Verb,
        edge.Grade,
        edge.EntryId
    );
}
