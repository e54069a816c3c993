using System.Numerics;
using Governance.Audit.Engine;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Storage;

/// <summary>Reads hashes of complete subtrees; level 0 is the leaf table.</summary>
internal static class NodeReader
{
    // Nodes of one statement; a proof in a tree of 2^48 leaves needs fewer.
    private const int MostNodes = 64;

    /// <summary>Adds the hashes of the given nodes to <paramref name="known"/>: one statement for leaves, one for up to 64 others.</summary>
    public static async Task ReadNodesAsync(
        this GovernanceDb db,
        IEnumerable<NodeId> ids,
        Dictionary<NodeId, byte[]> known,
        CancellationToken cancellationToken
    )
    {
        var needed = ids.Where(id => !known.ContainsKey(id)).ToHashSet();
        var leaves = needed.Where(id => id.Level == 0).Select(id => id.Index).ToList();
        if (leaves.Count > 0)
        {
            var rows = await db.Set<LeafRow>()
                .Where(leaf => leaves.Contains(leaf.Index))
                .Select(leaf => new { leaf.Index, leaf.Hash })
                .ToListAsync(cancellationToken);
            rows.ForEach(row => known[new NodeId(0, row.Index)] = row.Hash);
        }

        foreach (var some in needed.Where(id => id.Level > 0).Chunk(MostNodes))
        {
            var (text, values) = NodesOf(some);
            var rows = await db.ReadAsync(
                text,
                values,
                row => (Id: new NodeId(row.GetInt32(0), row.GetInt64(1)), Hash: row.GetFieldValue<byte[]>(2)),
                cancellationToken
            );
            rows.ForEach(row => known[row.Id] = row.Hash);
        }
    }

    /// <summary>The newest checkpoint; null before the first.</summary>
    public static Task<CheckpointRow?> NewestCheckpointAsync(
        this GovernanceDb db,
        CancellationToken cancellationToken
    ) =>
        db.Set<CheckpointRow>()
            .AsNoTracking()
            .OrderByDescending(checkpoint => checkpoint.Size)
            .FirstOrDefaultAsync(cancellationToken);

    /// <summary>The root of the first leaves, from stored nodes; null when one is missing.</summary>
    public static async Task<byte[]?> RootAtAsync(this GovernanceDb db, long size, CancellationToken cancellationToken)
    {
        var cover = MerkleTree.Cover(0, size);
        var nodes = new Dictionary<NodeId, byte[]>();
        await db.ReadNodesAsync(cover, nodes, cancellationToken);
        return cover.All(nodes.ContainsKey) ? MerkleTree.Fold([.. cover.Select(id => nodes[id])]) : null;
    }

    /// <summary>The hashes of one level from <paramref name="begin"/> to before <paramref name="end"/>, in order.</summary>
    public static Task<List<byte[]>> ReadLevelAsync(
        this GovernanceDb db,
        int level,
        long begin,
        long end,
        CancellationToken cancellationToken
    ) =>
        level == 0
            ? db.Set<LeafRow>()
                .Where(leaf => leaf.Index >= begin && leaf.Index < end)
                .OrderBy(leaf => leaf.Index)
                .Select(leaf => leaf.Hash)
                .ToListAsync(cancellationToken)
            : db.Set<NodeRow>()
                .Where(node => node.Level == level && node.Index >= begin && node.Index < end)
                .OrderBy(node => node.Index)
                .Select(node => node.Hash)
                .ToListAsync(cancellationToken);

    // The last one fills up to a power of two, so that few different statements are kept prepared. Joined, since SQLite looks
    // pairs up one by one in a join and reads the whole table for IN.
    private static (string Text, object[] Values) NodesOf(NodeId[] ids)
    {
        var count = (int)BitOperations.RoundUpToPowerOf2((uint)ids.Length);
        var filled = ids.Concat(Enumerable.Repeat(ids[^1], count - ids.Length));
        var places = Enumerable.Range(0, count).Select(i => $"(@{2 * i}, @{(2 * i) + 1})");
        return (
            $"""
            SELECT node."Level", node."Index", node."Hash" FROM (VALUES {string.Join(", ", places)}) AS wanted
            JOIN audit_node AS node ON node."Level" = wanted.column1 AND node."Index" = wanted.column2
            """,
            [.. filled.SelectMany(id => new object[] { id.Level, id.Index })]
        );
    }
}
