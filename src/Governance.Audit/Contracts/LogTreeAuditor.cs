using System.Security.Cryptography;
using Governance.Audit.Engine;
using Governance.Kernel;

namespace Governance.Audit.Contracts;

/// <summary>Fetches a path of the log such as <c>checkpoint</c> or <c>tile/0/000.p/7</c>; null when there is none.</summary>
/// <param name="path">Path below the log's base address, without leading slash.</param>
/// <param name="cancellationToken">Cancels the fetch.</param>
public delegate Task<byte[]?> FetchLogPath(string path, CancellationToken cancellationToken);

/// <summary>What an audit of a log from outside found to hold.</summary>
/// <param name="Size">Leaves under the newest checkpoint.</param>
/// <param name="Root">Root hash of the newest checkpoint.</param>
/// <param name="Checkpoints">Distinct checkpoints that were checked, the newest included.</param>
public sealed record LogAudit(long Size, Digest Root, int Checkpoints);

/// <summary>
/// Audits a log from outside: only from its published hash tiles and from checkpoints that others kept, without trusting the
/// server. Rebuilds the tree once, leaf by leaf, and compares it with every checkpoint at that checkpoint's size: checkpoints
/// whose roots come from prefixes of the same leaves are consistent, first to last. Every higher tile must agree too.
/// </summary>
public static class LogTreeAuditor
{
    /// <summary>
    /// Checks the newest checkpoint of the log and each of <paramref name="kept"/>. Codes <c>audit.bad_verifier_key</c>,
    /// <c>audit.bad_checkpoint</c>, <c>audit.shrunk</c>, <c>audit.bad_tile</c>, <c>audit.root_mismatch</c>.
    /// </summary>
    public static Task<Result<LogAudit>> AuditAsync(
        FetchLogPath fetch,
        IEnumerable<string> kept,
        string verifierKey,
        CancellationToken cancellationToken
    ) => AuditAsync(fetch, [], kept, verifierKey, cancellationToken);

    /// <summary>
    /// The same from the largest of <paramref name="since"/> on, whose leaves were checked when it was kept: reads the few tiles that
    /// its root is made of, and the leaves after it. Of smaller ones of these only the signature is checked. Reads the whole log when
    /// one of <paramref name="kept"/> is smaller, for nothing else compares it.
    /// </summary>
    public static async Task<Result<LogAudit>> AuditAsync(
        FetchLogPath fetch,
        IReadOnlyCollection<string> since,
        IEnumerable<string> kept,
        string verifierKey,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(since);
        ArgumentNullException.ThrowIfNull(fetch);
        if (NoteKey.TryParse(verifierKey) is not { } key)
        {
            return Failure.Invalid("audit.bad_verifier_key", "The verifier key of the log is malformed.");
        }

        var served = await fetch("checkpoint", cancellationToken);
        var newestNote = served is null ? "" : System.Text.Encoding.UTF8.GetString(served);
        IEnumerable<string> notes = [newestNote, .. since, .. kept];
        var checkpoints = notes.Select(note => Checkpoint.Open(note, key)).ToList();
        if (checkpoints.Contains(null))
        {
            return Failure.Invalid("audit.bad_checkpoint", "A checkpoint is malformed or not signed by the log's key.");
        }

        var newest = checkpoints[0]!;
        var bySize = checkpoints.OfType<Checkpoint>().ToLookup(checkpoint => checkpoint.Size);
        if (bySize.Any(group => group.Key > newest.Size))
        {
            return Failure.Conflict("audit.shrunk", "The log is smaller than a checkpoint it once signed.");
        }

        var begin = checkpoints.Skip(1).Take(since.Count).Select(checkpoint => checkpoint!.Size).DefaultIfEmpty().Max();
        if (checkpoints.Skip(1 + since.Count).Any(checkpoint => checkpoint!.Size < begin))
        {
            begin = 0;
        }

        if (await EdgeAsync(fetch, begin, cancellationToken) is not { } tree)
        {
            return BadTile;
        }

        if (!bySize[begin].All(checkpoint => Matches(checkpoint, tree)))
        {
            return RootMismatch;
        }

        var completed = new Dictionary<int, (long First, List<byte[]> Hashes)>();
        for (var index = begin / TilePath.FullWidth; tree.Size < newest.Size; index++)
        {
            var first = index * TilePath.FullWidth;
            var width = (int)Math.Min(TilePath.FullWidth, newest.Size - first);
            if (await TileAsync(fetch, new TilePath(0, index, width), cancellationToken) is not { } hashes)
            {
                return BadTile;
            }

            foreach (var hash in hashes.Skip((int)(tree.Size - first)))
            {
                foreach (var (id, value) in tree.Append(hash).Where(node => node.Id.Level % TilePath.Height == 0))
                {
                    var level = id.Level / TilePath.Height;
                    (
                        completed.TryGetValue(level, out var known) ? known : completed[level] = (id.Index, [])
                    ).Hashes.Add(value);
                }

                if (!bySize[tree.Size].All(checkpoint => Matches(checkpoint, tree)))
                {
                    return RootMismatch;
                }
            }
        }

        foreach (var (level, (first, expected)) in completed)
        {
            if (!await LevelMatchesAsync(fetch, level, first, expected, cancellationToken))
            {
                return BadTile;
            }
        }

        return new LogAudit(newest.Size, Digest.FromBytes(newest.Root), bySize.Count);
    }

    // The tree of the first leaves, from the tiles of the complete subtrees that cover them.
    private static async Task<TreeBuilder?> EdgeAsync(
        FetchLogPath fetch,
        long size,
        CancellationToken cancellationToken
    )
    {
        var edge = new List<byte[]>();
        var tiles = new Dictionary<string, byte[][]>(StringComparer.Ordinal);
        foreach (var node in MerkleTree.Cover(0, size))
        {
            var (level, below) = (node.Level / TilePath.Height, node.Level % TilePath.Height);
            var (first, count) = (node.Index << below, 1 << below);
            var (index, at) = (first / TilePath.FullWidth, (int)(first % TilePath.FullWidth));
            // As wide as the tree of that size had it: narrower ones stay served.
            var width = (int)
                Math.Min(TilePath.FullWidth, (size >> (level * TilePath.Height)) - (index * TilePath.FullWidth));
            var tile = new TilePath(level, index, width);
            if (!tiles.TryGetValue($"{tile}", out var hashes))
            {
                if (await TileAsync(fetch, tile, cancellationToken) is not { } fetched)
                {
                    return null;
                }

                tiles[$"{tile}"] = hashes = fetched;
            }

            var subtree = new TreeBuilder();
            foreach (var hash in hashes.AsSpan(at, count))
            {
                subtree.Append(hash);
            }

            edge.Add(subtree.Root);
        }

        return new TreeBuilder(size, edge);
    }

    private static Failure BadTile =>
        Failure.Conflict("audit.bad_tile", "A hash tile is missing, cut short or contradicts the leaves.");

    private static Failure RootMismatch =>
        Failure.Conflict("audit.root_mismatch", "The leaves do not have the root that a checkpoint signed.");

    private static bool Matches(Checkpoint checkpoint, TreeBuilder tree) =>
        CryptographicOperations.FixedTimeEquals(checkpoint.Root, tree.Root);

    private static async Task<bool> LevelMatchesAsync(
        FetchLogPath fetch,
        int level,
        long first,
        List<byte[]> expected,
        CancellationToken cancellationToken
    )
    {
        var end = first + expected.Count;
        for (var index = first / TilePath.FullWidth; index * TilePath.FullWidth < end; index++)
        {
            var begin = index * TilePath.FullWidth;
            var width = (int)Math.Min(TilePath.FullWidth, end - begin);
            var tile = await TileAsync(fetch, new TilePath(level, index, width), cancellationToken);
            for (var i = (int)Math.Max(0, first - begin); i < width; i++)
            {
                if (tile is null || !tile[i].AsSpan().SequenceEqual(expected[(int)(begin + i - first)]))
                {
                    return false;
                }
            }
        }

        return true;
    }

    private static async Task<byte[][]?> TileAsync(
        FetchLogPath fetch,
        TilePath tile,
        CancellationToken cancellationToken
    )
    {
        var bytes = await fetch(tile.ToString(), cancellationToken);
        return bytes?.Length == tile.Width * SHA256.HashSizeInBytes ? [.. bytes.Chunk(SHA256.HashSizeInBytes)] : null;
    }
}
