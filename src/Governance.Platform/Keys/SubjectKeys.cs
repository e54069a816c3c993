using System.Collections.Concurrent;
using Governance.Kernel;

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
    private (long Timestamp, DateTimeOffset At)? _looked;

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

    /// <summary>Every erasure that the store knows. Throws <see cref="SubjectKeyException"/>, code <c>keys.erasure_forged</c>.</summary>
    public async Task<IReadOnlyList<SubjectErasure>> ErasuresAsync(CancellationToken cancellationToken)
    {
        var found = await store.ErasuresAsync(null, cancellationToken);
        ThrowIfForged(found);
        return [.. found.Select(erasure => erasure.Value)];
    }

    /// <summary>
    /// Forgets keys that another gateway destroyed. Throws <see cref="SubjectKeyException"/>, code <c>keys.erasure_forged</c>, after all
    /// others are forgotten, until the forged one is gone.
    /// </summary>
    public async Task RefreshAsync(CancellationToken cancellationToken)
    {
        var now = (clock.GetTimestamp(), clock.GetUtcNow());
        var found = await store.ErasuresAsync(
            _looked is { } last ? Since(last, now) + Overlap : null,
            cancellationToken
        );
        foreach (var erasure in found.Where(erasure => erasure.Ok))
        {
            Forget(erasure.Value);
        }

        ThrowIfForged(found);
        _looked = now;
    }

    /// <inheritdoc />
    public void Dispose() => _asking.Dispose();

    // One clock stands still while the machine sleeps, the other one may be set back.
    private TimeSpan Since((long Timestamp, DateTimeOffset At) last, (long Timestamp, DateTimeOffset At) now)
    {
        var awake = clock.GetElapsedTime(last.Timestamp, now.Timestamp);
        var wall = now.At - last.At;
        return wall > awake ? wall : awake;
    }

    private static void ThrowIfForged(IReadOnlyList<Result<SubjectErasure>> found)
    {
        if (found.FirstOrDefault(erasure => !erasure.Ok).Failure is { } forged)
        {
            throw new SubjectKeyException(forged);
        }
    }

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
