using Governance.Compliance.Contracts;
using Governance.Kernel;

namespace Governance.Compliance.Engine;

/// <summary>Everything a report says, before it takes a form.</summary>
internal sealed record ReportContent
{
    /// <summary>Kind of the inner document, with its version.</summary>
    public const string Kind = "governance.evidence-report/v1";

    /// <summary>What every form of the report says about itself.</summary>
    public const string Note =
        "This report lists, control by control, what evidence the gateway holds. It is no legal assessment and no statement "
        + "of conformity: who reads it decides.";

    public required Guid Id { get; init; }

    public required Catalogue Catalogue { get; init; }

    public required VersionFacts Facts { get; init; }

    public required IReadOnlyList<ControlResult> Controls { get; init; }

    /// <summary>UTC, whole milliseconds.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Pseudonym.</summary>
    public required string CreatedBy { get; init; }

    public int Count(ControlState state) => Controls.Count(control => control.State == state);

    /// <summary>The word of a state in every form.</summary>
    public static string Word(ControlState state) =>
        state switch
        {
            ControlState.Met => "met",
            ControlState.Gap => "gap",
            _ => "not evidenced",
        };

    public static string Text(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);

    public static string Text(DateOnly day) => day.ToString("O", System.Globalization.CultureInfo.InvariantCulture);

    public ModelVersionRef Version => Facts.Version.Ref;
}
