namespace Governance.Scanning.Engine;

/// <summary>A limit was hit; the file's class becomes <c>TimedOut</c>.</summary>
/// <param name="what">Which limit.</param>
internal sealed class BudgetExceededException(string what) : Exception(what);

/// <summary>Content does not follow its format; the file's class becomes <c>Unparsable</c>.</summary>
/// <param name="what">What is wrong.</param>
/// <param name="offset">Where, or null.</param>
internal sealed class MalformedException(string what, long? offset = null) : Exception(what)
{
    /// <summary>Byte offset, or null.</summary>
    public long? Offset { get; } = offset;
}

/// <summary>What one scan may still spend. The clock stays outside: it cancels <paramref name="deadline"/>.</summary>
/// <param name="options">The limits.</param>
/// <param name="deadline">Cancelled when time is up.</param>
internal sealed class ScanBudget(ScanningOptions options, CancellationToken deadline)
{
    private long _bytes = options.MaxBytes;
    private long _expanded = options.MaxExpandedBytes;
    private long _opcodes = options.MaxOpcodes;
    private int _members = options.MaxMembers;

    /// <summary>The limits.</summary>
    public ScanningOptions Options => options;

    /// <summary>Fails when time is up.</summary>
    public void CheckTime()
    {
        if (deadline.IsCancellationRequested)
        {
            throw new BudgetExceededException("time");
        }
    }

    /// <summary>Bytes read from a file.</summary>
    public void TakeBytes(long count) => Take(ref _bytes, count, "bytes");

    /// <summary>Bytes that decompression made.</summary>
    public void TakeExpanded(long count) => Take(ref _expanded, count, "expanded bytes");

    /// <summary>Opcodes executed symbolically.</summary>
    public void TakeOpcodes(long count) => Take(ref _opcodes, count, "opcodes");

    /// <summary>One archive member.</summary>
    public void TakeMember()
    {
        if (--_members < 0)
        {
            throw new BudgetExceededException("archive members");
        }
    }

    private void Take(ref long left, long count, string what)
    {
        CheckTime();
        if ((left -= count) < 0)
        {
            throw new BudgetExceededException(what);
        }
    }
}
