using System.Collections.Concurrent;
using System.Diagnostics;

namespace Governance.EndToEnd.Tests;

/// <summary>What the gateway is doing when it dies.</summary>
internal enum Phase
{
    /// <summary>The body of a dataset is half sent.</summary>
    DatasetUpload,

    /// <summary>Params, metrics, tags and inputs of a run.</summary>
    Run,

    /// <summary>The body of an artifact is half sent.</summary>
    Upload,

    /// <summary>The body of an artifact is sent whole: hash, fsync, rename, commit.</summary>
    Stored,
    Register,
    DatasetScan,
    Scan,

    /// <summary>The scan of a model that must be refused.</summary>
    ScanOfMalice,
    Sbom,
    Signature,
    Lineage,
    Privacy,

    /// <summary>A promotion is asked for: the policy decides.</summary>
    Decide,
    Approve,
    Move,

    /// <summary>Free aliases and a stage that needs no approval.</summary>
    MoveFreely,

    /// <summary>Tags of a model and a version.</summary>
    Tag,

    /// <summary>An alias, then its version, then the model.</summary>
    Delete,

    /// <summary>A key that signs is replaced.</summary>
    Rotate,

    /// <summary>The second administrator confirms that a person is erased.</summary>
    Confirm,

    /// <summary>The key of a person is destroyed, and the log says so.</summary>
    Erase,

    /// <summary>Commits come in, and the log is sequenced and signed.</summary>
    Sequence,
}

/// <summary>Which requests clients have under way, by phase.</summary>
internal sealed class Flight
{
    private readonly ConcurrentDictionary<Phase, TimeSpan> _took = new();
    private readonly ConcurrentDictionary<Phase, bool> _interrupted = new();

    /// <summary>How long the last request of a phase took that was answered.</summary>
    public TimeSpan Took(Phase phase) => _took.GetValueOrDefault(phase, TimeSpan.FromMilliseconds(20));

    /// <summary>A request of a phase; when the gateway dies before its answer, the phase was in flight.</summary>
    public async Task<T> DuringAsync<T>(Phase phase, Func<Task<T>> request)
    {
        var clock = Stopwatch.StartNew();
        try
        {
            var answer = await request();
            _took[phase] = clock.Elapsed;
            return answer;
        }
        catch (Exception exception) when (IsDeath(exception))
        {
            _interrupted[phase] = true;
            throw;
        }
    }

    /// <summary>The phases with a request that was never answered, since the last call.</summary>
    public IReadOnlySet<Phase> Interrupted()
    {
        var phases = _interrupted.Keys.ToHashSet();
        _interrupted.Clear();
        return phases;
    }

    /// <summary>The connection ended; an answer that is no answer of this product is an error of its own.</summary>
    public static bool IsDeath(Exception exception) => exception is HttpRequestException or IOException;
}
