using System.Collections.Frozen;
using Governance.Compliance.Contracts;

namespace Governance.Compliance.Engine;

/// <summary>What an evaluator found.</summary>
/// <param name="State">Met only when evidence shows it, gap only when evidence speaks against it.</param>
/// <param name="Explanation">One or two sentences.</param>
/// <param name="Evidence">References to what was looked at.</param>
internal sealed record Finding(ControlState State, string Explanation, IReadOnlyList<string> Evidence)
{
    public static Finding Met(string explanation, IEnumerable<string> evidence) =>
        new(ControlState.Met, explanation, [.. evidence]);

    public static Finding Gap(string explanation, IEnumerable<string> evidence) =>
        new(ControlState.Gap, explanation, [.. evidence]);

    public static Finding NotEvidenced(string explanation, IEnumerable<string> evidence) =>
        new(ControlState.NotEvidenced, explanation, [.. evidence]);
}

/// <summary>The closed set of evaluators that catalogues choose from. Pure: facts in, finding out.</summary>
internal static class Evaluators
{
    /// <summary>No evidence is held for the control.</summary>
    public const string None = "none";

    /// <summary>A class of identifiers is absent from every input; takes <see cref="Control.Identifiers"/>.</summary>
    public const string IdentifierAbsent = "identifier-absent";

    public static readonly FrozenDictionary<string, Func<VersionFacts, Control, Finding>> ByName = new Dictionary<
        string,
        Func<VersionFacts, Control, Finding>
    >(StringComparer.Ordinal)
    {
        [None] = (_, control) => Finding.NotEvidenced(control.Missing, []),
        [IdentifierAbsent] = (facts, control) =>
            IdentifierEvaluators.Absent(facts, IdentifierClasses.ByKey[control.Identifiers]),
        ["personal-data-decided"] = (facts, _) => DataEvaluators.PersonalDataDecided(facts),
        ["pseudonymisation"] = (facts, _) => DataEvaluators.Pseudonymisation(facts),
        ["singling-out"] = (facts, _) => DataEvaluators.SinglingOut(facts),
        ["linkability"] = (facts, _) => DataEvaluators.Linkability(facts),
        ["inference"] = (facts, _) => DataEvaluators.Inference(facts),
        ["anonymised"] = (facts, _) => DataEvaluators.Anonymised(facts),
        ["minimisation"] = (facts, _) => DataEvaluators.Minimisation(facts),
        ["breach-facts"] = (facts, _) => DataEvaluators.BreachFacts(facts),
        ["legal-basis"] = (facts, _) => RecordEvaluators.LegalBasis(facts),
        ["legitimate-interest"] = (facts, _) => RecordEvaluators.LegitimateInterest(facts),
        ["purpose"] = (facts, _) => RecordEvaluators.Purpose(facts),
        ["principles"] = (facts, _) => RecordEvaluators.Principles(facts),
        ["processing-record"] = (facts, _) => RecordEvaluators.ProcessingRecord(facts),
        ["special-categories-gdpr"] = (facts, _) => RecordEvaluators.SpecialCategories(facts, "9(2)", true),
        ["special-categories-lgpd"] = (facts, _) => RecordEvaluators.SpecialCategories(facts, "11", false),
        ["criminal-records"] = (facts, _) => RecordEvaluators.CriminalRecords(facts),
        ["integrity"] = (facts, _) => SystemEvaluators.Integrity(facts),
        ["security"] = (facts, _) => SystemEvaluators.Security(facts),
        ["audit-log"] = (facts, _) => SystemEvaluators.AuditLog(facts),
        ["authenticated-actors"] = (facts, _) => SystemEvaluators.AuthenticatedActors(facts),
        ["accountability"] = (facts, _) => SystemEvaluators.Accountability(facts),
        ["promotion-gate"] = (facts, _) => SystemEvaluators.PromotionGate(facts),
        ["minimum-necessary"] = (facts, _) => IdentifierEvaluators.MinimumNecessary(facts),
        ["de-identified"] = (facts, _) => IdentifierEvaluators.DeIdentified(facts),
        ["no-known-reidentification"] = (facts, _) => IdentifierEvaluators.NoKnownReidentification(facts),
        ["reidentification-code"] = (facts, _) => IdentifierEvaluators.ReidentificationCode(facts),
        ["limited-data-set"] = (facts, _) => IdentifierEvaluators.LimitedDataSet(facts),
    }.ToFrozenDictionary();

    /// <summary>Evaluates every control of a catalogue, in its order.</summary>
    public static IReadOnlyList<ControlResult> Evaluate(Catalogue catalogue, VersionFacts facts) =>
        [
            .. catalogue.Controls.Select(control =>
            {
                var finding = ByName[control.Evaluator](facts, control);
                return new ControlResult(
                    control.Id,
                    control.Article,
                    control.Requirement,
                    finding.State,
                    finding.Explanation,
                    finding.Evidence
                );
            }),
        ];
}
