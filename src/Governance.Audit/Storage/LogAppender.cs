using System.Security.Cryptography;
using Governance.Audit.Engine;
using Governance.Audit.Sequencing;
using Governance.Platform.Database;
using Governance.Platform.Logging;

namespace Governance.Audit.Storage;

/// <summary>Inserts entries on the caller's transaction. Throws when it cannot, so that the caller's change fails with it.</summary>
internal sealed class LogAppender(LogState state) : ILogAppender
{
    private const string Insert = """
        INSERT INTO audit_entry ("Id", "At", "Kind", "ActorId", "Subject", "Outcome", "Canonical", "Salt")
        VALUES (@0, @1, @2, @3, @4, @5, @6, @7)
        """;

    // Anything longer is a payload, which belongs into the blob store with only its digest here.
    private const int MaxCanonicalLength = 64 * 1024;
    private const int MaxNameLength = 2048;

    public async Task<Guid> AppendAsync(
        GovernanceDb db,
        LogEntry entry,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        state.ThrowIfBroken();
        if (db.Database.CurrentTransaction is null)
        {
            throw new InvalidOperationException("A log entry is appended inside a transaction only.");
        }

        var id = Guid.CreateVersion7(now);
        var canonical = EntryText.Canonical(id, now, entry);
        if (
            canonical.Length > MaxCanonicalLength
            || entry.Kind.Length is 0 or > MaxNameLength
            || entry.Subject.Length > MaxNameLength
        )
        {
            throw new ArgumentException("The log entry is too long or has no kind.", nameof(entry));
        }

        await db.ExecuteAsync(
            Insert,
            [
                id,
                now.ToUnixTimeMilliseconds(),
                entry.Kind,
                entry.Actor.Id,
                entry.Subject,
                EntryText.Name(entry.Outcome),
                canonical,
                RandomNumberGenerator.GetBytes(EntryText.SaltSize),
            ],
            cancellationToken
        );
        state.Wake();
        return id;
    }
}
