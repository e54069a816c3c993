using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Governance.Platform.Jobs;

/// <summary>A request for a durable job.</summary>
/// <param name="Kind">Which handler runs it, <c>module.verb</c>.</param>
/// <param name="Key">Natural key; two waiting jobs of one kind and key are one job.</param>
/// <param name="Payload">What the handler needs, as text; no personal data.</param>
public sealed record JobRequest(string Kind, string Key, string Payload)
{
    /// <summary>Whether it waits for servers of others. Such jobs have workers of their own and keep no other job waiting.</summary>
    public bool Outbound { get; init; }

    /// <summary>How long after its unit it is due. Default at once.</summary>
    public TimeSpan Wait { get; init; }
}

/// <summary>Thrown by a handler whose work must wait: the job runs again later, and no failure is counted.</summary>
public sealed class JobPostponedException : Exception
{
    /// <summary>Says how long to wait.</summary>
    public JobPostponedException(TimeSpan wait)
        : base("The job waits.") => Wait = wait;

    /// <summary>How long the job waits.</summary>
    public TimeSpan Wait { get; }
}

/// <summary>Runs one kind of job. Idempotent: a crash after the work and before its mark runs it again.</summary>
public interface IJobHandler
{
    /// <summary>The kind it runs.</summary>
    string Kind { get; }

    /// <summary>Does the work. Throwing retries with back-off, at most <see cref="JobOptions.MaxAttempts"/> times.</summary>
    Task RunAsync(string payload, CancellationToken cancellationToken);

    /// <summary>
    /// Called when the job has failed or died too often; must leave a visible, failing state behind. Called again later if it
    /// throws.
    /// </summary>
    /// <param name="payload">What the job was about.</param>
    /// <param name="reason">Half a sentence for people: <c>it failed 5 times</c>.</param>
    /// <param name="cancellationToken">The gateway stops.</param>
    Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken);
}

/// <summary>Where a job is in its life.</summary>
public enum JobState
{
    /// <summary>Due now or later.</summary>
    Waiting,

    /// <summary>Claimed by a worker; back to waiting at the next start if the worker died.</summary>
    Running,

    /// <summary>Failed or died too often, and given up.</summary>
    Dead,
}

/// <summary>A job row; deleted when done.</summary>
public sealed class JobRow
{
    /// <summary>Time-ordered id.</summary>
    public Guid Id { get; set; }

    /// <summary>Handler kind.</summary>
    public string Kind { get; set; } = "";

    /// <summary>Natural key.</summary>
    public string Key { get; set; } = "";

    /// <summary>Whether only the workers for outbound jobs run it.</summary>
    public bool Outbound { get; set; }

    /// <summary>Handler payload.</summary>
    public string Payload { get; set; } = "";

    /// <summary>Life-cycle state.</summary>
    public JobState State { get; set; }

    /// <summary>Attempts that failed so far.</summary>
    public int Attempts { get; set; }

    /// <summary>How often the process died while this job ran; not a failure of the job unless it goes on and on.</summary>
    public int Crashes { get; set; }

    /// <summary>Earliest next start, UTC.</summary>
    public DateTimeOffset DueAt { get; set; }

    /// <summary>Creation, UTC.</summary>
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>Type name of the last error; never its text, which could hold data.</summary>
    public string? LastError { get; set; }
}

/// <summary>Settings of the job workers.</summary>
public sealed class JobOptions
{
    /// <summary>Workers in this process, 1–32. Default 2.</summary>
    [Range(1, 32)]
    public int Workers { get; set; } = 2;

    /// <summary>Further workers in this process for jobs that wait for servers of others, 1–32. Default 2.</summary>
    [Range(1, 32)]
    public int OutboundWorkers { get; set; } = 2;

    /// <summary>Failed attempts before a job is given up, 1–20. Default 5.</summary>
    [Range(1, 20)]
    public int MaxAttempts { get; set; } = 5;

    /// <summary>Deaths of the process while a job runs before that job is given up, 1–100. Default 10.</summary>
    [Range(1, 100)]
    public int MaxCrashes { get; set; } = 10;

    /// <summary>Longest run of one attempt in seconds, 1–3600. Default 300.</summary>
    [Range(1, 3600)]
    public int TimeoutSeconds { get; set; } = 300;
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
public sealed partial class JobOptionsValidator : IValidateOptions<JobOptions>;

/// <summary>Wakes the workers of this process when a job was committed.</summary>
internal static class JobSignal
{
    private static readonly SemaphoreSlim Inner = new(0, int.MaxValue);
    private static readonly SemaphoreSlim Outer = new(0, int.MaxValue);

    public static void Wake(bool outbound) => Of(outbound).Release();

    public static Task<bool> WaitAsync(bool outbound, TimeSpan atMost, CancellationToken cancellationToken) =>
        Of(outbound).WaitAsync(atMost, cancellationToken);

    private static SemaphoreSlim Of(bool outbound) => outbound ? Outer : Inner;
}
