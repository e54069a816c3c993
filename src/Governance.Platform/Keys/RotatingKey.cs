using System.Collections.Concurrent;

namespace Governance.Platform.Keys;

/// <summary>Keys of one task, each read from its file once. Thread-safe.</summary>
/// <typeparam name="T">The key with what belongs to it.</typeparam>
public sealed class RotatingKey<T> : IDisposable
    where T : class, IDisposable
{
    private readonly string _name;
    private readonly KeyRing _ring;
    private readonly TimeProvider _clock;
    private readonly Func<string, T> _load;
    private readonly ConcurrentDictionary<string, Lazy<T>> _loaded = new(StringComparer.Ordinal);

    /// <summary>Reads, or makes, the first key at once.</summary>
    /// <param name="name">The task.</param>
    /// <param name="ring">Which keys there are.</param>
    /// <param name="clock">The time at which a key may sign.</param>
    /// <param name="load">Reads a key from the file of this name; makes the first.</param>
    public RotatingKey(string name, KeyRing ring, TimeProvider clock, Func<string, T> load)
    {
        (_name, _ring, _clock, _load) = (name, ring, clock, load);
        _ = Get(name);
    }

    /// <summary>The key that signs now.</summary>
    public T Current => Get(_ring.CurrentOf(_name, _clock.GetUtcNow()).File);

    /// <summary>All that there were, the oldest first.</summary>
    public IReadOnlyList<(KeyGeneration Generation, T Key)> All =>
        [.. _ring.Of(_name).Select(generation => (generation, Get(generation.File)))];

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var key in _loaded.Values.Where(key => key.IsValueCreated))
        {
            key.Value.Dispose();
        }
    }

    private T Get(string file) => _loaded.GetOrAdd(file, name => new Lazy<T>(() => _load(name))).Value;
}
