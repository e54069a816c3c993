using Governance.Audit.Engine;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Storage;

/// <summary>Reads hashes of complete subtrees; level 0 is the leaf table.</summary>
internal static class NodeReader
{
    /// <summary>Adds the hashes of the given nodes to <paramref name="known"/>; one query per level, O(log n) in all.</summary>
    public static async Task ReadNodesAsync(
        this GovernanceDb db,
        IEnumerable<NodeId> ids,
        Dictionary<NodeId, byte[]> known,
        CancellationToken cancellationToken
    )
    {
        foreach (var level in ids.Where(id => !known.ContainsKey(id)).GroupBy(id => id.Level, id => id.Index))
        {
            var indexes = level.Distinct().ToList();
            foreach (var (index, hash) in await ReadAsync(db, level.Key, indexes, cancellationToken))
            {
                known[new NodeId(level.Key, index)] = hash;
            }
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

    private static async Task<List<(long Index, byte[] Hash)>> ReadAsync(
        GovernanceDb db,
        int level,
        List<long> indexes,
        CancellationToken cancellationToken
    )
    {
        var rows =
            level == 0
                ? db.Set<LeafRow>()
                    .Where(leaf => indexes.Contains(leaf.Index))
                    .Select(leaf => new { leaf.Index, leaf.Hash })
                : db.Set<NodeRow>()
                    .Where(node => node.Level == level && indexes.Contains(node.Index))
                    .Select(node => new { node.Index, node.Hash });
        return [.. (await rows.ToListAsync(cancellationToken)).Select(row => (row.Index, row.Hash))];
    }
}
