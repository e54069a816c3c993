using System.Diagnostics.Metrics;
using Governance.Audit.Contracts;
using Governance.Audit.Sequencing;
using Governance.Audit.Storage;
using Governance.Platform.Outbound;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Audit.Witnessing;

/// <summary>
/// Sends the newest checkpoint to every witness, in rounds at most once a second, so that all of them cosign the same one.
/// A witness that does not answer is asked less and less often, and keeps neither the others nor any change waiting.
/// </summary>
internal sealed partial class WitnessRounds : BackgroundService
{
    private static readonly TimeSpan Round = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);
    private readonly AskWitness _ask;
    private readonly LogState _state;
    private readonly TimeProvider _clock;
    private readonly ILogger<WitnessRounds> _logger;
    private readonly List<Member> _members;
    private readonly Meter _meter = new("Governance.Audit");

    public WitnessRounds(
        AuditOptions options,
        IHostAddresses hosts,
        AskWitness ask,
        LogState state,
        TimeProvider clock,
        ILogger<WitnessRounds> logger
    )
    {
        (_ask, _state, _clock, _logger) = (ask, state, clock, logger);
        var timeout = TimeSpan.FromSeconds(options.WitnessTimeoutSeconds);
        _members = [.. options.Witnesses.Select(witness => new Member(new WitnessClient(witness, timeout, hosts)))];
        _meter.CreateObservableGauge(
            "governance.audit.witness.up",
            () => _members.Select(member => new Measurement<int>(member.Failures == 0 ? 1 : 0, member.Tag)),
            description: "Whether the witness answered as it should when it was asked last."
        );
        _meter.CreateObservableGauge(
            "governance.audit.witness.size",
            () => _members.Select(member => new Measurement<long>(member.Size, member.Tag)),
            description: "Tree size of the last checkpoint that the witness cosigned for this gateway."
        );
    }

    public override void Dispose()
    {
        base.Dispose();
        _members.ForEach(member => member.Client.Dispose());
        _meter.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_members.Count == 0)
        {
            return;
        }

        try
        {
            while (true)
            {
                var signed = _state.Signed;
                var waiting = await RunRoundAsync(stoppingToken);
                await Task.Delay(Round, _clock, stoppingToken);
                if (!waiting)
                {
                    await signed.WaitAsync(stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // What was not cosigned is at the next start.
        }
    }

    /// <summary>Asks whoever is free; returns whether somebody has still to cosign.</summary>
    private async Task<bool> RunRoundAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_state.Broken is not null || await _ask.NewestAsync(cancellationToken) is not { } newest)
            {
                return false;
            }

            var now = _clock.GetUtcNow();
            foreach (var member in _members.Where(member => member.IsFree(newest.Size, now)))
            {
                member.Running = AskAsync(member, newest, cancellationToken);
            }

            await Task.WhenAny(
                Task.WhenAll(_members.Select(member => member.Running)),
                Task.Delay(Round, _clock, cancellationToken)
            );
            return _members.Exists(member => member.Size < newest.Size);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            LogUnavailable(exception.GetType().Name);
            return true;
        }
    }

    private async Task AskAsync(Member member, CheckpointRow newest, CancellationToken cancellationToken)
    {
        var (asked, why) = (Asked.Unanswered, "answer");
        try
        {
            asked = await _ask.RunAsync(member.Client, newest, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return;
        }
        catch (Exception exception)
        {
            // Network, database: the next round tries again.
            why = exception.GetType().Name;
        }

        if (asked == Asked.Cosigned)
        {
            if (member.Failures > 0)
            {
                LogBack(member.Name, member.Failures);
            }

            (member.Failures, member.Size) = (0, Math.Max(member.Size, newest.Size));
            return;
        }

        member.Failures++;
        member.Next = _clock.GetUtcNow() + WaitAfter(member.Failures);
        if (asked == Asked.Contradicted)
        {
            LogContradicted(member.Name, _state.Broken!, string.Join(' ', _state.Evidence));
        }
        else if (member.Failures is 1 or 5 || member.Failures % 60 == 0)
        {
            LogDown(member.Name, asked == Asked.SetBack ? "set back" : why, member.Failures);
        }
    }

    private static TimeSpan WaitAfter(int failures) =>
        TimeSpan.FromSeconds(Math.Min(Math.Pow(2, failures - 1), LongestWait.TotalSeconds));

    [LoggerMessage(1010, LogLevel.Warning, "Witness {Witness} did not cosign ({Reason}), {Failures} times in a row")]
    private partial void LogDown(string witness, string reason, int failures);

    [LoggerMessage(1011, LogLevel.Information, "Witness {Witness} cosigns again, after {Failures} failures")]
    private partial void LogBack(string witness, int failures);

    [LoggerMessage(
        1012,
        LogLevel.Critical,
        "AUDIT LOG CONTRADICTED BY WITNESS {Witness} ({Code}): {Evidence} No change is accepted any more"
    )]
    private partial void LogContradicted(string witness, string code, string evidence);

    [LoggerMessage(1013, LogLevel.Error, "Witnesses were not asked: {ErrorType}")]
    private partial void LogUnavailable(string errorType);

    /// <summary>A witness and how it does.</summary>
    private sealed class Member(WitnessClient client)
    {
        public WitnessClient Client => client;

        public string Name => client.Key.Name;

        public KeyValuePair<string, object?> Tag => new("witness", client.Key.Name);

        public Task Running { get; set; } = Task.CompletedTask;

        public long Size { get; set; }

        public int Failures { get; set; }

        public DateTimeOffset Next { get; set; }

        public bool IsFree(long size, DateTimeOffset now) => Running.IsCompleted && Size < size && Next <= now;
    }
}
