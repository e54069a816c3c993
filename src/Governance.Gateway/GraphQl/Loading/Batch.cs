using GraphQL.DataLoader;

namespace Governance.Gateway.GraphQl.Loading;

/// <summary>A value that is fetched when the executer has gathered everything else that its level of the query asks for.</summary>
internal sealed class Deferred<T>(Func<CancellationToken, Task<T>> get) : IDataLoaderResult<T>
{
    public Task<T> GetResultAsync(CancellationToken cancellationToken = default) => get(cancellationToken);

    async Task<object?> IDataLoaderResult.GetResultAsync(CancellationToken cancellationToken) =>
        await get(cancellationToken);

    public Deferred<TOther> Then<TOther>(Func<T, TOther> map) => new(async token => map(await get(token)));
}

/// <summary>Gathers keys of one level and fetches them in one call of at most 500; each key is fetched once per request.</summary>
internal sealed class Batch<TKey, TValue>(
    Func<IReadOnlyCollection<TKey>, CancellationToken, Task<IReadOnlyDictionary<TKey, TValue>>> fetch
)
    where TKey : notnull
{
    private const int MaxKeys = 500;
    private readonly Lock _gate = new();
    private readonly Dictionary<TKey, Deferred<TValue?>> _known = [];
    private Round _current = new();

    public Deferred<TValue?> Load(TKey key)
    {
        lock (_gate)
        {
            if (_known.TryGetValue(key, out var known))
            {
                return known;
            }

            if (_current.Keys.Count == MaxKeys)
            {
                _current = new Round();
            }

            _current.Keys.Add(key);
            var round = _current;
            return _known[key] = new Deferred<TValue?>(async token =>
                (await RunAsync(round, token)).TryGetValue(key, out var value) ? value : default
            );
        }
    }

    /// <summary>Many keys at once; what is not there is left out.</summary>
    public Deferred<IReadOnlyList<TValue>> LoadMany(IEnumerable<TKey> keys)
    {
        var items = keys.Select(Load).ToList();
        return new Deferred<IReadOnlyList<TValue>>(async token =>
        {
            var values = new List<TValue>();
            foreach (var item in items)
            {
                if (await item.GetResultAsync(token) is { } value)
                {
                    values.Add(value);
                }
            }

            return values;
        });
    }

    private Task<IReadOnlyDictionary<TKey, TValue>> RunAsync(Round round, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (ReferenceEquals(_current, round))
            {
                _current = new Round();
            }

            return round.Run ??= fetch(round.Keys, cancellationToken);
        }
    }

    private sealed class Round
    {
        public List<TKey> Keys { get; } = [];

        public Task<IReadOnlyDictionary<TKey, TValue>>? Run { get; set; }
    }
}
