using System.Collections.Concurrent;
using GraphQLParser.AST;

namespace Governance.Gateway.GraphQl.Guard;

/// <summary>
/// Documents that passed full validation, by their text; bounded by characters, evicted second-chance. Being cached is no
/// permission: the rules of <see cref="GraphQlExecution"/> that judge the caller run on every hit.
/// </summary>
internal sealed class DocumentCache
{
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _ring = new();
    private readonly Lock _eviction = new();
    private long _characters;

    /// <summary>Characters held now.</summary>
    public long Characters => Interlocked.Read(ref _characters);

    public GraphQLDocument? Find(string text)
    {
        if (!_entries.TryGetValue(text, out var entry))
        {
            return null;
        }

        entry.Used = true;
        return entry.Document;
    }

    public void Add(string text, GraphQLDocument document)
    {
        if (!_entries.TryAdd(text, new Entry(document)))
        {
            return;
        }

        _ring.Enqueue(text);
        Interlocked.Add(ref _characters, text.Length);
        lock (_eviction)
        {
            while (Characters > DocumentLimits.CacheCharacters && _ring.TryDequeue(out var oldest))
            {
                Evict(oldest);
            }
        }
    }

    private void Evict(string oldest)
    {
        if (_entries.TryGetValue(oldest, out var entry) && entry.Used)
        {
            entry.Used = false;
            _ring.Enqueue(oldest);
        }
        else if (_entries.TryRemove(oldest, out _))
        {
            Interlocked.Add(ref _characters, -oldest.Length);
        }
    }

    private sealed class Entry(GraphQLDocument document)
    {
        public GraphQLDocument Document => document;

        public volatile bool Used;
    }
}
