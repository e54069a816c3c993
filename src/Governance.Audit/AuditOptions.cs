using System.ComponentModel.DataAnnotations;
using Governance.Audit.Contracts;
using Microsoft.Extensions.Options;

namespace Governance.Audit;

/// <summary>Settings of the log.</summary>
public sealed class AuditOptions : IValidatableObject
{
    private const int MaxWitnesses = 8;

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

    /// <summary>Witnesses that cosign checkpoints, at most 8. Default none.</summary>
    public IList<WitnessOptions> Witnesses { get; } = [];

    /// <summary>
    /// Witnesses that must have cosigned the checkpoint of a receipt, 0–8; without them it is not complete. Default 0: receipts
    /// carry the cosignatures that there are.
    /// </summary>
    [Range(0, MaxWitnesses)]
    public int WitnessQuorum { get; set; }

    /// <summary>How long a receipt waits for cosignatures before it does without, 0–10,000 milliseconds. Default 1500.</summary>
    [Range(0, 10_000)]
    public int WitnessWaitMilliseconds { get; set; } = 1500;

    /// <summary>Seconds that a witness may take for an answer, 1–60. Default 5.</summary>
    [Range(1, 60)]
    public int WitnessTimeoutSeconds { get; set; } = 5;

    /// <summary>
    /// Directory to which checkpoints are written, one file each, and whose newest one the log must extend at each start.
    /// Default none.
    /// </summary>
    public string CheckpointDirectory { get; set; } = "";

    /// <summary>An https address to which checkpoints are posted. Default none.</summary>
    public string CheckpointWebhook { get; set; } = "";

    /// <summary>File whose one line is the secret that signs what is posted; empty for none. Default empty.</summary>
    public string CheckpointWebhookSecretFile { get; set; } = "";

    /// <summary>PEM file of the authorities that the receiver's certificate must come from; empty for the system's. Default empty.</summary>
    public string CheckpointWebhookAuthorities { get; set; } = "";

    /// <summary>Shortest time between two checkpoints that leave for directory and webhook, 1–3600 seconds. Default 10.</summary>
    [Range(1, 3600)]
    public int CheckpointExportSeconds { get; set; } = 10;

    /// <summary>Minutes between two checks of the whole log while the gateway runs, 0–10,080; 0 for none. Default 360.</summary>
    [Range(0, 10_080)]
    public int CheckMinutes { get; set; } = 360;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Witnesses.Count > MaxWitnesses)
        {
            yield return new ValidationResult($"Audit:Witnesses: at most {MaxWitnesses}.");
        }

        if (WitnessQuorum > Witnesses.Count)
        {
            yield return new ValidationResult("Audit:WitnessQuorum is more than there are witnesses.");
        }

        if (Witnesses.Select(witness => witness.VerifierKey).Distinct(StringComparer.Ordinal).Count() < Witnesses.Count)
        {
            yield return new ValidationResult("Audit:Witnesses: one is named twice.");
        }

        foreach (var wrong in Witnesses.Select(witness => witness.Wrong()).OfType<string>())
        {
            yield return new ValidationResult($"Audit:Witnesses: {wrong}");
        }

        if (CheckpointWebhook.Length > 0 && !WitnessOptions.IsAddress(CheckpointWebhook))
        {
            yield return new ValidationResult(
                "Audit:CheckpointWebhook is an https address without user name or fragment."
            );
        }
    }
}

/// <summary>Validates <see cref="AuditOptions"/> at start.</summary>
[OptionsValidator]
public sealed partial class AuditOptionsValidator : IValidateOptions<AuditOptions>;
