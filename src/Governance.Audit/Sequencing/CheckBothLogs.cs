using Governance.Audit.Signatures;
using Governance.Kernel;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Audit.Sequencing;

/// <summary>Checks audit log and signature log, and says what was found. What does not hold stops every change.</summary>
internal sealed partial class CheckBothLogs(
    CheckLog check,
    CheckSignatureLog checkSignatures,
    LogState state,
    ILogger<CheckBothLogs> logger
)
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var log = await check.RunAsync(cancellationToken);
        if (!log.Ok)
        {
            Break(log.Failure);
            return;
        }

        // After it: how many signatures there must be is what the audit log says.
        var signatures = await checkSignatures.RunAsync(cancellationToken);
        if (!signatures.Ok)
        {
            Break(signatures.Failure);
            return;
        }

        LogChecked(log.Value.Leaves, log.Value.Erased, signatures.Value);
        if (log.Value.ClockBack is { } found)
        {
            LogClockBack(found);
        }
    }

    public void Break(Failure failure)
    {
        state.Break(failure);
        LogBroken(failure.Code, failure.Message, string.Join(' ', failure.Reasons));
    }

    [LoggerMessage(
        1000,
        LogLevel.Information,
        "Audit log checked: {Leaves} leaves hold, {Erased} of them with erased salts, and {Signatures} entries of the signature log"
    )]
    private partial void LogChecked(long leaves, long erased, long signatures);

    [LoggerMessage(
        1001,
        LogLevel.Critical,
        "AUDIT LOG BROKEN ({Code}): {Reason} {Evidence} No change is accepted any more"
    )]
    private partial void LogBroken(string code, string reason, string evidence);

    [LoggerMessage(1003, LogLevel.Warning, "Audit log: a clock went back (audit.clock_back). {Evidence}")]
    private partial void LogClockBack(string evidence);
}

/// <summary>Checks the whole log again while the gateway runs: what the sequencer does not touch is not left to the next start.</summary>
internal sealed partial class CheckAgain(
    CheckBothLogs check,
    LogState state,
    AuditOptions options,
    TimeProvider clock,
    ILogger<CheckAgain> logger
) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.CheckMinutes == 0)
        {
            return;
        }

        try
        {
            while (state.Broken is null)
            {
                await Task.Delay(TimeSpan.FromMinutes(options.CheckMinutes), clock, stoppingToken);
                try
                {
                    await check.RunAsync(stoppingToken);
                }
                catch (Exception exception) when (exception is not OperationCanceledException)
                {
                    // An absent database says nothing about the log; the next turn looks again.
                    LogNotChecked(exception.GetType().Name);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The next start checks.
        }
    }

    [LoggerMessage(1004, LogLevel.Error, "The audit log could not be checked again: {ErrorType}")]
    private partial void LogNotChecked(string errorType);
}
