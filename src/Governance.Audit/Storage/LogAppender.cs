using System.Data.Common;
using System.Security.Cryptography;
using Governance.Audit.Engine;
using Governance.Audit.Sequencing;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Governance.Audit.Storage;

/// <summary>Inserts entries on the caller's transaction. Throws when it cannot, so that the caller's change fails with it.</summary>
internal sealed class LogAppender(LogState state) : ILogAppender
{
    private const string Insert = """
        INSERT INTO audit_entry ("Id", "At", "Kind", "ActorId", "Subject", "Outcome", "Canonical", "Salt")
        VALUES (@id, @at, @kind, @actor, @subject, @outcome, @canonical, @salt)
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
        var transaction =
            db.Database.CurrentTransaction
            ?? throw new InvalidOperationException("A log entry is appended inside a transaction only.");
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

        var command = db.Database.GetDbConnection().CreateCommand();
        await using (command)
        {
            command.CommandText = Insert;
            command.Transaction = transaction.GetDbTransaction();
            Add(command, "@id", id);
            Add(command, "@at", now.ToUnixTimeMilliseconds());
            Add(command, "@kind", entry.Kind);
            Add(command, "@actor", entry.Actor.Id);
            Add(command, "@subject", entry.Subject);
            Add(command, "@outcome", EntryText.Name(entry.Outcome));
            Add(command, "@canonical", canonical);
            Add(command, "@salt", RandomNumberGenerator.GetBytes(EntryText.SaltSize));
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        state.Wake();
        return id;
    }

    private static void Add(DbCommand command, string name, object value)
    {
        var parameter = command.CreateParameter();
        parameter.ParameterName = name;
        parameter.Value = value;
        command.Parameters.Add(parameter);
    }
}
