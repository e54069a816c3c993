namespace Governance.Audit.Engine;

/// <summary>Appends leaf hashes to a tree of which only the right edge is known: the complete subtrees that cover it.</summary>
internal sealed class TreeBuilder
{
    // One hash per set bit of Size, the largest subtree first.
    private readonly List<byte[]> _edge;

    public TreeBuilder()
        : this(0, []) { }

    /// <summary>Continues a tree.</summary>
    /// <param name="size">Leaves so far.</param>
    /// <param name="edge">Hashes of <see cref="MerkleTree.Cover"/> of all of them.</param>
    public TreeBuilder(long size, IReadOnlyList<byte[]> edge)
    {
        Size = size;
        _edge = [.. edge];
    }

    public long Size { get; private set; }

    /// <summary>Hashes of <see cref="MerkleTree.Cover"/> of all leaves, as of now.</summary>
    public IReadOnlyList<byte[]> Edge => [.. _edge];

    public byte[] Root => MerkleTree.Fold(_edge);

    /// <summary>Appends a leaf; returns the nodes above level 0 that it completes.</summary>
    public IReadOnlyList<(NodeId Id, byte[] Hash)> Append(byte[] leafHash)
    {
        var completed = new List<(NodeId, byte[])>();
        var (hash, level, index) = (leafHash, 0, Size);
        while ((index & 1) == 1)
        {
            hash = MerkleTree.HashNode(_edge[^1], hash);
            _edge.RemoveAt(_edge.Count - 1);
            level++;
            index >>= 1;
            completed.Add((new NodeId(level, index), hash));
        }

        _edge.Add(hash);
        Size++;
        return completed;
    }
}
