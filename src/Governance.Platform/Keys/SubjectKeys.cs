using System.Collections.Concurrent;

namespace Governance.Platform.Keys;

/// <summary>
/// The keys of subjects as this process knows them: each is asked for once and kept, so that sealing for somebody known takes
/// neither file nor network. Erasures of other gateways arrive by <see cref="RefreshAsync"/>. Thread-safe.
/// </summary>
public sealed class SubjectKeys(ISubjectKeyStore store, TimeProvider clock) : IDisposable
{
    // Somebody may have been writing while this one looked; hearing of an erasure twice does no harm.
    private static readonly TimeSpan Overlap = TimeSpan.FromMinutes(10);
    private readonly ConcurrentDictionary<string, SubjectCipher> _known = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _asking = new(1, 1);
    private long? _looked;

    /// <summary>The key of a subject, or that it is erased; null when it never had one.</summary>
    public ValueTask<SubjectCipher?> FindAsync(string subject, CancellationToken cancellationToken) =>
        _known.TryGetValue(subject, out var known)
            ? ValueTask.FromResult<SubjectCipher?>(known)
            : AskAsync(subject, create: false, cancellationToken);

    /// <summary>The key of a subject, made and durable when there was none, or that it is erased.</summary>
    public async ValueTask<SubjectCipher> GetOrCreateAsync(string subject, CancellationToken cancellationToken) =>
        _known.TryGetValue(subject, out var known)
            ? known
            : (await AskAsync(subject, create: true, cancellationToken))!;

    /// <summary>Destroys the key of a subject, in the store first.</summary>
    public async Task DestroyAsync(SubjectErasure erasure, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(erasure);
        await _asking.WaitAsync(cancellationToken);
        try
        {
            await store.DestroyAsync(erasure, cancellationToken);
            Forget(erasure);
        }
        finally
        {
            _asking.Release();
        }
    }

    /// <summary>Every erasure that the store knows.</summary>
    public Task<IReadOnlyList<SubjectErasure>> ErasuresAsync(CancellationToken cancellationToken) =>
        store.ErasuresAsync(null, cancellationToken);

    /// <summary>Forgets keys that another gateway destroyed.</summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetTimestamp();
        TimeSpan? within = _looked is { } last ? clock.GetElapsedTime(last, now) + Overlap : null;
        foreach (var erasure in await store.ErasuresAsync(within, cancellationToken))
        {
            Forget(erasure);
        }

        _looked = now;
    }

    /// <inheritdoc />
    public void Dispose() => _asking.Dispose();

    private void Forget(SubjectErasure erasure)
    {
        if (_known.TryGetValue(erasure.Subject, out var known))
        {
            known.Destroy(erasure);
        }
    }

    // One at a time: somebody who asked before a key was destroyed must not put it back after.
    private async ValueTask<SubjectCipher?> AskAsync(string subject, bool create, CancellationToken cancellationToken)
    {
        await _asking.WaitAsync(cancellationToken);
        try
        {
            if (_known.TryGetValue(subject, out var known))
            {
                return known;
            }

            var stored = create
                ? await store.CreateAsync(subject, cancellationToken)
                : await store.FindAsync(subject, cancellationToken);
            return stored is null ? null : _known[subject] = new SubjectCipher(subject, stored);
        }
        finally
        {
            _asking.Release();
        }
    }
}
