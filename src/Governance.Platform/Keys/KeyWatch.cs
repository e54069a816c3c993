using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Platform.Keys;

/// <summary>Looks for keys that another gateway replaced or revoked.</summary>
internal sealed partial class KeyWatch(KeyRing ring, TimeProvider clock, ILogger<KeyWatch> logger) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, clock);
        while (await WaitAsync(timer, stoppingToken))
        {
            try
            {
                await ring.RefreshAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                NotRead(logger, exception.GetType().Name);
            }
        }
    }

    private static async Task<bool> WaitAsync(PeriodicTimer timer, CancellationToken stoppingToken)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stoppingToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    [LoggerMessage(1030, LogLevel.Warning, "The state of the keys cannot be read: {ExceptionType}")]
    private static partial void NotRead(ILogger logger, string exceptionType);
}
