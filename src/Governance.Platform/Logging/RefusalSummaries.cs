using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Platform.Logging;

/// <summary>Commits the summaries of <see cref="RefusalFold"/> once a minute and when the gateway stops.</summary>
internal sealed partial class RefusalSummaries(
    RefusalFold fold,
    IWriter writer,
    TimeProvider clock,
    ILogger<RefusalSummaries> logger
) : BackgroundService
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await CommitAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Window, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await CommitAsync(stoppingToken);
            }
            catch (Exception problem) when (problem is not OperationCanceledException)
            {
                Lost(logger, problem.GetType().Name);
            }
        }
    }

    private async Task CommitAsync(CancellationToken cancellationToken)
    {
        foreach (var batch in fold.Close().Chunk(100))
        {
            var committed = await writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    foreach (var summary in batch)
                    {
                        await session.LogAsync(summary, token);
                    }

                    return default(Unit);
                },
                cancellationToken
            );
            _ = committed.Value;
        }
    }

    [LoggerMessage(1040, LogLevel.Error, "Counts of refusals could not be committed: {Problem}")]
    private static partial void Lost(ILogger logger, string problem);
}
