using Governance.Platform.Database;
using Governance.Platform.Graph;
using Microsoft.EntityFrameworkCore;

namespace Governance.Lineage.Storage;

/// <summary>Records edges inside the unit that justifies them. Recording an open edge, or closing a closed one, changes nothing.</summary>
internal sealed class GraphWriter : IGraphWriter
{
    private static readonly CompiledQuery<Func<GovernanceDb, string, CancellationToken, Task<NodeRow?>>> NodeOf = new(
        () =>
            EF.CompileAsyncQuery(
                (GovernanceDb db, string urn, CancellationToken _) =>
                    db.Set<NodeRow>().AsTracking().SingleOrDefault(row => row.Urn == urn)
            )
    );

    private static readonly CompiledQuery<
        Func<GovernanceDb, long, long, GraphVerb, IAsyncEnumerable<EdgeRow>>
    > OpenEdges = new(() =>
        EF.CompileAsyncQuery(
            (GovernanceDb db, long from, long to, GraphVerb verb) =>
                db.Set<EdgeRow>()
                    .AsTracking()
                    .Where(row => row.FromId == from && row.ToId == to && row.Verb == verb && row.ClosedAt == null)
        )
    );

    public async Task LinkAsync(
        GovernanceDb db,
        GraphEdge edge,
        Guid entryId,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        var from = await UpsertAsync(db, edge.From, cancellationToken);
        var to = await UpsertAsync(db, edge.To, cancellationToken);
        var open = await OpenEdgesAsync(db, from, to, edge.Verb, cancellationToken);
        if (edge.Ends)
        {
            foreach (var row in open)
            {
                row.ClosedAt = now;
                row.ClosingEntryId = entryId;
            }
        }
        else if (!open.Exists(row => row.Grade == edge.Grade))
        {
            db.Add(
                new EdgeRow
                {
                    From = from,
                    To = to,
                    Verb = edge.Verb,
                    Grade = edge.Grade,
                    EntryId = entryId,
                    OpenedAt = now,
                }
            );
        }

        // Saved here so that the next edge of the same unit finds these rows by query.
        await db.SaveChangesAsync(cancellationToken);
    }

    private static async Task<NodeRow> UpsertAsync(GovernanceDb db, GraphNode node, CancellationToken cancellationToken)
    {
        if (node.Urn.Length > LineageTables.MaxUrn)
        {
            throw new ArgumentException("The URN of a node is too long.", nameof(node));
        }

        var label = node.Label.Length <= LineageTables.MaxLabel ? node.Label : node.Label[..LineageTables.MaxLabel];
        var nodes = db.Set<NodeRow>();
        var row =
            nodes.Local.FindEntry(nameof(NodeRow.Urn), node.Urn)?.Entity
            ?? await NodeOf.For(db)(db, node.Urn, cancellationToken);
        if (row is null)
        {
            row = new NodeRow
            {
                Urn = node.Urn,
                Kind = node.Kind,
                Label = label,
            };
            nodes.Add(row);
        }
        else if (row.Kind != node.Kind)
        {
            throw new InvalidOperationException("A URN has one kind for ever.");
        }
        else
        {
            row.Label = label;
        }

        return row;
    }

    private static async Task<List<EdgeRow>> OpenEdgesAsync(
        GovernanceDb db,
        NodeRow from,
        NodeRow to,
        GraphVerb verb,
        CancellationToken cancellationToken
    ) =>
        from.Id <= 0 || to.Id <= 0 // an end that this call made has no edges yet
            ? []
            : await OpenEdges.For(db)(db, from.Id, to.Id, verb).ToListAsync(cancellationToken);
}
