using Governance.Identity.Server;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Identity.Startup;

/// <summary>Looks every three seconds whether the issuer's keys are to be replaced, or were replaced or revoked by another gateway.</summary>
internal sealed partial class KeyKeeper(ServerKeys keys, TimeProvider clock, ILogger<KeyKeeper> logger)
    : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(3);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Pause, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await keys.KeepAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                LogFailed(exception.GetType().Name);
            }
        }
    }

    [LoggerMessage(
        3003,
        LogLevel.Warning,
        "The issuer's keys could not be read or replaced ({Error}); the next try follows"
    )]
    private partial void LogFailed(string error);
}
