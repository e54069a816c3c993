using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Storage;
using Governance.Audit.Witnessing;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Sequencing;

/// <summary>
/// Reads the whole log once: every entry against its leaf, every stored node against the leaves, every signed checkpoint
/// against the tree of its size. One pass over the leaves, memory bounded by a batch. What is found names where.
/// </summary>
internal sealed class CheckLog(
    IDbContextFactory<GovernanceDb> databases,
    LogKey key,
    EntrySalts salts,
    CheckpointFiles exported,
    AuditOptions options
)
{
    private const int BatchSize = 1024;

    // Gateways of one database have clocks of their own, and units overlap.
    private static readonly long Tolerance = (long)TimeSpan.FromMinutes(1).TotalMilliseconds;

    /// <summary>What holds, or the first thing that does not.</summary>
    public async Task<Result<LogHolds>> RunAsync(CancellationToken cancellationToken)
    {
        // Before the snapshot, which then has all that was exported.
        var kept = exported.Newest();
        if (kept is { Checkpoint: null })
        {
            return LogFailures.CheckpointForged.At($"The exported file {kept.File} is not signed by this log's key.");
        }

        var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var _ = db;
        // Another gateway may be sequencing meanwhile.
        await using var snapshot = await db.SnapshotAsync(cancellationToken);
        var checkpoints = ReadCheckpoints(db, cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using var __ = checkpoints;
        var more = await checkpoints.MoveNextAsync();

        var cosigned = (await db.CosignedTimesAsync(options.Witnesses, cancellationToken)).GetEnumerator();
        using var ___ = cosigned;
        var seen = cosigned.MoveNext();
        var clock = new ClockBack(Tolerance);
        var erasures = new Dictionary<string, (SubjectErasure Erasure, long Leaves)>(StringComparer.Ordinal);
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
                    leaf.Index != tree.Size ? LogFailures.LeafMissing.At($"Leaf {tree.Size} is missing.")
                    : leaf.Serial <= lastSerial
                        ? LogFailures.OrderChanged.At($"Leaf {leaf.Index}, entry {leaf.EntryId}.")
                    : (await CheckEntryAsync(leaf, entry, erasures, cancellationToken))?.At(
                        $"Leaf {leaf.Index}, entry {leaf.EntryId}."
                    );
                if (failure is not null)
                {
                    return failure;
                }

                while (seen && cosigned.Current.Size <= tree.Size)
                {
                    clock.AtLeast(cosigned.Current.Ms);
                    seen = cosigned.MoveNext();
                }

                clock.Entry(leaf.Index, entry!.Id, entry.At);

                lastSerial = leaf.Serial;
                completed.AddRange(tree.Append(leaf.Hash));
                if (more && checkpoints.Current.Size <= tree.Size)
                {
                    if (!IsSigned(checkpoints.Current, tree))
                    {
                        return LogFailures.CheckpointForged.At(
                            $"The checkpoint of size {checkpoints.Current.Size}, the last that holds is of size {lastSigned}."
                        );
                    }

                    lastSigned = tree.Size;
                    more = await checkpoints.MoveNextAsync();
                }

                if (kept?.Checkpoint is { } earlier && earlier.Size == tree.Size && !HasRoot(tree, earlier.Root))
                {
                    return LogFailures.Forked(earlier.Size);
                }
            }

            if (await FirstWrongNodeAsync(db, completed, cancellationToken) is { } wrong)
            {
                return LogFailures.TreeAltered.At(
                    $"The node over leaves {wrong.Index << wrong.Level} to {((wrong.Index + 1) << wrong.Level) - 1}."
                );
            }

            if (batch.Count < BatchSize)
            {
                break;
            }
        }

        if (more || lastSigned != tree.Size)
        {
            return LogFailures.Truncated.At(
                more
                    ? $"There are {tree.Size} leaves; {checkpoints.Current.Size} were signed."
                    : $"There are {tree.Size} leaves; the newest checkpoint is of size {lastSigned}."
            );
        }

        if (kept?.Checkpoint is { } newest && newest.Size > tree.Size)
        {
            return LogFailures.RolledBack(tree.Size, newest.Size);
        }

        var entries = await db.Set<EntryRow>().LongCountAsync(row => row.Serial <= lastSerial, cancellationToken);
        var nodes = await db.Set<NodeRow>().LongCountAsync(cancellationToken);
        return entries != tree.Size
                ? LogFailures.EntryInserted.At(await InsertedAsync(db, lastSerial, cancellationToken))
            : nodes != Enumerable.Range(1, 62).Sum(level => tree.Size >> level)
                ? LogFailures.TreeAltered.At($"There are {nodes} nodes over {tree.Size} leaves.")
            : await CheckErasuresAsync(erasures.Values.Select(erased => erased.Erasure), cancellationToken)
                is { } unlogged
                ? unlogged
            : new LogHolds(tree.Size, clock.Found, erasures.Values.Sum(erased => erased.Leaves));
    }

    private static async Task<string> InsertedAsync(
        GovernanceDb db,
        long lastSerial,
        CancellationToken cancellationToken
    )
    {
        // Its other columns may hold anything.
        var inserted = await db.Set<EntryRow>()
            .Where(row => row.Serial <= lastSerial && !db.Set<LeafRow>().Any(leaf => leaf.Serial == row.Serial))
            .MinAsync(row => (long?)row.Serial, cancellationToken);
        return $"The entry with serial {inserted} has no leaf.";
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

    private async ValueTask<Failure?> CheckEntryAsync(
        LeafRow leaf,
        EntryRow? entry,
        Dictionary<string, (SubjectErasure Erasure, long Leaves)> erasures,
        CancellationToken cancellationToken
    )
    {
        if (entry is null)
        {
            return LogFailures.EntryMissing;
        }

        var read = await salts.OpenAsync(entry.Id, entry.Salt, entry.Canonical, cancellationToken);
        if (!read.Ok)
        {
            return read.Failure;
        }

        if (read.Value.Erased is { } erased)
        {
            erasures[erased.Subject] = (erased, erasures.GetValueOrDefault(erased.Subject).Leaves + 1);
        }

        var same =
            entry.Id == leaf.EntryId
            && CryptographicOperations.FixedTimeEquals(read.Value.LeafHash, leaf.Hash)
            && ColumnsMatch(entry);
        return same ? null : LogFailures.EntryAltered;
    }

    // Asked after the pass, past its snapshot: a key may be destroyed meanwhile, and the entry of that was committed before.
    private async Task<Failure?> CheckErasuresAsync(
        IEnumerable<SubjectErasure> erasures,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        foreach (var erasure in erasures)
        {
            var urn = $"subject:{erasure.Subject}";
            if (
                !await db.Set<EntryRow>()
                    .AnyAsync(entry => entry.Subject == urn && entry.Kind == SubjectErasure.Kind, cancellationToken)
            )
            {
                return LogFailures.ErasureUnlogged.At($"Subject {erasure.Subject}, entry {erasure.EntryId}.");
            }
        }

        return null;
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
        && HasRoot(tree, opened.Root)
        && CryptographicOperations.FixedTimeEquals(row.Root, opened.Root);

    private static bool HasRoot(TreeBuilder tree, byte[] root) =>
        CryptographicOperations.FixedTimeEquals(root, tree.Root);

    private static async Task<NodeId?> FirstWrongNodeAsync(
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
            for (var i = 0; i < expected.Count; i++)
            {
                if (i >= stored.Count || !stored[i].AsSpan().SequenceEqual(expected[i]))
                {
                    return new NodeId(level.Key, first + i);
                }
            }
        }

        return null;
    }
}

/// <summary>What a check of the whole log found to hold.</summary>
/// <param name="Leaves">Leaves that hold.</param>
/// <param name="ClockBack">The first entry whose time lies before what came earlier, in words; null when there is none.</param>
/// <param name="Erased">How many of the leaves can no longer be recomputed, because their salts were erased, on record.</param>
internal sealed record LogHolds(long Leaves, string? ClockBack, long Erased);

/// <summary>
/// Looks for entries whose time lies before entries in front of them, or before a witness saw a checkpoint that does not have
/// them. Clocks are set right now and then, so this is reported and stops nothing.
/// </summary>
internal sealed class ClockBack(long tolerance)
{
    private long _latest = long.MinValue;

    public string? Found { get; private set; }

    /// <summary>What comes now was not there at this time.</summary>
    public void AtLeast(long milliseconds) => _latest = Math.Max(_latest, milliseconds);

    public void Entry(long index, Guid id, long milliseconds)
    {
        if (Found is null && _latest != long.MinValue && milliseconds < _latest - tolerance)
        {
            Found =
                $"Leaf {index}, entry {id}, says {Text(milliseconds)}; what came before it was there at {Text(_latest)}.";
        }

        AtLeast(milliseconds);
    }

    private static string Text(long milliseconds) =>
        DateTimeOffset
            .FromUnixTimeMilliseconds(milliseconds)
            .ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
