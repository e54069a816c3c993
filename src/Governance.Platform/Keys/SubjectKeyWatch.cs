using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Platform.Keys;

/// <summary>Looks for subjects that another gateway erased, so that their keys leave this one's memory too.</summary>
internal sealed partial class SubjectKeyWatch(
    SubjectKeys keys,
    SubjectKeyOptions options,
    TimeProvider clock,
    ILogger<SubjectKeyWatch> logger
) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var period = TimeSpan.FromSeconds(options.WatchSeconds);
        try
        {
            while (true)
            {
                await Task.Delay(period, clock, stoppingToken);
                try
                {
                    await keys.RefreshAsync(stoppingToken);
                }
                catch (Exception exception) when (exception is not OperationCanceledException)
                {
                    NotRead(logger, SubjectKeyException.Name(exception));
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends, and its memory with it.
        }
    }

    [LoggerMessage(1031, LogLevel.Warning, "Not all erasures of subjects could be read: {Reason}")]
    private static partial void NotRead(ILogger logger, string reason);
}
