using System.Security.Cryptography;
using Governance.Audit.Engine;
using Governance.Audit.Keys;
using Governance.Audit.Sequencing;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Storage;

/// <summary>Inserts entries on the caller's transaction. Throws when it cannot, so that the caller's change fails with it.</summary>
internal sealed class LogAppender(LogState state, EntrySalts salts) : ILogAppender
{
    // Anything longer is a payload, which belongs into the blob store with only its digest here.
    private const int MaxCanonicalLength = 64 * 1024;
    private const int MaxNameLength = 2048;

    public async Task<IReadOnlyList<Guid>> AppendAsync(
        GovernanceDb db,
        IReadOnlyCollection<LogEntry> entries,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        state.ThrowIfBroken();
        if (db.Database.CurrentTransaction is null)
        {
            throw new InvalidOperationException("A log entry is appended inside a transaction only.");
        }

        var rows = new List<EntryRow>(entries.Count);
        foreach (var entry in entries)
        {
            rows.Add(await RowOfAsync(entry, now, cancellationToken));
        }

        await db.InsertAsync(rows, cancellationToken);
        state.Wake();
        return [.. rows.Select(row => row.Id)];
    }

    public async Task<IReadOnlyList<string>> LastSealedAsync(GovernanceDb db, CancellationToken cancellationToken)
    {
        var last = await db.Set<EntryRow>()
            .AsNoTracking()
            .Where(row => row.Salt.Length > EntryText.SaltSize)
            .OrderByDescending(row => row.Serial)
            .Select(row => new { row.ActorId, row.Subject })
            .FirstOrDefaultAsync(cancellationToken);
        return last is null ? []
            : EntrySalts.SubjectOf(last.Subject) is { } about ? [last.ActorId, about]
            : [last.ActorId];
    }

    private async ValueTask<EntryRow> RowOfAsync(
        LogEntry given,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        var id = Guid.CreateVersion7(now);
        var entry = await salts.SealPersonalAsync(id, given, cancellationToken);
        var canonical = EntryText.Canonical(id, now, entry);
        if (
            canonical.Length > MaxCanonicalLength
            || entry.Kind.Length is 0 or > MaxNameLength
            || entry.Subject.Length > MaxNameLength
        )
        {
            throw new ArgumentException("The log entry is too long or has no kind.", nameof(given));
        }

        var keys = await salts.KeysOfAsync(entry, cancellationToken);
        return new EntryRow
        {
            Id = id,
            At = now.ToUnixTimeMilliseconds(),
            Kind = entry.Kind,
            ActorId = entry.Actor.Id,
            Subject = entry.Subject,
            Outcome = EntryText.Name(entry.Outcome),
            Canonical = canonical,
            Salt = salts.Seal(id, keys, RandomNumberGenerator.GetBytes(EntryText.SaltSize), canonical),
        };
    }
}
