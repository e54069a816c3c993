using System.Collections.Concurrent;

namespace Governance.Identity.Access;

/// <summary>
/// Remembers answers for a few seconds, bounded. A value loaded before <see cref="Clear"/> is never stored after it, so a
/// change of rights can't be undone by a slow reader.
/// </summary>
internal sealed class ExpiringCache<TKey, TValue>(TimeProvider clock, TimeSpan life, int capacity)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, (TValue Value, long Until, long Generation)> _entries = new();
    private long _generation;

    /// <summary>Read it before loading, hand it to <see cref="Set"/>.</summary>
    public long Generation => Volatile.Read(ref _generation);

    public bool TryGet(TKey key, out TValue value)
    {
        var found =
            _entries.TryGetValue(key, out var entry)
            && entry.Generation == Generation
            && clock.GetTimestamp() < entry.Until;
        value = found ? entry.Value : default!;
        return found;
    }

    public void Set(TKey key, TValue value, long generation, TimeSpan atMost)
    {
        if (_entries.Count >= capacity)
        {
            _entries.Clear();
        }

        var span = atMost < life ? atMost : life;
        var until = clock.GetTimestamp() + (long)(span.TotalSeconds * clock.TimestampFrequency);
        _entries[key] = (value, until, generation);
    }

    public void Clear()
    {
        Interlocked.Increment(ref _generation);
        _entries.Clear();
    }
}
