using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Governance.Platform.Database;

/// <summary>A row of a table that PostgreSQL keeps in partitions by month; the writer sets the time.</summary>
public interface IDatedRow
{
    /// <summary>When the row was added, Unix milliseconds.</summary>
    long WrittenMs { get; set; }
}

/// <summary>Sets the time of dated rows.</summary>
internal static class DatedRows
{
    /// <summary>From here on every dated row that is added to the context gets this time.</summary>
    public static void StampAdded(this GovernanceDb db, Func<DateTimeOffset> now) =>
        db.ChangeTracker.Tracked += (_, tracked) =>
        {
            if (tracked is { FromQuery: false, Entry: { State: EntityState.Added, Entity: IDatedRow row } })
            {
                row.WrittenMs = now().ToUnixTimeMilliseconds();
            }
        };
}

/// <summary>
/// Makes the monthly partitions of this month and the next ones: at start and every hour. A row whose month has none lands in
/// the default partition, so that nothing is ever refused or lost for want of one. Does nothing on SQLite.
/// </summary>
public sealed partial class MonthPartitions(
    IDbContextFactory<GovernanceDb> databases,
    TimeProvider clock,
    ILogger<MonthPartitions> logger
) : BackgroundService
{
    private const int MonthsAhead = 3;
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    /// <summary>Makes what is missing.</summary>
    public async Task MakeAheadAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (!db.IsShared())
        {
            return;
        }

        var tables = await db
            .Database.SqlQueryRaw<string>(
                """
                SELECT quote_ident(tables.relname) AS "Value" FROM pg_partitioned_table AS keys
                JOIN pg_class AS tables ON tables.oid = keys.partrelid
                WHERE keys.partstrat = 'r' AND tables.relnamespace = current_schema()::regnamespace
                ORDER BY 1
                """
            )
            .ToListAsync(cancellationToken);
        var now = clock.GetUtcNow();
        var first = new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero);
        foreach (var table in tables)
        {
            for (var ahead = 0; ahead <= MonthsAhead; ahead++)
            {
                await MakeAsync(db, table, first.AddMonths(ahead), cancellationToken);
            }
        }
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await MakeAheadAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                NotMade("any", exception.GetType().Name);
            }
        }
    }

    private async Task MakeAsync(
        GovernanceDb db,
        string table,
        DateTimeOffset month,
        CancellationToken cancellationToken
    )
    {
        var name = $"{table}_{month.ToString("yyyy_MM", CultureInfo.InvariantCulture)}";
        var (from, to) = (month.ToUnixTimeMilliseconds(), month.AddMonths(1).ToUnixTimeMilliseconds());
        try
        {
            await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
            // One gateway at a time, and no waiting behind long readers while writers queue up behind us. Names are the schema's own.
#pragma warning disable EF1002
            await db.Database.ExecuteSqlRawAsync(
                "SET LOCAL lock_timeout = '2s'; SELECT pg_advisory_xact_lock(7021967)",
                cancellationToken
            );
            if (
                await db
                    .Database.SqlQueryRaw<bool>($"SELECT to_regclass('{name}') IS NULL AS \"Value\"")
                    .SingleAsync(cancellationToken)
            )
            {
                await db.Database.ExecuteSqlRawAsync(
                    $"CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ({from}) TO ({to})",
                    cancellationToken
                );
            }
#pragma warning restore EF1002

            await transaction.CommitAsync(cancellationToken);
        }
        catch (PostgresException refused)
        {
            // The table is busy, or rows of that month already lie in the default partition, where they stay.
            NotMade(name, refused.SqlState);
        }
    }

    [LoggerMessage(1010, LogLevel.Warning, "Partition {Partition} was not made: {Reason}")]
    private partial void NotMade(string partition, string reason);
}
