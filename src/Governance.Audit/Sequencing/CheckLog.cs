using System.Data.Common;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;
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
/// against the tree of its size. One pass over the leaves, memory bounded by two stretches of them. What is found names where.
/// </summary>
internal sealed class CheckLog(
    IDbContextFactory<GovernanceDb> databases,
    LogKey key,
    EntrySalts salts,
    CheckpointFiles exported,
    AuditOptions options
)
{
    private const int BatchSize = 2048;
    private const string Leaves = """
        SELECT leaf."Index", leaf."Serial", leaf."EntryId", leaf."Hash", entry."Serial", entry."Id", entry."At", entry."Kind",
            entry."ActorId", entry."Subject", entry."Outcome", entry."Canonical", entry."Salt"
        FROM audit_leaf AS leaf LEFT JOIN audit_entry AS entry ON entry."Serial" = leaf."Serial"
        WHERE leaf."Index" >= @0 ORDER BY leaf."Index" LIMIT @1
        """;

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
        var cosigned = (await db.CosignedTimesAsync(options.Witnesses, cancellationToken)).GetEnumerator();
        using var ___ = cosigned;
        var seen = cosigned.MoveNext();
        var clock = new ClockBack(Tolerance);
        var erasures = new Dictionary<string, (SubjectErasure Erasure, long Leaves)>(StringComparer.Ordinal);
        var tree = new TreeBuilder();
        var lastSerial = 0L;
        var lastSigned = 0L;
        await foreach (var stretch in StretchesAsync(db, cancellationToken))
        {
            var completed = new List<(NodeId Id, byte[] Hash)>();
            using var checkpoints = stretch.Checkpoints.GetEnumerator();
            var more = checkpoints.MoveNext();
            foreach (var (leaf, entry) in stretch.Rows)
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
                        return Forged(checkpoints.Current, lastSigned);
                    }

                    lastSigned = tree.Size;
                    more = checkpoints.MoveNext();
                }

                if (kept?.Checkpoint is { } earlier && earlier.Size == tree.Size && !HasRoot(tree, earlier.Root))
                {
                    return lastSigned == tree.Size
                        ? LogFailures.Forked(earlier.Size)
                        : LogFailures.Forked(earlier.Size, lastSigned);
                }
            }

            if (more)
            {
                return Forged(checkpoints.Current, lastSigned);
            }

            if (FirstWrong(completed, stretch.Nodes) is { } wrong)
            {
                return LogFailures.TreeAltered.At(
                    $"The node over leaves {wrong.Index << wrong.Level} to {((wrong.Index + 1) << wrong.Level) - 1}."
                );
            }
        }

        var signed = await db.NewestCheckpointAsync(cancellationToken);
        if (signed?.Size > tree.Size || lastSigned != tree.Size)
        {
            return LogFailures.Truncated.At(
                signed?.Size > tree.Size
                    ? $"There are {tree.Size} leaves; {signed.Size} were signed."
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

    // The next stretch is read while one is checked, and never two at a time: one connection has one open query.
    private static async IAsyncEnumerable<Stretch> StretchesAsync(
        GovernanceDb db,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var reading = Task.Run(() => ReadAsync(db, 0, cancellationToken), cancellationToken);
        try
        {
            for (var begin = 0L; ; begin += BatchSize)
            {
                var stretch = await reading;
                var next = begin + BatchSize;
                var last = stretch.Rows.Count < BatchSize;
                reading = last ? reading : Task.Run(() => ReadAsync(db, next, cancellationToken), cancellationToken);
                yield return stretch;
                if (last)
                {
                    yield break;
                }
            }
        }
        finally
        {
            // Whoever stops at a failure gives the connection back.
            await Task.WhenAny(reading);
        }
    }

    private static async Task<Stretch> ReadAsync(GovernanceDb db, long begin, CancellationToken cancellationToken)
    {
        var rows = await db.ReadAsync(Leaves, [begin, BatchSize], RowOf, cancellationToken);
        var end = begin + rows.Count;
        var nodes = new List<List<byte[]>>();
        for (var level = 1; end >> level > begin >> level; level++)
        {
            nodes.Add(await db.ReadLevelAsync(level, begin >> level, end >> level, cancellationToken));
        }

        var checkpoints = await db.Set<CheckpointRow>()
            .AsNoTracking()
            .Where(row => (row.Size > begin || begin == 0) && row.Size <= end)
            .OrderBy(row => row.Size)
            .ToListAsync(cancellationToken);
        return new Stretch(rows, nodes, checkpoints);
    }

    private static (LeafRow Leaf, EntryRow? Entry) RowOf(DbDataReader row) =>
        (
            new LeafRow
            {
                Index = row.GetInt64(0),
                Serial = row.GetInt64(1),
                EntryId = row.GetGuid(2),
                Hash = row.GetFieldValue<byte[]>(3),
            },
            row.IsDBNull(4)
                ? null
                : new EntryRow
                {
                    Serial = row.GetInt64(4),
                    Id = row.GetGuid(5),
                    At = row.GetInt64(6),
                    Kind = row.GetString(7),
                    ActorId = row.GetString(8),
                    Subject = row.GetString(9),
                    Outcome = row.GetString(10),
                    Canonical = row.GetString(11),
                    Salt = row.GetFieldValue<byte[]>(12),
                }
        );

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
    private static bool ColumnsMatch(EntryRow entry)
    {
        try
        {
            using var document = JsonDocument.Parse(entry.Canonical);
            var text = document.RootElement;
            return Is("id", entry.Id.ToString())
                && Is("kind", entry.Kind)
                && Is("subject", entry.Subject)
                && Is("outcome", entry.Outcome)
                && text.GetProperty("actor").GetProperty("id").ValueEquals(entry.ActorId)
                && text.GetProperty("at").GetDateTimeOffset().ToUnixTimeMilliseconds() == entry.At;

            bool Is(string name, string value) => text.GetProperty(name).ValueEquals(value);
        }
        catch (Exception malformed)
            when (malformed is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    private bool IsSigned(CheckpointRow row, TreeBuilder tree) =>
        row.Size == tree.Size
        && Checkpoint.Open(row.Note, key.Public) is { } opened
        && opened.Size == tree.Size
        && HasRoot(tree, opened.Root)
        && CryptographicOperations.FixedTimeEquals(row.Root, opened.Root);

    private static Failure Forged(CheckpointRow row, long lastSigned) =>
        LogFailures.CheckpointForged.At(
            $"The checkpoint of size {row.Size}, the last that holds is of size {lastSigned}."
        );

    private static bool HasRoot(TreeBuilder tree, byte[] root) =>
        CryptographicOperations.FixedTimeEquals(root, tree.Root);

    private static NodeId? FirstWrong(
        IEnumerable<(NodeId Id, byte[] Hash)> completed,
        IReadOnlyList<IReadOnlyList<byte[]>> stored
    )
    {
        var next = new int[stored.Count];
        foreach (var (id, hash) in completed)
        {
            var (level, i) = (stored[id.Level - 1], next[id.Level - 1]++);
            if (i >= level.Count || !level[i].AsSpan().SequenceEqual(hash))
            {
                return id;
            }
        }

        return null;
    }

    /// <summary>A part of the log as it is stored: leaves with their entries, and what is completed by them.</summary>
    /// <param name="Rows">Each leaf, with its entry where there is one.</param>
    /// <param name="Nodes">Of each level from 1 on, the nodes that these leaves complete, in order.</param>
    /// <param name="Checkpoints">Those of the sizes that these leaves lead to, smallest first.</param>
    private sealed record Stretch(
        IReadOnlyList<(LeafRow Leaf, EntryRow? Entry)> Rows,
        IReadOnlyList<IReadOnlyList<byte[]>> Nodes,
        IReadOnlyList<CheckpointRow> Checkpoints
    );
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
