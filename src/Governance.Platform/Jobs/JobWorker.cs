using System.Collections.Frozen;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Platform.Jobs;

/// <summary>Runs durable jobs: claim, work, delete; a failed attempt waits 2^n seconds; the last one gives up visibly.</summary>
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
    private readonly FrozenDictionary<string, IJobHandler> _handlers = handlers.ToFrozenDictionary(handler =>
        handler.Kind
    );

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await ReclaimAsync(stoppingToken);
        await Task.WhenAll(Enumerable.Range(0, options.Workers).Select(_ => WorkAsync(stoppingToken)));
    }

    // One gateway owns a SQLite database: whatever is marked running at its start belongs to a dead process. Elsewhere claims
    // run out.
    private Task ReclaimAsync(CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (session.Db.IsShared())
                {
                    return default(Unit);
                }

                await session
                    .Db.Set<JobRow>()
                    .Where(job => job.State == JobState.Running)
                    .ExecuteUpdateAsync(set => set.SetProperty(job => job.State, JobState.Waiting), token);
                return default(Unit);
            },
            cancellationToken
        );

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                if (await ClaimAsync(cancellationToken) is { } job)
                {
                    await RunAsync(job, cancellationToken);
                }
                else
                {
                    await JobSignal.WaitAsync(Poll, cancellationToken);
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
    private static IQueryable<JobRow> Claimable(GovernanceDb db, DateTimeOffset now) =>
        db.Set<JobRow>()
            .Where(job =>
                job.State == JobState.Waiting
                && job.DueAt <= now
                && !db.Set<JobRow>()
                    .Any(other => other.Kind == job.Kind && other.Key == job.Key && other.State == JobState.Running)
            );

    private async Task<JobRow?> ClaimAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            if (db.IsShared())
            {
                return await JobClaims.TakeAsync(db, now, cancellationToken);
            }

            // A look without the write lock: an idle gateway does not write.
            if (!await Claimable(db, now).AnyAsync(cancellationToken))
            {
                return null;
            }
        }

        var claimed = await writer.WriteAsync<JobRow?>(
            async (session, token) =>
            {
                var job = await Claimable(session.Db, session.Now)
                    .OrderBy(row => row.DueAt)
                    .ThenBy(row => row.Id)
                    .FirstOrDefaultAsync(token);
                if (job is not null)
                {
                    job.State = JobState.Running;
                    job.Attempts++;
                }

                return job;
            },
            cancellationToken
        );
        return claimed.Value;
    }

    private async Task RunAsync(JobRow job, CancellationToken cancellationToken)
    {
        try
        {
            if (!_handlers.TryGetValue(job.Kind, out var handler))
            {
                throw new InvalidOperationException($"No handler for job kind {job.Kind}.");
            }

            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(TimeSpan.FromSeconds(options.TimeoutSeconds));
            await HoldAsync(job, token => handler.RunAsync(job.Payload, token), limited.Token);
            await ChangeAsync(job, (row, session) => session.Db.Remove(row), cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception exception)
        {
            JobFailed(logger, job.Kind, job.Id, job.Attempts, exception.GetType().Name, exception.StackTrace ?? "");
            await RetryAsync(job, exception, cancellationToken);
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

    private async Task RetryAsync(JobRow job, Exception exception, CancellationToken cancellationToken)
    {
        var last = job.Attempts >= options.MaxAttempts;
        if (last && _handlers.TryGetValue(job.Kind, out var handler))
        {
            await handler.GiveUpAsync(job.Payload, cancellationToken);
        }

        await ChangeAsync(
            job,
            (row, session) =>
            {
                row.State = last ? JobState.Dead : JobState.Waiting;
                row.DueAt = session.Now + TimeSpan.FromSeconds(Math.Pow(2, row.Attempts - 1));
                row.LastError = exception.GetType().Name;
            },
            cancellationToken
        );
    }

    private Task ChangeAsync(JobRow job, Action<JobRow, WriteSession> change, CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                // A claim that ran out and was taken by another worker is no longer this one's to end.
                if (
                    await session.Db.Set<JobRow>().FindAsync([job.Id], token) is { } row
                    && row.State == JobState.Running
                    && row.Attempts == job.Attempts
                )
                {
                    change(row, session);
                }

                return default(Unit);
            },
            cancellationToken
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
}
