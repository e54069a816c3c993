using System.ComponentModel.DataAnnotations;

namespace Governance.Registry.Contracts;

/// <summary>Settings of an MLflow server that stands behind the gateway. Bound from <c>Governance:Registry:Upstream</c>.</summary>
public sealed class UpstreamOptions
{
    /// <summary>Where it is and how the gateway shows who asks. Without an address there is no upstream.</summary>
    public RemoteServer Server { get; } = new();

    /// <summary>Seconds that a caller waits for a change to be made upstream before the answer is 503, 1–100. Default 20.</summary>
    [Range(1, 100)]
    public int AnswerSeconds { get; set; } = 20;

    /// <summary>Seconds that upstream may take for one JSON answer, and that a stream may stand still, 1–300. Default 15.</summary>
    [Range(1, 300)]
    public int TimeoutSeconds { get; set; } = 15;

    /// <summary>Milliseconds between the end of one look for changes made behind the gateway and the next, 100–3,600,000. Default 2,000.</summary>
    [Range(100, 3_600_000)]
    public int DriftMilliseconds { get; set; } = 2000;

    /// <summary>Seconds between two looks for new experiments, runs and models, and at the files of protected versions, 1–86,400. Default 60.</summary>
    [Range(1, 86_400)]
    public int SweepSeconds { get; set; } = 60;

    /// <summary>Hours between two readings of all bytes of protected versions, 1–720. Default 24.</summary>
    [Range(1, 720)]
    public int HashHours { get; set; } = 24;

    /// <summary>Whether there is an upstream.</summary>
    internal bool IsOn => Server.Url.Length > 0;
}
