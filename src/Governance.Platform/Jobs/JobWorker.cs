using System.Collections.Frozen;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Platform.Jobs;

/// <summary>
/// Runs durable jobs: claim, work, delete. A failed attempt waits 2^n seconds; the last one gives up visibly. An attempt that
/// ended because the process died is counted apart, against a limit of its own; one that a stop interrupted is not counted.
/// </summary>
internal sealed partial class JobWorker(
    IWriter writer,
    IDbContextFactory<GovernanceDb> databases,
    IEnumerable<IJobHandler> handlers,
    JobOptions options,
    TimeProvider clock,
    ILogger<JobWorker> logger
) : BackgroundService
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);
    private readonly FrozenDictionary<string, IJobHandler> _handlers = handlers.ToFrozenDictionary(handler =>
        handler.Kind
    );

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ReclaimAsync(stoppingToken);
        await Task.WhenAll([
            .. Enumerable.Range(0, options.Workers).Select(_ => WorkAsync(outbound: false, stoppingToken)),
            .. Enumerable.Range(0, options.OutboundWorkers).Select(_ => WorkAsync(outbound: true, stoppingToken)),
        ]);
    }

    // One gateway owns a SQLite database: whatever is marked running at its start belongs to a process that died. Elsewhere
    // claims run out.
    private Task ReclaimAsync(CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (session.Db.IsShared())
                {
                    return default(Unit);
                }

                foreach (
                    var job in await session
                        .Db.Set<JobRow>()
                        .Where(job => job.State == JobState.Running)
                        .ToListAsync(token)
                )
                {
                    job.State = JobState.Waiting;
                    job.Crashes++;
                    job.DueAt = session.Now + AfterCrash(job.Crashes);
                    JobDied(logger, job.Kind, job.Id, job.Crashes);
                }

                return default(Unit);
            },
            cancellationToken
        );

    // At once the first time, for most deaths are not the job's doing; then ever later, so that a job that takes the process
    // down leaves it time to serve, and those that merely ran beside it go first.
    internal static TimeSpan AfterCrash(int crashes) =>
        TimeSpan.FromSeconds(Math.Min(Math.Pow(2, crashes) - 2, LongestWait.TotalSeconds));

    private async Task WorkAsync(bool outbound, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var job = await ClaimAsync(outbound, cancellationToken);
                if (job is null)
                {
                    await JobSignal.WaitAsync(outbound, Poll, cancellationToken);
                }

                while (job is not null)
                {
                    job = await RunAsync(job, outbound, cancellationToken);
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                WorkerFailed(logger, exception.GetType().Name);
                await Task.Delay(Poll, clock, cancellationToken);
            }
        }
    }

    // One job of a kind and key runs at a time: one made while it runs starts after it, so an older result is never the last word.
    // Of those that ran when the process died one runs at a time too: the one that killed it must not take another along again.
    private static readonly CompiledQuery<
        Func<GovernanceDb, bool, DateTimeOffset, CancellationToken, Task<JobRow?>>
    > NextOf = new(() =>
        EF.CompileAsyncQuery(
            (GovernanceDb db, bool outbound, DateTimeOffset now, CancellationToken _) =>
                db.Set<JobRow>()
                    .Where(job =>
                        job.State == JobState.Waiting
                        && job.Outbound == outbound
                        && job.DueAt <= now
                        && !db.Set<JobRow>()
                            .Any(other =>
                                other.State == JobState.Running
                                && (
                                    (other.Kind == job.Kind && other.Key == job.Key)
                                    || (other.Crashes > 0 && job.Crashes > 0)
                                )
                            )
                    )
                    .OrderBy(job => job.DueAt)
                    .ThenBy(job => job.Id)
                    .FirstOrDefault()
        )
    );

    private async Task<JobRow?> ClaimAsync(bool outbound, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            if (db.IsShared())
            {
                foreach (var died in await JobClaims.ReclaimAsync(db, now, cancellationToken))
                {
                    JobDied(logger, died.Kind, died.Id, died.Crashes);
                }

                return await JobClaims.TakeAsync(db, outbound, now, cancellationToken);
            }

            // A look without the write lock: an idle gateway does not write.
            if (await NextOf.For(db)(db, outbound, now, cancellationToken) is null)
            {
                return null;
            }
        }

        var claimed = await writer.WriteAsync<JobRow?>(
            (session, token) => ClaimAsync(session, outbound, token),
            cancellationToken
        );
        return claimed.Value;
    }

    // Where one gateway owns the database.
    private static async Task<Result<JobRow?>> ClaimAsync(
        WriteSession session,
        bool outbound,
        CancellationToken cancellationToken
    )
    {
        var job = await NextOf.For(session.Db)(session.Db, outbound, session.Now, cancellationToken);
        if (job is not null)
        {
            job.State = JobState.Running;
        }

        return job;
    }

    // Gives back the job that was claimed in the unit that ended this one, if one was.
    private async Task<JobRow?> RunAsync(JobRow job, bool outbound, CancellationToken cancellationToken)
    {
        try
        {
            if (WhySpent(job) is null && await AttemptAsync(job, cancellationToken))
            {
                var next = await EndAsync(job, outbound, cancellationToken);
                JobEnded(logger, job.Kind, job.Id);
                return next;
            }

            var spent = WhySpent(job);
            if (spent is not null && _handlers.TryGetValue(job.Kind, out var handler))
            {
                await handler.GiveUpAsync(job.Payload, spent, cancellationToken);
            }

            var state = spent is null ? JobState.Waiting : JobState.Dead;
            await PutBackAsync(job, state, TimeSpan.FromSeconds(Math.Pow(2, job.Attempts - 1)));
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            await PutBackAsync(job, JobState.Waiting, TimeSpan.Zero);
        }
        catch (JobPostponedException postponed)
        {
            await PutBackAsync(job, JobState.Waiting, postponed.Wait);
        }
        catch (Exception exception)
        {
            NotSettled(logger, job.Kind, job.Id, exception.GetType().Name);
            await PutBackAsync(job, JobState.Waiting, LongestWait);
        }

        return null;
    }

    // Null while the job may still be tried.
    private string? WhySpent(JobRow job) =>
        job.Attempts >= options.MaxAttempts ? $"it failed {job.Attempts} times"
        : job.Crashes >= options.MaxCrashes ? $"the gateway died {job.Crashes} times while it ran"
        : null;

    // False: it failed, and the job counts one more.
    private async Task<bool> AttemptAsync(JobRow job, CancellationToken cancellationToken)
    {
        try
        {
            if (!_handlers.TryGetValue(job.Kind, out var handler))
            {
                throw new InvalidOperationException($"No handler for job kind {job.Kind}.");
            }

            JobBegins(logger, job.Kind, job.Id);
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(TimeSpan.FromSeconds(options.TimeoutSeconds));
            await HoldAsync(job, token => handler.RunAsync(job.Payload, token), limited.Token);
            return true;
        }
        catch (Exception exception)
            when (exception is not JobPostponedException && !cancellationToken.IsCancellationRequested)
        {
            job.Attempts++;
            job.LastError = exception.GetType().Name;
            JobFailed(logger, job.Kind, job.Id, job.Attempts, job.LastError, exception.StackTrace ?? "");
            return false;
        }
    }

    private async Task HoldAsync(JobRow job, Func<CancellationToken, Task> work, CancellationToken cancellationToken)
    {
        bool shared;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            shared = db.IsShared();
        }

        await (shared ? JobClaims.HoldAsync(job, work, databases, clock, cancellationToken) : work(cancellationToken));
    }

    // Also while the gateway stops: a job that stays marked as running would look like one that died. A claim that ran out has
    // counted as a death, and the job is no longer this worker's to end.
    private async Task<JobRow?> EndAsync(JobRow job, bool outbound, CancellationToken cancellationToken)
    {
        var ended = await writer.WriteAsync<JobRow?>(
            async (session, token) =>
            {
                await session.Db.ExecuteAsync(
                    """DELETE FROM platform_job WHERE "Id" = @0 AND "State" = 1 AND "Crashes" = @1""",
                    [job.Id, job.Crashes],
                    token
                );
                return session.Db.IsShared() || cancellationToken.IsCancellationRequested
                    ? (JobRow?)null
                    : await ClaimAsync(session, outbound, token);
            },
            CancellationToken.None
        );
        return ended.Value;
    }

    private Task PutBackAsync(JobRow job, JobState state, TimeSpan wait) =>
        ChangeAsync(
            job,
            (row, session) =>
            {
                row.State = state;
                row.Attempts = job.Attempts;
                row.LastError = job.LastError;
                row.DueAt = session.Now + wait;
            }
        );

    // Also while the gateway stops, as above.
    private Task ChangeAsync(JobRow job, Action<JobRow, WriteSession> change) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (
                    await session.Db.Set<JobRow>().FindAsync([job.Id], token) is { State: JobState.Running } row
                    && row.Crashes == job.Crashes
                )
                {
                    change(row, session);
                }

                return default(Unit);
            },
            CancellationToken.None
        );

    [LoggerMessage(1000, LogLevel.Error, "A job worker failed outside a job: {ExceptionType}")]
    private static partial void WorkerFailed(ILogger logger, string exceptionType);

    [LoggerMessage(
        1001,
        LogLevel.Warning,
        "Job {Kind} {JobId} failed on attempt {Attempt}: {ExceptionType} {StackTrace}"
    )]
    private static partial void JobFailed(
        ILogger logger,
        string kind,
        Guid jobId,
        int attempt,
        string exceptionType,
        string stackTrace
    );

    [LoggerMessage(1002, LogLevel.Debug, "Job {Kind} {JobId} begins")]
    private static partial void JobBegins(ILogger logger, string kind, Guid jobId);

    [LoggerMessage(1003, LogLevel.Debug, "Job {Kind} {JobId} ended")]
    private static partial void JobEnded(ILogger logger, string kind, Guid jobId);

    [LoggerMessage(1004, LogLevel.Warning, "Job {Kind} {JobId} ran when the gateway died, for the {Crashes}. time")]
    private static partial void JobDied(ILogger logger, string kind, Guid jobId, int crashes);

    [LoggerMessage(1005, LogLevel.Error, "Job {Kind} {JobId} could not be settled and waits a minute: {ExceptionType}")]
    private static partial void NotSettled(ILogger logger, string kind, Guid jobId, string exceptionType);
}
