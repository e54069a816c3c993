using System.Numerics;
using System.Security.Cryptography;

namespace Governance.Audit.Engine;

/// <summary>
/// Proofs of RFC 6962 §2.1.1 and §2.1.2. A proof is planned as ranges of leaves, so that a store can hand over the few
/// complete subtrees behind them; verification follows RFC 9162 §2.1.3.2 and §2.1.4.2.
/// </summary>
internal static class MerkleProof
{
    /// <summary>The ranges whose hashes are the audit path of a leaf, lower to higher.</summary>
    public static IReadOnlyList<(long Begin, long End)> PlanInclusion(long index, long size)
    {
        var ranges = new List<(long, long)>();
        var (begin, end) = (0L, size);
        while (end - begin > 1)
        {
            var middle = begin + MerkleTree.Split(end - begin);
            if (index < middle)
            {
                ranges.Add((middle, end));
                end = middle;
            }
            else
            {
                ranges.Add((begin, middle));
                begin = middle;
            }
        }

        ranges.Reverse();
        return ranges;
    }

    /// <summary>The ranges whose hashes prove that the first <paramref name="from"/> leaves are a prefix of the first <paramref name="to"/>.</summary>
    public static IReadOnlyList<(long Begin, long End)> PlanConsistency(long from, long to)
    {
        var ranges = new List<(long, long)>();
        if (from == 0 || from == to)
        {
            return ranges;
        }

        var (begin, end) = (0L, to);
        while (from != end)
        {
            var middle = begin + MerkleTree.Split(end - begin);
            if (from <= middle)
            {
                ranges.Add((middle, end));
                end = middle;
            }
            else
            {
                ranges.Add((begin, middle));
                begin = middle;
            }
        }

        if (begin != 0)
        {
            ranges.Add((begin, end));
        }

        ranges.Reverse();
        return ranges;
    }

    /// <summary>Turns planned ranges into hashes.</summary>
    public static IReadOnlyList<byte[]> Resolve(
        IReadOnlyList<(long Begin, long End)> ranges,
        IReadOnlyDictionary<NodeId, byte[]> nodes
    ) =>
        [
            .. ranges.Select(range =>
                MerkleTree.Fold([.. MerkleTree.Cover(range.Begin, range.End).Select(id => nodes[id])])
            ),
        ];

    public static bool VerifyInclusion(
        long index,
        long size,
        byte[] leafHash,
        IReadOnlyList<byte[]> hashes,
        byte[] root
    )
    {
        if (index < 0 || index >= size || hashes.Any(hash => hash.Length != SHA256.HashSizeInBytes))
        {
            return false;
        }

        var (node, last, result) = (index, size - 1, leafHash);
        foreach (var hash in hashes)
        {
            if (last == 0)
            {
                return false;
            }

            if ((node & 1) == 1 || node == last)
            {
                result = MerkleTree.HashNode(hash, result);
                var shift = node == 0 ? 0 : BitOperations.TrailingZeroCount(node);
                node >>= shift;
                last >>= shift;
            }
            else
            {
                result = MerkleTree.HashNode(result, hash);
            }

            node >>= 1;
            last >>= 1;
        }

        return last == 0 && CryptographicOperations.FixedTimeEquals(result, root);
    }

    public static bool VerifyConsistency(
        long from,
        byte[] fromRoot,
        long to,
        byte[] toRoot,
        IReadOnlyList<byte[]> hashes
    )
    {
        if (from < 0 || from > to || hashes.Any(hash => hash.Length != SHA256.HashSizeInBytes))
        {
            return false;
        }

        if (from == 0 || from == to)
        {
            var expected = from == 0 ? MerkleTree.EmptyRoot : toRoot;
            return hashes.Count == 0 && CryptographicOperations.FixedTimeEquals(fromRoot, expected);
        }

        var path = BitOperations.IsPow2(from) ? [fromRoot, .. hashes] : hashes;
        if (path.Count == 0)
        {
            return false;
        }

        var trailingOnes = BitOperations.TrailingZeroCount(~(from - 1));
        var (node, last) = ((from - 1) >> trailingOnes, (to - 1) >> trailingOnes);
        var (first, second) = (path[0], path[0]);
        foreach (var hash in path.Skip(1))
        {
            if (last == 0)
            {
                return false;
            }

            if ((node & 1) == 1 || node == last)
            {
                first = MerkleTree.HashNode(hash, first);
                second = MerkleTree.HashNode(hash, second);
                var shift = node == 0 ? 0 : BitOperations.TrailingZeroCount(node);
                node >>= shift;
                last >>= shift;
            }
            else
            {
                second = MerkleTree.HashNode(second, hash);
            }

            node >>= 1;
            last >>= 1;
        }

        return last == 0
            && CryptographicOperations.FixedTimeEquals(first, fromRoot)
            && CryptographicOperations.FixedTimeEquals(second, toRoot);
    }
}
