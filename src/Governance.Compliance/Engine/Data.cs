using Governance.Evidence.Contracts;
using Governance.Platform.Graph;
using Governance.Privacy.Contracts;

namespace Governance.Compliance.Engine;

/// <summary>A column with the dataset it stands in.</summary>
internal sealed record DataColumn(DatasetView Dataset, ColumnFinding Finding)
{
    /// <summary>Whether something of an identifying value may still be there.</summary>
    public bool IsPresent => !IdentifierClasses.Gone.Contains(Finding.State) || Finding.Matches > 0;

    public override string ToString() => $"{Dataset.Name}.{Finding.Name} ({Finding.What}, {Finding.State})";
}

/// <summary>Questions that several evaluators ask of the facts, and how they cite.</summary>
internal static class Data
{
    private const int NamesShown = 4;

    public static IEnumerable<DataColumn> InputColumns(this VersionFacts facts) =>
        facts
            .Inputs.Select(input => input.Dataset)
            .OfType<DatasetView>()
            .DistinctBy(dataset => dataset.Sha256)
            .SelectMany(Columns);

    public static IEnumerable<DataColumn> Columns(DatasetView dataset) =>
        dataset.Columns.Select(column => new DataColumn(dataset, column));

    /// <summary>Columns that name a person by themselves and are still there in some form but a code.</summary>
    public static List<DataColumn> DirectIdentifiers(this VersionFacts facts) =>
        [
            .. facts
                .InputColumns()
                .Where(column =>
                    column.IsPresent
                    && !IdentifierClasses.Code.Contains(column.Finding.State)
                    && (IdentifierClasses.Direct.Contains(column.Finding.What) || column.Finding.Role == "direct")
                ),
        ];

    public static List<DataColumn> FreeText(this VersionFacts facts) =>
        [.. facts.InputColumns().Where(column => column.Finding.Role == "free-text" && column.IsPresent)];

    /// <summary>Why the inputs can't be judged as a whole, or null when each is bound, scanned and fully classified.</summary>
    public static string? NotKnown(this VersionFacts facts)
    {
        if (facts.Inputs.Count == 0)
        {
            return "The version's run names no input dataset.";
        }

        var unbound = facts.Inputs.Where(input => input.Dataset is null).Select(input => input.Name).ToList();
        if (unbound.Count > 0)
        {
            return $"No dataset is held here for the input {Names(unbound)}.";
        }

        var unscanned = facts
            .Inputs.Where(input => input.Dataset!.ScanState != "SCANNED")
            .Select(input => $"{input.Dataset!.Name} ({input.Dataset.ScanState})")
            .ToList();
        if (unscanned.Count > 0)
        {
            return $"No finished scan of these bytes exists for {Names(unscanned)}.";
        }

        var unknown = facts.InputColumns().Where(column => column.Finding.What == IdentifierClasses.Unknown).ToList();
        if (unknown.Count > 0)
        {
            return $"Nobody and nothing classified {Names(unknown.Select(Label))}.";
        }

        var empty = facts.Inputs.Where(input => input.Dataset!.Columns.Count == 0).Select(input => input.Name).ToList();
        return empty.Count > 0 ? $"The scan reports no columns for {Names(empty)}." : null;
    }

    public static IEnumerable<string> InputReferences(this VersionFacts facts) =>
        facts
            .Inputs.Where(input => input.Sha256 is not null)
            .Select(input => Urn.Dataset(input.Sha256!.Value))
            .Distinct(StringComparer.Ordinal);

    public static IEnumerable<string> DatasetReferences(this VersionFacts facts) =>
        facts.Datasets.Select(dataset => Urn.Dataset(dataset.Sha256));

    public static IEnumerable<string> References(IEnumerable<DataColumn> columns) =>
        columns.Select(column => Urn.Dataset(column.Dataset.Sha256)).Distinct(StringComparer.Ordinal);

    public static EvidenceItem? Item(this VersionFacts facts, EvidenceKind kind) =>
        facts.Evidence?.Items.FirstOrDefault(item => item.Kind == kind);

    public static IEnumerable<string> Reference(EvidenceItem? item)
    {
        if (item is null || item.Outcome is EvidenceOutcome.Missing)
        {
            yield break;
        }

        var document = item.Document is { } digest ? $" document sha256:{digest}" : "";
        yield return $"evidence:{Word(item.Kind)} of sha256:{item.Subject}{document} entry:{item.EntryId}";
    }

    public static string Word(EvidenceKind kind) => kind.ToString().ToLowerInvariant();

    public static string Label(DataColumn column) => column.ToString();

    /// <summary>The first few names and how many more there are.</summary>
    public static string Names(IEnumerable<string> names)
    {
        var all = names.Distinct(StringComparer.Ordinal).ToList();
        var shown = string.Join(", ", all.Take(NamesShown).Select(name => name.Length > 80 ? name[..80] + "…" : name));
        return all.Count > NamesShown ? $"{shown} and {all.Count - NamesShown} more" : shown;
    }
}
