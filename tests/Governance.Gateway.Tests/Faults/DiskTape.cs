namespace Governance.Gateway.Tests.Faults;

internal enum DiskStepKind
{
    Write,
    Truncate,
    Sync,
    Delete,
}

/// <summary>One thing done to one file.</summary>
/// <param name="Kind">What.</param>
/// <param name="Path">Name of the file.</param>
/// <param name="Offset">Where it was written, bytes; of a truncation, the new size.</param>
/// <param name="Bytes">What was written.</param>
internal sealed record DiskStep(DiskStepKind Kind, string Path, long Offset = 0, byte[]? Bytes = null);

/// <summary>What was done to the files of one directory, in order, and what somebody was told meanwhile.</summary>
internal sealed class DiskTape(string directory, Action stop) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<DiskStep> _steps = [];
    private readonly List<(int After, string Name, string Sql)> _told = [];
    private (int After, int Code, bool Stays)? _fault;

    /// <summary>The directory.</summary>
    public string Directory => directory;

    /// <summary>So far.</summary>
    public IReadOnlyList<DiskStep> Steps
    {
        get
        {
            lock (_lock)
            {
                return [.. _steps];
            }
        }
    }

    /// <summary>What was acknowledged: from that many steps on, the query gives a row.</summary>
    public IReadOnlyList<(int After, string Name, string Sql)> Told
    {
        get
        {
            lock (_lock)
            {
                return [.. _told];
            }
        }
    }

    /// <summary>How many things the disk refused to do.</summary>
    public int Refused { get; private set; }

    /// <summary>Whether steps are kept.</summary>
    public bool Keeps { get; set; } = true;

    public void Add(DiskStep step)
    {
        lock (_lock)
        {
            if (Keeps)
            {
                _steps.Add(step);
            }
        }
    }

    /// <summary>From the given number of writes and syncs on the disk refuses one, or every one until it is mended.</summary>
    /// <param name="after">How many succeed before.</param>
    /// <param name="code">What SQLite is told (https://www.sqlite.org/rescode.html).</param>
    /// <param name="stays">Whether it goes on refusing.</param>
    public void Break(int after, int code, bool stays)
    {
        lock (_lock)
        {
            _fault = (after, code, stays);
        }
    }

    /// <summary>The disk does again what it is asked to.</summary>
    public void Mend()
    {
        lock (_lock)
        {
            _fault = null;
        }
    }

    /// <summary>What a write or sync answers now instead of being done; 0 when it is done.</summary>
    public int Fault()
    {
        lock (_lock)
        {
            if (_fault is not { } fault)
            {
                return 0;
            }

            _fault =
                fault.After > 0 ? fault with { After = fault.After - 1 }
                : fault.Stays ? fault
                : null;
            Refused += fault.After > 0 ? 0 : 1;
            return fault.After > 0 ? 0 : fault.Code;
        }
    }

    /// <summary>Somebody was told that something is done: whenever the machine dies from now on, the query gives a row.</summary>
    public void Tell(string name, string sql)
    {
        lock (_lock)
        {
            _told.Add((_steps.Count, name, sql));
        }
    }

    public void Dispose() => stop();
}
