namespace Governance.Privacy.Engine;

/// <summary>Counts classes of rows that share every quasi-identifier. Values become integers as they arrive; exact, not hashed.</summary>
internal sealed class Anonymity
{
    private readonly int[] _quasi;
    private readonly int[] _sensitive;
    private readonly Dictionary<string, int>[] _values;
    private readonly Dictionary<(int Prefix, int Value), int>[] _prefixes;
    private readonly List<long> _sizes = [];
    private readonly HashSet<(int Class, int Value)>[] _distinct;
    private readonly Dictionary<string, int>[] _sensitiveValues;

    /// <summary>Groups by some columns and counts distinct values of others, by ordinal.</summary>
    public Anonymity(int[] quasi, int[] sensitive)
    {
        _quasi = quasi;
        _sensitive = sensitive;
        _values = NewDictionaries(quasi.Length);
        _sensitiveValues = NewDictionaries(sensitive.Length);
        _prefixes = [.. quasi.Select(_ => new Dictionary<(int, int), int>())];
        _distinct = [.. sensitive.Select(_ => new HashSet<(int, int)>())];
    }

    /// <summary>A row's value by column ordinal.</summary>
    public delegate ReadOnlySpan<char> Cell(int ordinal);

    /// <summary>Counts one row.</summary>
    public void Add(Cell cell)
    {
        var group = 0;
        for (var i = 0; i < _quasi.Length; i++)
        {
            var key = (group, IdOf(_values[i], cell(_quasi[i])));
            if (!_prefixes[i].TryGetValue(key, out group))
            {
                group = _prefixes[i].Count;
                _prefixes[i].Add(key, group);
            }
        }

        if (group == _sizes.Count)
        {
            _sizes.Add(0);
        }

        _sizes[group]++;
        for (var i = 0; i < _sensitive.Length; i++)
        {
            _distinct[i].Add((group, IdOf(_sensitiveValues[i], cell(_sensitive[i]))));
        }
    }

    /// <summary>Smallest class; 0 without rows.</summary>
    public long K => _sizes.Count == 0 ? 0 : _sizes.Min();

    /// <summary>Number of classes.</summary>
    public long Classes => _sizes.Count;

    /// <summary>Rows alone in their class.</summary>
    public long UniqueRows => _sizes.Count(size => size == 1);

    /// <summary>Rows counted.</summary>
    public long Rows => _sizes.Sum();

    /// <summary>Least number of distinct sensitive values in a class, over all sensitive columns; null without one.</summary>
    public int? L =>
        _sensitive.Length == 0 || _sizes.Count == 0
            ? null
            : _distinct.Min(pairs => pairs.GroupBy(pair => pair.Class).Min(group => group.Count()));

    // A missing value is a value of its own, whichever way it was written: dropping such rows would overstate k.
    private static int IdOf(Dictionary<string, int> ids, ReadOnlySpan<char> raw)
    {
        var value = raw.Trim();
        if (ShapeOf.IsMissing(value))
        {
            value = default;
        }

        var lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!lookup.TryGetValue(value, out var id))
        {
            id = ids.Count;
            lookup[value] = id;
        }

        return id;
    }

    private static Dictionary<string, int>[] NewDictionaries(int count) =>
        [.. Enumerable.Range(0, count).Select(_ => new Dictionary<string, int>(StringComparer.Ordinal))];
}
