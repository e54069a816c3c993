using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Governance.Audit;

/// <summary>Settings of the log.</summary>
public sealed class AuditOptions
{
    /// <summary>
    /// Origin line of checkpoints and name of the log's key: host and path, no scheme, no white space, no <c>+</c>. It names
    /// the log for good: changing it makes every earlier checkpoint foreign. Default <c>localhost/governance/log</c>.
    /// </summary>
    [Required]
    [RegularExpression(@"^[a-z0-9][a-z0-9.:_/-]{0,253}$")]
    public string Origin { get; set; } = "localhost/governance/log";

    /// <summary>Longest time between two looks for new entries when no signal comes, 20–200 milliseconds. Default 200.</summary>
    [Range(20, 200)]
    public int PollMilliseconds { get; set; } = 200;

    /// <summary>
    /// Shortest time between two checkpoints, 0–100 milliseconds, and five times as long while many entries come: under load
    /// more of them share a checkpoint and its signature. Default 20.
    /// </summary>
    [Range(0, 100)]
    public int PauseMilliseconds { get; set; } = 20;
}

/// <summary>Validates <see cref="AuditOptions"/> at start.</summary>
[OptionsValidator]
public sealed partial class AuditOptionsValidator : IValidateOptions<AuditOptions>;
