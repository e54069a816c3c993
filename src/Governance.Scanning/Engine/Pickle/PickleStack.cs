namespace Governance.Scanning.Engine.Pickle;

/// <summary>The value stack with its marks; taking what is not there is malformed, as in CPython.</summary>
internal sealed class PickleStack(int maxDepth)
{
    private readonly List<int> _marks = [];
    private PickleValue[] _values = new PickleValue[256];
    private int _count;

    private int Fence => _marks.Count == 0 ? 0 : _marks[^1];

    public void Push(PickleValue value)
    {
        if (_count == _values.Length)
        {
            if (_count >= maxDepth)
            {
                throw new BudgetExceededException("pickle stack");
            }

            Array.Resize(ref _values, Math.Min(_count * 2, maxDepth));
        }

        _values[_count++] = value;
        if (value is ImportValue import)
        {
            import.Pushed++;
        }
    }

    public PickleValue Pop()
    {
        Need(1);
        return _values[--_count];
    }

    public PickleValue Peek()
    {
        Need(1);
        return _values[_count - 1];
    }

    public void Mark()
    {
        if (_marks.Count >= maxDepth)
        {
            throw new BudgetExceededException("pickle marks");
        }

        _marks.Add(_count);
    }

    /// <summary>POP: drops a mark when nothing lies above it, else a value.</summary>
    public void PopOrMark()
    {
        if (_marks.Count > 0 && _marks[^1] == _count)
        {
            _marks.RemoveAt(_marks.Count - 1);
            return;
        }

        Pop();
    }

    /// <summary>The values above the last mark, which is removed; valid until the next push.</summary>
    public ReadOnlySpan<PickleValue> PopToMark()
    {
        if (_marks.Count == 0)
        {
            throw new MalformedException("no mark on the stack");
        }

        var from = _marks[^1];
        _marks.RemoveAt(_marks.Count - 1);
        var values = _values.AsSpan(from, _count - from);
        _count = from;
        return values;
    }

    private void Need(int values)
    {
        if (_count - Fence < values)
        {
            throw new MalformedException("stack underflow");
        }
    }
}
