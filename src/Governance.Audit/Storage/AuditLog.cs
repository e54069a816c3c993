using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Witnessing;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Storage;

/// <summary>Reads entries, tiles and proofs from committed rows.</summary>
internal sealed class AuditLog(
    IDbContextFactory<GovernanceDb> databases,
    EntrySalts salts,
    AuditOptions options,
    TimeProvider clock
) : IAuditLog
{
    public const int MaxPage = 200;
    private const int MaxIds = 1000;
    private static readonly TimeSpan ProofPoll = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan Behind = TimeSpan.FromSeconds(30);
    private readonly List<string> _witnesses = [.. options.Witnesses.Select(witness => witness.VerifierKey)];

    public async Task<Page<AuditEntry>> QueryAsync(AuditQuery query, CancellationToken cancellationToken)
    {
        var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var _ = db;
        var entries = db.Set<EntryRow>().AsNoTracking();
        if (query.After is { } after)
        {
            if (!TryReadToken(after, out var serial))
            {
                return new Page<AuditEntry>([], null);
            }

            entries = entries.Where(entry => entry.Serial < serial);
        }

        if (query.Id is { } id)
        {
            entries = entries.Where(entry => entry.Id == id);
        }

        if (query.Subject is { } subject)
        {
            entries = entries.Where(entry => entry.Subject == subject);
        }

        if (query.KindPrefix is { } prefix)
        {
            entries = entries.Where(entry => entry.Kind.StartsWith(prefix));
        }

        if (query.ActorId is { } actor)
        {
            entries = entries.Where(entry => entry.ActorId == actor);
        }

        if (query.Outcome is { } outcome)
        {
            entries = entries.Where(entry => entry.Outcome == outcome);
        }

        var first = Math.Clamp(query.First, 1, MaxPage);
        var rows = await WithPositions(db, entries.OrderByDescending(entry => entry.Serial).Take(first + 1))
            .OrderByDescending(row => row.Entry.Serial)
            .ToListAsync(cancellationToken);
        var next = rows.Count > first ? rows[first - 1].Entry.Serial.ToString(CultureInfo.InvariantCulture) : null;
        var read = new List<AuditEntry>(first);
        foreach (var row in rows.Take(first))
        {
            read.Add(await EntryAsync(row, cancellationToken));
        }

        return new Page<AuditEntry>(read, next);
    }

    public async Task<IReadOnlyDictionary<Guid, AuditEntry>> FindAsync(
        IReadOnlyCollection<Guid> ids,
        CancellationToken cancellationToken
    )
    {
        if (ids.Count > MaxIds)
        {
            throw new ArgumentException("At most 1,000 entries at once.", nameof(ids));
        }

        var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var _ = db;
        var rows = await WithPositions(db, db.Set<EntryRow>().AsNoTracking().Where(entry => ids.Contains(entry.Id)))
            .ToListAsync(cancellationToken);
        var found = new Dictionary<Guid, AuditEntry>(rows.Count);
        foreach (var row in rows)
        {
            found[row.Entry.Id] = await EntryAsync(row, cancellationToken);
        }

        return found;
    }

    public async Task<InclusionProof?> ProveAsync(Guid entryId, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await ProveCosignedAsync(db, entryId, 1, cancellationToken)
            ?? await ProveAsync(db, entryId, await db.NewestCheckpointAsync(cancellationToken), cancellationToken);
    }

    public async Task<InclusionProof?> ReceiptProofAsync(
        Guid entryId,
        TimeSpan atMost,
        CancellationToken cancellationToken
    )
    {
        var started = clock.GetTimestamp();
        var proof = await AwaitProofAsync(entryId, atMost, cancellationToken);
        if (proof is null || _witnesses.Count == 0)
        {
            return proof;
        }

        var wait = atMost + TimeSpan.FromMilliseconds(options.WitnessWaitMilliseconds);
        while (true)
        {
            await using (var db = await databases.CreateDbContextAsync(cancellationToken))
            {
                var atLeast = Math.Max(1, options.WitnessQuorum);
                if (await ProveCosignedAsync(db, entryId, atLeast, cancellationToken) is { } cosigned)
                {
                    return cosigned;
                }
            }

            if (clock.GetElapsedTime(started) >= wait)
            {
                return options.WitnessQuorum > 0 ? null : proof;
            }

            await Task.Delay(ProofPoll, clock, cancellationToken);
        }
    }

    public async Task<InclusionProof?> AwaitProofAsync(
        Guid entryId,
        TimeSpan atMost,
        CancellationToken cancellationToken
    )
    {
        var started = clock.GetTimestamp();
        while (true)
        {
            if (await ProveAsync(entryId, cancellationToken) is { } proof)
            {
                return proof;
            }

            if (clock.GetElapsedTime(started) >= atMost)
            {
                return null;
            }

            await Task.Delay(ProofPoll, clock, cancellationToken);
        }
    }

    public async Task<string?> CheckpointAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.NewestCheckpointAsync(cancellationToken) is { } newest
            ? await db.NoteAsync(newest, cancellationToken)
            : null;
    }

    public async Task<string?> CosignedCheckpointAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var atLeast = Math.Max(1, options.WitnessQuorum);
        return await db.NewestCosignedAsync(_witnesses, atLeast, cancellationToken) is { } newest
            ? await db.NoteAsync(newest, cancellationToken)
            : null;
    }

    public async Task<IReadOnlyList<WitnessView>> WitnessesAsync(CancellationToken cancellationToken)
    {
        var views = new List<WitnessView>();
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var before = (clock.GetUtcNow() - Behind).ToUnixTimeMilliseconds();
        foreach (var witness in _witnesses)
        {
            var last = await db.LastAsync(witness, cancellationToken);
            var size = last?.Size ?? 0;
            var behind = await db.Set<CheckpointRow>()
                .AnyAsync(row => row.Size > size && row.At < before, cancellationToken);
            DateTimeOffset? at = last is null ? null : DateTimeOffset.FromUnixTimeMilliseconds(last.At);
            views.Add(new WitnessView(witness.Split('+')[0], witness, last?.Size, at, behind));
        }

        return views;
    }

    public async Task<IReadOnlyList<string>> CheckpointsAsync(
        long afterSize,
        int first,
        CancellationToken cancellationToken
    )
    {
        var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var _ = db;
        return await db.Set<CheckpointRow>()
            .Where(checkpoint => checkpoint.Size > afterSize)
            .OrderBy(checkpoint => checkpoint.Size)
            .Take(Math.Clamp(first, 1, MaxPage))
            .Select(checkpoint => checkpoint.Note)
            .ToListAsync(cancellationToken);
    }

    public async Task<Result<ConsistencyProof>> ProveConsistencyAsync(
        long from,
        long to,
        CancellationToken cancellationToken
    )
    {
        var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var _ = db;
        var size = (await db.NewestCheckpointAsync(cancellationToken))?.Size ?? 0;
        if (from < 1 || from > to || to > size)
        {
            return Failure.Invalid("audit.bad_range", "Ask for 1 ≤ from ≤ to ≤ the size of the newest checkpoint.");
        }

        return new ConsistencyProof(
            from,
            to,
            await ResolveAsync(db, MerkleProof.PlanConsistency(from, to), cancellationToken)
        );
    }

    public async Task<byte[]?> TileAsync(string level, string rest, CancellationToken cancellationToken)
    {
        if (TilePath.TryParse(level, rest) is not { } tile)
        {
            return null;
        }

        var db = await databases.CreateDbContextAsync(cancellationToken);
        await using var _ = db;
        // Only what is under a signed checkpoint exists for the public.
        var size = (await db.NewestCheckpointAsync(cancellationToken))?.Size ?? 0;
        var treeLevel = tile.Level * TilePath.Height;
        var available = size >> treeLevel;
        if (tile.Index > available / TilePath.FullWidth)
        {
            return null;
        }

        var begin = tile.Index * TilePath.FullWidth;
        if (begin + tile.Width > available)
        {
            return null;
        }

        var hashes = await db.ReadLevelAsync(treeLevel, begin, begin + tile.Width, cancellationToken);
        return hashes.Count == tile.Width ? [.. hashes.SelectMany(hash => hash)] : null;
    }

    /// <summary>Whether a continuation token has the form that pages hand out.</summary>
    public static bool TryReadToken(string token, out long serial) =>
        long.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out serial);

    // Under the newest checkpoint that enough witnesses cosigned, if the entry is under it.
    private async Task<InclusionProof?> ProveCosignedAsync(
        GovernanceDb db,
        Guid entryId,
        int atLeast,
        CancellationToken cancellationToken
    ) =>
        await db.NewestCosignedAsync(_witnesses, atLeast, cancellationToken) is { } cosigned
            ? await ProveAsync(db, entryId, cosigned, cancellationToken)
            : null;

    private static async Task<InclusionProof?> ProveAsync(
        GovernanceDb db,
        Guid entryId,
        CheckpointRow? checkpoint,
        CancellationToken cancellationToken
    )
    {
        var leaf = await db.Set<LeafRow>()
            .AsNoTracking()
            .FirstOrDefaultAsync(row => row.EntryId == entryId, cancellationToken);
        if (leaf is null || checkpoint is null || leaf.Index >= checkpoint.Size)
        {
            return null;
        }

        var hashes = await ResolveAsync(db, MerkleProof.PlanInclusion(leaf.Index, checkpoint.Size), cancellationToken);
        var note = await db.NoteAsync(checkpoint, cancellationToken);
        return new InclusionProof(leaf.Index, Digest.FromBytes(leaf.Hash), hashes, note);
    }

    private static async Task<IReadOnlyList<Digest>> ResolveAsync(
        GovernanceDb db,
        IReadOnlyList<(long Begin, long End)> plan,
        CancellationToken cancellationToken
    )
    {
        var nodes = new Dictionary<NodeId, byte[]>();
        await db.ReadNodesAsync(
            plan.SelectMany(range => MerkleTree.Cover(range.Begin, range.End)),
            nodes,
            cancellationToken
        );
        return [.. MerkleProof.Resolve(plan, nodes).Select(hash => Digest.FromBytes(hash))];
    }

    // An altered salt is what the checks look for; here it is only one that cannot be given.
    private async ValueTask<AuditEntry> EntryAsync(Positioned row, CancellationToken cancellationToken)
    {
        var entry = row.Entry;
        var read = await salts.OpenAsync(entry.Id, entry.Salt, entry.Canonical, cancellationToken);
        return new AuditEntry(
            entry.Id,
            row.Position,
            DateTimeOffset.FromUnixTimeMilliseconds(entry.At),
            entry.Kind,
            entry.ActorId,
            entry.Subject,
            entry.Outcome,
            entry.Canonical,
            read.Ok ? read.Value.Salt ?? [] : []
        )
        {
            ErasedBy = read.Ok ? read.Value.Erased?.EntryId : null,
            Personal = await PersonalAsync(entry, cancellationToken),
        };
    }

    private async ValueTask<JsonObject?> PersonalAsync(EntryRow entry, CancellationToken cancellationToken)
    {
        if (!entry.Canonical.Contains(EntryText.Personal, StringComparison.Ordinal))
        {
            return null;
        }

        try
        {
            return await salts.OpenPersonalAsync(
                entry.Id,
                entry.Subject,
                (CanonicalJson.TryParse(Encoding.UTF8.GetBytes(entry.Canonical)) as JsonObject)
                    ?["details"]
                    ?["personal"],
                cancellationToken
            );
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static IQueryable<Positioned> WithPositions(GovernanceDb db, IQueryable<EntryRow> entries) =>
        from entry in entries
        join leaf in db.Set<LeafRow>() on entry.Id equals leaf.EntryId into leaves
        from leaf in leaves.DefaultIfEmpty()
        select new Positioned { Entry = entry, Position = leaf == null ? null : leaf.Index };

    private sealed class Positioned
    {
        public required EntryRow Entry { get; init; }

        public required long? Position { get; init; }
    }
}
