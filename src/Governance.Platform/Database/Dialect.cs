using System.Data;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Governance.Platform.Database;

/// <summary>The few places where SQLite and PostgreSQL need different words.</summary>
public static class Dialect
{
    private static readonly TimeSpan SettleAtMost = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SettlePoll = TimeSpan.FromMilliseconds(4);

    /// <summary>Whether other gateways and other units may write at the same time.</summary>
    public static bool IsShared(this GovernanceDb db)
    {
        ArgumentNullException.ThrowIfNull(db);
        return db.IsPostgreSql;
    }

    /// <summary>
    /// Makes every read of the context see one moment, that of the first, until disposed.
    /// </summary>
    public static Task<IDbContextTransaction> SnapshotAsync(this GovernanceDb db, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(db);
        // On SQLite the name of a plain BEGIN, which reads one moment of its write-ahead log; every other one is BEGIN IMMEDIATE and writes.
        var level = db.IsShared() ? IsolationLevel.RepeatableRead : IsolationLevel.ReadUncommitted;
        return db.Database.BeginTransactionAsync(level, cancellationToken);
    }

    /// <summary>
    /// Copies what was changed into the SQLite file and empties the log of changes, so that what <c>secure_delete</c> overwrote
    /// stands nowhere in either; false while a reader still needs the old pages. PostgreSQL has no such order: true.
    /// </summary>
    public static async Task<bool> TryForgetDeletedAsync(this GovernanceDb db, CancellationToken cancellationToken) =>
        db.IsShared()
        || await db.ReadAsync("PRAGMA wal_checkpoint(TRUNCATE)", [], row => row.GetInt32(0) == 0, cancellationToken)
            is [true];

    /// <summary>
    /// The serial up to which <c>audit_entry</c> is settled: no row with it or a lower one can still appear. Serials are drawn
    /// before the commit, so that a higher one may be visible while a lower one is not. Whoever drew a serial up to the last
    /// drawn one holds a lock on the table until the end of its transaction; when those have ended, all are settled.
    /// </summary>
    public static async Task<long> SettledEntriesAsync(this GovernanceDb db, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(db);
        if (!db.IsShared())
        {
            return long.MaxValue;
        }

        var last = await db
            .Database.SqlQueryRaw<long>(
                """
                SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('audit_entry', 'Serial')::regclass), 0) AS "Value"
                """
            )
            .SingleAsync(cancellationToken);
        var appending = await AppendingAsync(db, cancellationToken);
        for (var waited = TimeSpan.Zero; appending.Count > 0; waited += SettlePoll)
        {
            if (waited >= SettleAtMost)
            {
                return 0;
            }

            await Task.Delay(SettlePoll, cancellationToken);
            appending.IntersectWith(await AppendingAsync(db, cancellationToken));
        }

        return last;
    }

    /// <summary>By key: of those that wait there may be very many, and the plus keeps SQLite from looking through them.</summary>
    internal const string WaitingOnSqlite = """
        SELECT "Kind", "Key" FROM platform_job
        WHERE "Key" IN (SELECT value FROM json_each(@0)) AND +"State" = 0
        """;
    internal const string WaitingOnPostgreSql = """
        SELECT "Kind", "Key" FROM platform_job WHERE "Key" = ANY (@0) AND "State" = 0 FOR SHARE
        """;

    /// <summary>Kinds and keys of the waiting jobs with one of these keys, kept from being claimed before this unit has ended.</summary>
    internal static Task<List<(string Kind, string Key)>> WaitingAsync(
        this GovernanceDb db,
        IReadOnlyCollection<string> keys,
        CancellationToken cancellationToken
    ) =>
        db.IsShared()
            ? db.ReadAsync(
                WaitingOnPostgreSql,
                [keys.ToArray()],
                row => (row.GetString(0), row.GetString(1)),
                cancellationToken
            )
            : db.ReadAsync(
                WaitingOnSqlite,
                [JsonSerializer.Serialize(keys)],
                row => (row.GetString(0), row.GetString(1)),
                cancellationToken
            );

    private static async Task<HashSet<string>> AppendingAsync(GovernanceDb db, CancellationToken cancellationToken) =>
        await db
            .Database.SqlQueryRaw<string>(
                """
                SELECT virtualtransaction AS "Value" FROM pg_locks
                WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation = 'audit_entry'::regclass
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
                """
            )
            .ToHashSetAsync(cancellationToken);
}
