using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Governance.EndToEnd.Tests;

/// <summary>Reads from the gateway's own log when jobs begin and end.</summary>
internal sealed class JobLog
{
    private const int Begins = 1002;
    private const int Ended = 1003;
    private readonly ConcurrentDictionary<string, long> _running = new();
    private readonly ConcurrentDictionary<string, TimeSpan> _took = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _awaited = new();

    /// <summary>The next job of a kind that begins; gives back its id.</summary>
    public Task<string> NextAsync(string kind) =>
        (_awaited[kind] = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>True as long as nothing was read of a job's end.</summary>
    public bool Runs(string id) => _running.ContainsKey(id);

    /// <summary>How long the last job of a kind took.</summary>
    public TimeSpan Took(string kind) => _took.GetValueOrDefault(kind, TimeSpan.FromMilliseconds(20));

    /// <summary>Takes a line of the log that is about a job's beginning or end.</summary>
    public bool Takes(string line)
    {
        if (!line.Contains("JobWorker", StringComparison.Ordinal) || JsonNode.Parse(line) is not JsonObject entry)
        {
            return false;
        }

        var number = entry["EventId"]!.GetValue<int>();
        var kind = entry["State"]?["Kind"]?.ToString() ?? "";
        var id = entry["State"]?["JobId"]?.ToString() ?? "";
        switch (number)
        {
            case Begins:
                _running[id] = Stopwatch.GetTimestamp();
                if (_awaited.TryRemove(kind, out var awaited))
                {
                    awaited.TrySetResult(id);
                }

                return true;
            case Ended:
                if (_running.TryRemove(id, out var began))
                {
                    _took[kind] = Stopwatch.GetElapsedTime(began);
                }

                return true;
            default:
                return false;
        }
    }
}
