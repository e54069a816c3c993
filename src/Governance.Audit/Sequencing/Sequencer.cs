using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Audit.Sequencing;

/// <summary>
/// Checks the log at start, then sequences for as long as the gateway runs. A log that fails its check is not repaired and
/// not continued: start-up fails, or every further change does.
/// </summary>
internal sealed partial class Sequencer(
    CheckBothLogs check,
    SequenceEntries sequence,
    LogState state,
    AuditOptions options,
    ILogger<Sequencer> logger
) : BackgroundService
{
    // Entries of one checkpoint from which on more arrive at a time than a lone change writes.
    private const int Many = 8;
    private const int LongerUnderLoad = 5;

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await check.RunAsync(cancellationToken);
        state.ThrowIfBroken();
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var poll = TimeSpan.FromMilliseconds(options.PollMilliseconds);
        var pause = TimeSpan.FromMilliseconds(options.PauseMilliseconds);
        try
        {
            while (state.Broken is null)
            {
                await state.WaitAsync(poll, stoppingToken);
                var entries = await SequenceAllAsync(stoppingToken);
                await Task.Delay(entries < Many ? pause : LongerUnderLoad * pause, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Entries that still wait are sequenced at the next start.
        }
    }

    /// <summary>Sequences what waits; returns how many entries that were.</summary>
    private async Task<int> SequenceAllAsync(CancellationToken stoppingToken)
    {
        var entries = 0;
        try
        {
            var result = await sequence.RunAsync(stoppingToken);
            while (result is { Ok: true, Value: SequenceEntries.BatchSize })
            {
                entries += result.Value;
                result = await sequence.RunAsync(stoppingToken);
            }

            entries += result.Ok ? result.Value : 0;
            if (entries > 0)
            {
                state.HasSigned();
            }

            if (!result.Ok)
            {
                check.Break(result.Failure);
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // A busy or absent database: nothing was signed, the entries wait, the next look tries again.
            LogRetry(exception.GetType().Name);
        }

        return entries;
    }

    [LoggerMessage(1002, LogLevel.Error, "Sequencing failed with {ErrorType}; it will be tried again")]
    private partial void LogRetry(string errorType);
}
