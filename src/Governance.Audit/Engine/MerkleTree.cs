using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Governance.Audit.Engine;

/// <summary>A complete subtree: the 2^<paramref name="Level"/> leaves from <paramref name="Index"/> · 2^Level on.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct NodeId(int Level, long Index);

/// <summary>Hashing of RFC 6962 §2.1: leaves under 0x00, nodes under 0x01.</summary>
internal static class MerkleTree
{
    public static byte[] EmptyRoot => SHA256.HashData([]);

    public static byte[] HashLeaf(ReadOnlySpan<byte> data)
    {
        Span<byte> buffer = data.Length < 512 ? stackalloc byte[data.Length + 1] : new byte[data.Length + 1];
        buffer[0] = 0;
        data.CopyTo(buffer[1..]);
        return SHA256.HashData(buffer);
    }

    public static byte[] HashNode(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        Span<byte> buffer = stackalloc byte[1 + (2 * SHA256.HashSizeInBytes)];
        buffer[0] = 1;
        left.CopyTo(buffer[1..]);
        right.CopyTo(buffer[(1 + SHA256.HashSizeInBytes)..]);
        return SHA256.HashData(buffer);
    }

    /// <summary>Splits a range of leaves that is a subtree of the RFC's tree into complete subtrees, left to right.</summary>
    public static IReadOnlyList<NodeId> Cover(long begin, long end)
    {
        var nodes = new List<NodeId>();
        while (begin < end)
        {
            var aligned = begin == 0 ? 62 : BitOperations.TrailingZeroCount(begin);
            var level = Math.Min(aligned, BitOperations.Log2((ulong)(end - begin)));
            nodes.Add(new NodeId(level, begin >> level));
            begin += 1L << level;
        }

        return nodes;
    }

    /// <summary>The hash over the nodes of <see cref="Cover"/>: the smaller subtrees on the right are joined first.</summary>
    public static byte[] Fold(IReadOnlyList<byte[]> cover)
    {
        if (cover.Count == 0)
        {
            return EmptyRoot;
        }

        var hash = cover[^1];
        for (var i = cover.Count - 2; i >= 0; i--)
        {
            hash = HashNode(cover[i], hash);
        }

        return hash;
    }

    /// <summary>The largest power of two smaller than <paramref name="size"/> (RFC 6962 §2.1); size ≥ 2.</summary>
    public static long Split(long size) => 1L << BitOperations.Log2((ulong)(size - 1));
}
