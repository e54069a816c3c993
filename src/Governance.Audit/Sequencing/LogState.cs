using Governance.Kernel;

namespace Governance.Audit.Sequencing;

/// <summary>Whether the log can be trusted, and the signal that new entries may wait. Thread-safe.</summary>
internal sealed class LogState : IDisposable
{
    private readonly SemaphoreSlim _signal = new(0, 1);
    private volatile string? _broken;
    private volatile TaskCompletionSource _signed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Code of what is wrong; null while the log is whole.</summary>
    public string? Broken => _broken;

    /// <summary>What shows it, for the operator; empty while the log is whole.</summary>
    public IReadOnlyList<string> Evidence { get; private set; } = [];

    /// <summary>From now on every append fails, and with it every change: a log that lies is worse than a gateway that stops.</summary>
    public void Break(Failure failure)
    {
        lock (_signal)
        {
            if (_broken is null)
            {
                Evidence = failure.Reasons;
                _broken = failure.Code;
            }
        }
    }

    /// <summary>Ends when this gateway signs its next checkpoint. Take it before you look for the newest one.</summary>
    public Task Signed => _signed.Task;

    public void HasSigned() =>
        Interlocked
            .Exchange(ref _signed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))
            .TrySetResult();

    public void ThrowIfBroken()
    {
        if (_broken is { } code)
        {
            throw new LogBrokenException(code);
        }
    }

    public void Wake()
    {
        lock (_signal)
        {
            if (_signal.CurrentCount == 0)
            {
                _signal.Release();
            }
        }
    }

    public Task<bool> WaitAsync(TimeSpan atMost, CancellationToken cancellationToken) =>
        _signal.WaitAsync(atMost, cancellationToken);

    public void Dispose() => _signal.Dispose();
}

/// <summary>The log was found altered; nothing is written until an operator has looked.</summary>
internal sealed class LogBrokenException(string code)
    : InvalidOperationException($"The audit log failed its own check ({code}); see docs for recovery.")
{
    public string Code { get; } = code;
}
