using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Governance.Platform.Jobs;

/// <summary>
/// Claiming of jobs where several gateways share one database: a claim is one statement that skips rows which others are
/// claiming, and holds for a lease that the worker keeps renewing. A lease that ran out counts as a death of the process.
/// </summary>
internal static class JobClaims
{
    /// <summary>How long a claim of a gateway that no longer says anything keeps others away.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan Renew = Lease / 4;

    /// <summary>Makes jobs wait again whose lease ran out; gives them back with the deaths counted.</summary>
    public static Task<List<JobRow>> ReclaimAsync(
        GovernanceDb db,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        var at = now.ToUnixTimeMilliseconds();
        var waits = Enumerable.Range(0, 8).Select(n => (long)JobWorker.AfterCrash(n).TotalMilliseconds).ToArray();
        return db.Set<JobRow>()
            .FromSql(
                $"""
                UPDATE platform_job SET "State" = 0, "Crashes" = "Crashes" + 1,
                "DueAt" = {at} + ({waits})[least("Crashes" + 2, cardinality({waits}))]
                WHERE "State" = 1 AND "DueAt" <= {at} RETURNING *
                """
            )
            .AsNoTracking()
            .ToListAsync(cancellationToken);
    }

    /// <summary>The next due job, now running, or null.</summary>
    public static async Task<JobRow?> TakeAsync(
        GovernanceDb db,
        bool outbound,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        var (from, until) = (now.ToUnixTimeMilliseconds(), (now + Lease).ToUnixTimeMilliseconds());
        try
        {
            var claimed = await db.Set<JobRow>()
                .FromSql(
                    $"""
                    WITH next AS MATERIALIZED (
                        SELECT job."Id" FROM platform_job AS job
                        WHERE job."State" = 0 AND job."Outbound" = {outbound} AND job."DueAt" <= {from} AND NOT EXISTS (
                            SELECT FROM platform_job AS other WHERE other."State" = 1
                            AND ((other."Kind" = job."Kind" AND other."Key" = job."Key")
                                OR (other."Crashes" > 0 AND job."Crashes" > 0)))
                        ORDER BY job."DueAt", job."Id" LIMIT 1 FOR UPDATE OF job SKIP LOCKED)
                    UPDATE platform_job AS job SET "State" = 1, "DueAt" = {until}
                    FROM next WHERE job."Id" = next."Id" RETURNING job.*
                    """
                )
                .AsNoTracking()
                .ToListAsync(cancellationToken);
            return claimed.SingleOrDefault();
        }
        catch (Exception exception)
            when ((exception as PostgresException ?? exception.InnerException)
                    is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation }
            )
        {
            // Another worker has just begun with the same kind and key: one of them runs at a time.
            return null;
        }
    }

    /// <summary>Runs work while its claim is renewed; work that lost its claim is cancelled.</summary>
    public static async Task HoldAsync(
        JobRow job,
        Func<CancellationToken, Task> work,
        IDbContextFactory<GovernanceDb> databases,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        using var held = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var renewing = RenewAsync(job, databases, clock, held.Token);
        var working = RunAsync(work, held.Token);
        await Task.WhenAny(working, renewing);
        await held.CancelAsync();
        await renewing;
        await working;
    }

    // A handler that throws before its first await must not get past the renewal.
    private static async Task RunAsync(Func<CancellationToken, Task> work, CancellationToken cancellationToken) =>
        await work(cancellationToken);

    // Ends when the claim is lost, or when it is no longer needed.
    private static async Task RenewAsync(
        JobRow job,
        IDbContextFactory<GovernanceDb> databases,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        try
        {
            while (true)
            {
                await Task.Delay(Renew, clock, cancellationToken);
                await using var db = await databases.CreateDbContextAsync(cancellationToken);
                var until = clock.GetUtcNow() + Lease;
                var renewed = await db.Set<JobRow>()
                    .Where(row => row.Id == job.Id && row.State == JobState.Running && row.Crashes == job.Crashes)
                    .ExecuteUpdateAsync(set => set.SetProperty(row => row.DueAt, until), cancellationToken);
                if (renewed == 0)
                {
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The work has ended.
        }
        catch (Exception exception)
            when (exception is DbUpdateException or NpgsqlException or InvalidOperationException)
        {
            // Nobody knows whether the claim still holds: somebody else may begin, so this one ends.
        }
    }
}
