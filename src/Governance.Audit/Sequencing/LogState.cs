namespace Governance.Audit.Sequencing;

/// <summary>Whether the log can be trusted, and the signal that new entries may wait. Thread-safe.</summary>
internal sealed class LogState : IDisposable
{
    private readonly SemaphoreSlim _signal = new(0, 1);
    private volatile string? _broken;

    /// <summary>Code of what is wrong; null while the log is whole.</summary>
    public string? Broken => _broken;

    /// <summary>From now on every append fails, and with it every change: a log that lies is worse than a gateway that stops.</summary>
    public void Break(string code) => _broken ??= code;

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
