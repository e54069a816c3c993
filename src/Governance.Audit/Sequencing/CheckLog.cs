using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Sequencing;

/// <summary>
/// Reads the whole log once: every entry against its leaf, every stored node against the leaves, every signed checkpoint
/// against the tree of its size. One pass over the leaves, memory bounded by a batch.
/// </summary>
internal sealed class CheckLog(IDbContextFactory<GovernanceDb> databases, LogKey key)
{
    private const int BatchSize = 1024;

    /// <summary>The number of leaves that hold, or the first thing that does not.</summary>
    public async Task<Result<long>> RunAsync(CancellationToken cancellationToken)
    {
        var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var _ = db;
        // Another gateway may be sequencing meanwhile.
        await using var snapshot = await db.SnapshotAsync(cancellationToken);
        var checkpoints = ReadCheckpoints(db, cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using var __ = checkpoints;
        var more = await checkpoints.MoveNextAsync();

        var tree = new TreeBuilder();
        var lastSerial = 0L;
        var lastSigned = 0L;
        while (true)
        {
            var begin = tree.Size;
            var completed = new List<(NodeId Id, byte[] Hash)>();
            var batch = await ReadBatchAsync(db, begin, cancellationToken);
            foreach (var (leaf, entry) in batch)
            {
                var failure =
                    leaf.Index != tree.Size ? LogFailures.LeafMissing
                    : leaf.Serial <= lastSerial ? LogFailures.OrderChanged
                    : CheckEntry(leaf, entry);
                if (failure is not null)
                {
                    return failure;
                }

                lastSerial = leaf.Serial;
                completed.AddRange(tree.Append(leaf.Hash));
                if (more && checkpoints.Current.Size <= tree.Size)
                {
                    if (!IsSigned(checkpoints.Current, tree))
                    {
                        return LogFailures.CheckpointForged;
                    }

                    lastSigned = tree.Size;
                    more = await checkpoints.MoveNextAsync();
                }
            }

            if (!await NodesMatchAsync(db, completed, cancellationToken))
            {
                return LogFailures.TreeAltered;
            }

            if (batch.Count < BatchSize)
            {
                break;
            }
        }

        if (more || lastSigned != tree.Size)
        {
            return LogFailures.Truncated;
        }

        var entries = await db.Set<EntryRow>().LongCountAsync(row => row.Serial <= lastSerial, cancellationToken);
        var nodes = await db.Set<NodeRow>().LongCountAsync(cancellationToken);
        return entries != tree.Size ? LogFailures.EntryInserted
            : nodes != Enumerable.Range(1, 62).Sum(level => tree.Size >> level) ? LogFailures.TreeAltered
            : tree.Size;
    }

    // In pages: one connection has one open query.
    private static async IAsyncEnumerable<CheckpointRow> ReadCheckpoints(
        GovernanceDb db,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var size = -1L;
        while (true)
        {
            var page = await db.Set<CheckpointRow>()
                .AsNoTracking()
                .Where(row => row.Size > size)
                .OrderBy(row => row.Size)
                .Take(BatchSize)
                .ToListAsync(cancellationToken);
            foreach (var row in page)
            {
                size = row.Size;
                yield return row;
            }

            if (page.Count < BatchSize)
            {
                yield break;
            }
        }
    }

    private static async Task<List<(LeafRow Leaf, EntryRow? Entry)>> ReadBatchAsync(
        GovernanceDb db,
        long begin,
        CancellationToken cancellationToken
    )
    {
        var rows =
            from leaf in db.Set<LeafRow>()
                .AsNoTracking()
                .Where(leaf => leaf.Index >= begin)
                .OrderBy(leaf => leaf.Index)
                .Take(BatchSize)
            join entry in db.Set<EntryRow>().AsNoTracking() on leaf.Serial equals entry.Serial into entries
            from entry in entries.DefaultIfEmpty()
            orderby leaf.Index
            select new { leaf, entry };
        return [.. (await rows.ToListAsync(cancellationToken)).Select(row => (row.leaf, (EntryRow?)row.entry))];
    }

    private static Failure? CheckEntry(LeafRow leaf, EntryRow? entry)
    {
        if (entry is null)
        {
            return LogFailures.EntryMissing;
        }

        var same =
            entry.Id == leaf.EntryId
            && CryptographicOperations.FixedTimeEquals(EntryText.LeafHash(entry.Salt, entry.Canonical), leaf.Hash)
            && ColumnsMatch(entry);
        return same ? null : LogFailures.EntryAltered;
    }

    // The columns are what queries filter on: an entry must not be hidden by editing them beside its text.
    private static bool ColumnsMatch(EntryRow entry) =>
        CanonicalJson.TryParse(Encoding.UTF8.GetBytes(entry.Canonical)) is JsonObject text
        && Text(text["id"]) == entry.Id.ToString()
        && Text(text["kind"]) == entry.Kind
        && Text(text["subject"]) == entry.Subject
        && Text(text["outcome"]) == entry.Outcome
        && Text((text["actor"] as JsonObject)?["id"]) == entry.ActorId
        && DateTimeOffset.TryParse(Text(text["at"]), CultureInfo.InvariantCulture, out var at)
        && at.ToUnixTimeMilliseconds() == entry.At;

    private static string? Text(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private bool IsSigned(CheckpointRow row, TreeBuilder tree) =>
        row.Size == tree.Size
        && Checkpoint.Open(row.Note, key.Public) is { } opened
        && opened.Size == tree.Size
        && CryptographicOperations.FixedTimeEquals(opened.Root, tree.Root)
        && CryptographicOperations.FixedTimeEquals(row.Root, opened.Root);

    private static async Task<bool> NodesMatchAsync(
        GovernanceDb db,
        IEnumerable<(NodeId Id, byte[] Hash)> completed,
        CancellationToken cancellationToken
    )
    {
        foreach (var level in completed.GroupBy(node => node.Id.Level))
        {
            var expected = level.Select(node => node.Hash).ToList();
            var first = level.First().Id.Index;
            var stored = await db.ReadLevelAsync(level.Key, first, first + expected.Count, cancellationToken);
            if (
                stored.Count != expected.Count
                || stored.Zip(expected).Any(pair => !pair.First.AsSpan().SequenceEqual(pair.Second))
            )
            {
                return false;
            }
        }

        return true;
    }
}
