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
    public static async Task<Result<LogAudit>> AuditAsync(
        FetchLogPath fetch,
        IEnumerable<string> kept,
        string verifierKey,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(fetch);
        if (NoteKey.TryParse(verifierKey) is not { } key)
        {
            return Failure.Invalid("audit.bad_verifier_key", "The verifier key of the log is malformed.");
        }

        var served = await fetch("checkpoint", cancellationToken);
        var notes = kept.Prepend(served is null ? "" : System.Text.Encoding.UTF8.GetString(served));
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

        var tree = new TreeBuilder();
        if (!bySize[0].All(checkpoint => Matches(checkpoint, tree)))
        {
            return RootMismatch;
        }

        var completed = new Dictionary<int, List<byte[]>>();
        for (long index = 0; tree.Size < newest.Size; index++)
        {
            var width = (int)Math.Min(TilePath.FullWidth, newest.Size - tree.Size);
            if (await TileAsync(fetch, new TilePath(0, index, width), cancellationToken) is not { } hashes)
            {
                return BadTile;
            }

            foreach (var hash in hashes)
            {
                foreach (var (id, value) in tree.Append(hash).Where(node => node.Id.Level % TilePath.Height == 0))
                {
                    (
                        completed.TryGetValue(id.Level / TilePath.Height, out var level)
                            ? level
                            : completed[id.Level / TilePath.Height] = []
                    ).Add(value);
                }

                if (!bySize[tree.Size].All(checkpoint => Matches(checkpoint, tree)))
                {
                    return RootMismatch;
                }
            }
        }

        foreach (var (level, expected) in completed)
        {
            if (!await LevelMatchesAsync(fetch, level, expected, cancellationToken))
            {
                return BadTile;
            }
        }

        return new LogAudit(newest.Size, Digest.FromBytes(newest.Root), bySize.Count);
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
        List<byte[]> expected,
        CancellationToken cancellationToken
    )
    {
        for (var begin = 0; begin < expected.Count; begin += TilePath.FullWidth)
        {
            var width = Math.Min(TilePath.FullWidth, expected.Count - begin);
            var tile = await TileAsync(
                fetch,
                new TilePath(level, begin / TilePath.FullWidth, width),
                cancellationToken
            );
            if (tile is null || tile.Where((hash, i) => !hash.AsSpan().SequenceEqual(expected[begin + i])).Any())
            {
                return false;
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
