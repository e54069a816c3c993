using Governance.Platform.Graph;
using Governance.Privacy.Contracts;

namespace Governance.Compliance.Engine;

/// <summary>Controls on what people recorded about the data: ground in law, purpose, categories.</summary>
internal static class RecordEvaluators
{
    /// <summary>Tag of a version that states its purpose; a declaration, not an observation.</summary>
    public const string PurposeTag = "governance.purpose";

    public static Finding LegalBasis(VersionFacts facts)
    {
        var datasets = facts.Datasets.ToList();
        var without = datasets.Where(dataset => string.IsNullOrWhiteSpace(dataset.LegalBasis)).ToList();
        if (without.Count > 0)
        {
            return Finding.Gap($"No legal basis is recorded for {Names(without)}.", References(without));
        }

        var bare = datasets.Where(dataset => IsConsent(dataset) && Record(dataset).Length == 0).ToList();
        if (bare.Count > 0)
        {
            return Finding.Gap(
                $"Consent is given as basis without a record it points to: {Names(bare)}.",
                References(bare)
            );
        }

        return Unknown(facts)
            ?? Finding.Met(
                $"A privacy officer recorded a basis for each dataset: "
                    + Data.Names(datasets.Select(dataset => $"{dataset.Name}: {dataset.LegalBasis!.Trim()}"))
                    + ".",
                facts.DatasetReferences()
            );
    }

    public static Finding LegitimateInterest(VersionFacts facts)
    {
        var interested = facts.Datasets.Where(IsLegitimateInterest).ToList();
        var bare = interested.Where(dataset => Record(dataset).Length == 0).ToList();
        if (bare.Count > 0)
        {
            return Finding.Gap($"Legitimate interest is given without an assessment: {Names(bare)}.", References(bare));
        }

        var unrecorded = facts.Datasets.Where(dataset => string.IsNullOrWhiteSpace(dataset.LegalBasis)).ToList();
        if (unrecorded.Count > 0)
        {
            return Finding.NotEvidenced(
                $"No legal basis is recorded for {Names(unrecorded)}, so it is open whether this one is used.",
                References(unrecorded)
            );
        }

        return Unknown(facts)
            ?? Finding.Met(
                interested.Count > 0
                    ? $"An assessment is named for {Names(interested)}; the document itself isn't held here."
                    : "No dataset behind the version rests on legitimate interest.",
                facts.DatasetReferences()
            );
    }

    public static Finding Purpose(VersionFacts facts)
    {
        var without = facts.Datasets.Where(dataset => string.IsNullOrWhiteSpace(dataset.Purpose)).ToList();
        if (without.Count > 0)
        {
            return Finding.Gap($"No purpose is recorded for {Names(without)}.", References(without));
        }

        if (Unknown(facts) is { } open)
        {
            return open;
        }

        if (!facts.Version.Tags.TryGetValue(PurposeTag, out var purpose) || string.IsNullOrWhiteSpace(purpose))
        {
            return Finding.NotEvidenced(
                $"The datasets have purposes, but the version states none (tag {PurposeTag}).",
                facts.DatasetReferences()
            );
        }

        var other = facts
            .Datasets.Where(dataset =>
                !string.Equals(dataset.Purpose!.Trim(), purpose.Trim(), StringComparison.OrdinalIgnoreCase)
            )
            .ToList();
        return other.Count > 0
            ? Finding.Gap(
                $"The version states the purpose {Data.Names([purpose.Trim()])}, which isn't that of {Names(other)}.",
                References(other)
            )
            : Finding.Met(
                $"Version and datasets state the same purpose: {Data.Names([purpose.Trim()])}.",
                facts.DatasetReferences()
            );
    }

    public static Finding Principles(VersionFacts facts)
    {
        var without = facts.Datasets.Where(dataset => string.IsNullOrWhiteSpace(dataset.Purpose)).ToList();
        if (without.Count > 0)
        {
            return Finding.Gap($"No purpose is recorded for {Names(without)}.", References(without));
        }

        var minimal = DataEvaluators.Minimisation(facts);
        return minimal.State == Contracts.ControlState.Gap
            ? minimal
            : Finding.NotEvidenced(
                facts.NotKnown()
                    ?? "Purpose is recorded and no direct identifier is left, but no result on fairness is held here.",
                facts.DatasetReferences()
            );
    }

    public static Finding ProcessingRecord(VersionFacts facts)
    {
        var incomplete = facts
            .Datasets.Where(dataset =>
                string.IsNullOrWhiteSpace(dataset.LegalBasis) || string.IsNullOrWhiteSpace(dataset.Purpose)
            )
            .ToList();
        return incomplete.Count > 0
            ? Finding.Gap($"Purpose or legal basis is empty for {Names(incomplete)}.", References(incomplete))
            : Finding.NotEvidenced(
                facts.NotKnown()
                    ?? "Purposes, grounds and categories are recorded; recipients, transfers and storage periods are not.",
                facts.DatasetReferences()
            );
    }

    public static Finding SpecialCategories(VersionFacts facts, string condition, bool interestAllowed)
    {
        var special = facts
            .Datasets.SelectMany(Data.Columns)
            .Where(column => column.IsPresent && IdentifierClasses.Special.Contains(column.Finding.What))
            .ToList();
        var uncovered = special
            .Where(column =>
                column.Dataset.LegalBasis?.Contains(condition, StringComparison.OrdinalIgnoreCase) != true
                || (!interestAllowed && IsLegitimateInterest(column.Dataset))
            )
            .ToList();
        if (uncovered.Count > 0)
        {
            return Finding.Gap(
                $"Sensitive columns without a ground under Art. {condition}: {Data.Names(uncovered.Select(Data.Label))}.",
                Data.References(uncovered)
            );
        }

        return special.Count > 0
            ? Unknown(facts)
                ?? Finding.Met(
                    $"A ground under Art. {condition} is recorded for {Data.Names(special.Select(Data.Label))}.",
                    Data.References(special)
                )
            : Finding.NotEvidenced(
                facts.NotKnown()
                    ?? "No column is named or declared as sensitive, but no detector searches values for such data yet.",
                facts.DatasetReferences()
            );
    }

    public static Finding CriminalRecords(VersionFacts facts)
    {
        var columns = facts
            .Datasets.SelectMany(Data.Columns)
            .Where(column => column.IsPresent && IdentifierClasses.Criminal.Contains(column.Finding.What))
            .ToList();
        var uncovered = columns
            .Where(column => column.Dataset.LegalBasis?.Contains("10", StringComparison.Ordinal) != true)
            .ToList();
        if (uncovered.Count > 0)
        {
            return Finding.Gap(
                $"Data on offences without a law that allows them: {Data.Names(uncovered.Select(Data.Label))}.",
                Data.References(uncovered)
            );
        }

        return columns.Count > 0
            ? Unknown(facts)
                ?? Finding.Met(
                    $"A law is named for {Data.Names(columns.Select(Data.Label))}.",
                    Data.References(columns)
                )
            : Finding.NotEvidenced(
                facts.NotKnown()
                    ?? "No column is named or declared as data on offences, but no detector searches values for them yet.",
                facts.DatasetReferences()
            );
    }

    // Records are only as good as the list of datasets: an unbound input or ancestor may rest on anything.
    private static Finding? Unknown(VersionFacts facts)
    {
        var reason =
            facts.Inputs.Count == 0 ? facts.NotKnown()
            : facts.Inputs.Any(input => input.Dataset is null)
                ? $"No dataset is held here for the input {Data.Names(facts.Inputs.Where(input => input.Dataset is null).Select(input => input.Name))}."
            : facts.UnknownAncestors.Count > 0 ? "A dataset that inputs were derived from isn't held here."
            : null;
        return reason is null ? null : Finding.NotEvidenced(reason, facts.DatasetReferences());
    }

    private static bool IsConsent(DatasetView dataset) =>
        Ground(dataset).StartsWith("consent", StringComparison.Ordinal);

    private static bool IsLegitimateInterest(DatasetView dataset) =>
        Ground(dataset).Contains("legitimate interest", StringComparison.Ordinal)
        || Ground(dataset).Contains("6(1)(f)", StringComparison.Ordinal)
        || Ground(dataset) is "li";

    // A basis is written `ground: record`, e.g. `consent: form 2024-17`.
    private static string Ground(DatasetView dataset) =>
        (dataset.LegalBasis ?? "").Split(':')[0].Trim().Replace('-', ' ').Replace('_', ' ').ToLowerInvariant();

    private static string Record(DatasetView dataset)
    {
        var basis = dataset.LegalBasis ?? "";
        var colon = basis.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? "" : basis[(colon + 1)..].Trim();
    }

    private static string Names(IEnumerable<DatasetView> datasets) =>
        Data.Names(datasets.Select(dataset => dataset.Name));

    private static IEnumerable<string> References(IEnumerable<DatasetView> datasets) =>
        datasets.Select(dataset => Urn.Dataset(dataset.Sha256));
}
