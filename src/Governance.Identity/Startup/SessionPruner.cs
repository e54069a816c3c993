using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Identity.Startup;

/// <summary>Deletes once an hour what counts no more: old sessions, counted attempts, answered challenges, one-time codes.</summary>
internal sealed partial class SessionPruner(IWriter writer, TimeProvider clock, ILogger<SessionPruner> logger)
    : BackgroundService
{
    // A token is refused when its session is not there: rows stay for as long as the oldest refresh token may live.
    private static readonly TimeSpan SessionsStay = TimeSpan.FromDays(8);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await PruneAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                LogFailed(exception.GetType().Name);
            }
        }
    }

    /// <summary>One round.</summary>
    internal Task PruneAsync(CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var (db, now) = (session.Db, session.Now);
                var old = now - SessionsStay;
                await db.Set<SessionRow>().Where(row => row.ExpiresAt < old).ExecuteDeleteAsync(token);
                await db.Set<AttemptRow>().Where(row => row.ResetsAt < now).ExecuteDeleteAsync(token);
                await db.Set<AnsweredRow>().Where(row => row.ExpiresAt < now).ExecuteDeleteAsync(token);
                await db.Set<EnrolmentRow>().Where(row => row.ExpiresAt < now).ExecuteDeleteAsync(token);
                return default(Unit);
            },
            cancellationToken
        );

    [LoggerMessage(3003, LogLevel.Warning, "Old sessions could not be deleted ({Error}); the next try is in an hour")]
    private partial void LogFailed(string error);
}
