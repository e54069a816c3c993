namespace Governance.Scanning.Engine.Pickle;

/// <summary>The memo: an array for the usual dense numbers, a dictionary for the others.</summary>
internal sealed class PickleMemo(int maxEntries)
{
    private readonly Dictionary<long, PickleValue> _sparse = [];
    private PickleValue?[] _dense = new PickleValue?[256];

    /// <summary>Distinct entries: the number that MEMOIZE uses next.</summary>
    public int Count { get; private set; }

    public void Put(long index, PickleValue value)
    {
        if (Count >= maxEntries)
        {
            throw new BudgetExceededException("pickle memo");
        }

        if (index > 2L * Count + 256)
        {
            Count += _sparse.ContainsKey(index) ? 0 : 1;
            _sparse[index] = value;
            return;
        }

        if (index >= _dense.Length)
        {
            Array.Resize(ref _dense, (int)Math.Max(index + 1, _dense.Length * 2L));
        }

        Count += _dense[index] is null && !_sparse.Remove(index) ? 1 : 0;
        _dense[index] = value;
    }

    public PickleValue Get(long index) =>
        (index < _dense.Length && index >= 0 ? _dense[index] : null)
        ?? _sparse.GetValueOrDefault(index)
        ?? throw new MalformedException($"memo entry {index} is not there");
}
