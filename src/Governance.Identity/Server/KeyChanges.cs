using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace Governance.Identity.Server;

/// <summary>Makes the library read its settings again when the issuer's keys changed.</summary>
internal sealed class KeyChanges<TOptions> : IOptionsChangeTokenSource<TOptions>, IDisposable
{
    private CancellationTokenSource _source = new();

    /// <summary>Starts to listen: <paramref name="subscribe"/> is called once, with what is to be run at every change.</summary>
    public KeyChanges(Action<Action> subscribe) => subscribe(Tell);

    public string Name => Options.DefaultName;

    public IChangeToken GetChangeToken() => new CancellationChangeToken(Volatile.Read(ref _source).Token);

    public void Dispose() => _source.Dispose();

    private void Tell()
    {
        using var old = Interlocked.Exchange(ref _source, new CancellationTokenSource());
        old.Cancel();
    }
}
