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

    public void Add(DiskStep step)
    {
        lock (_lock)
        {
            _steps.Add(step);
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
