using Governance.Platform.Database;
using Governance.Platform.Graph;

namespace Governance.Lineage.Storage;

/// <summary>Records edges inside the unit that justifies them. Recording an open edge, or closing a closed one, changes nothing.</summary>
internal sealed class GraphWriter : IGraphWriter
{
    private const string FindNode = """SELECT "Id", "Kind", "Label" FROM lineage_node WHERE "Urn" = @0""";

    private const string AddNode = """
        INSERT INTO lineage_node ("Urn", "Kind", "Label") VALUES (@0, @1, @2) RETURNING "Id"
        """;

    private const string Relabel = """UPDATE lineage_node SET "Label" = @1 WHERE "Id" = @0""";

    private const string OpenEdge = """
        INSERT INTO lineage_edge ("FromId", "ToId", "Verb", "Grade", "EntryId", "OpenedAt")
        SELECT @0, @1, @2, @3, @4, @5 WHERE NOT EXISTS (
            SELECT 1 FROM lineage_edge
            WHERE "FromId" = @0 AND "ToId" = @1 AND "Verb" = @2 AND "Grade" = @3 AND "ClosedAt" IS NULL)
        """;

    private const string CloseEdges = """
        UPDATE lineage_edge SET "ClosedAt" = @3, "ClosingEntryId" = @4
        WHERE "FromId" = @0 AND "ToId" = @1 AND "Verb" = @2 AND "ClosedAt" IS NULL
        """;

    private sealed record Found(long Id, GraphNodeKind Kind, string Label);

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
        var (verb, at) = ((int)edge.Verb, now.ToUnixTimeMilliseconds());
        await (
            edge.Ends
                ? db.ExecuteAsync(CloseEdges, [from, to, verb, at, entryId], cancellationToken)
                : db.ExecuteAsync(OpenEdge, [from, to, verb, (int)edge.Grade, entryId, at], cancellationToken)
        );
    }

    private static async Task<long> UpsertAsync(GovernanceDb db, GraphNode node, CancellationToken cancellationToken)
    {
        if (node.Urn.Length > LineageTables.MaxUrn)
        {
            throw new ArgumentException("The URN of a node is too long.", nameof(node));
        }

        var label = node.Label.Length <= LineageTables.MaxLabel ? node.Label : node.Label[..LineageTables.MaxLabel];
        var found = await db.ReadAsync(
            FindNode,
            [node.Urn],
            row => new Found(row.GetInt64(0), (GraphNodeKind)row.GetInt32(1), row.GetString(2)),
            cancellationToken
        );
        if (found is not [var known])
        {
            var made = await db.ReadAsync(
                AddNode,
                [node.Urn, (int)node.Kind, label],
                row => row.GetInt64(0),
                cancellationToken
            );
            return made.Single();
        }

        if (known.Kind != node.Kind)
        {
            throw new InvalidOperationException("A URN has one kind for ever.");
        }

        if (known.Label != label)
        {
            await db.ExecuteAsync(Relabel, [known.Id, label], cancellationToken);
        }

        return known.Id;
    }
}
