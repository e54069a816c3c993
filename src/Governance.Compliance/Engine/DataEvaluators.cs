using Governance.Evidence.Contracts;
using Governance.Platform.Graph;
using Governance.Privacy.Contracts;

namespace Governance.Compliance.Engine;

/// <summary>Controls on what the input tables hold: recital 26 GDPR, Art. 5 and 12 LGPD, WP216.</summary>
internal static class DataEvaluators
{
    public static Finding PersonalDataDecided(VersionFacts facts)
    {
        if (facts.Inputs.Count == 0)
        {
            return Finding.NotEvidenced(facts.NotKnown()!, []);
        }

        var waiting = facts.Inputs.Where(input => input.Dataset?.ScanState == "PENDING").ToList();
        if (waiting.Count > 0)
        {
            return Finding.NotEvidenced(
                $"The scan of {Data.Names(waiting.Select(input => input.Name))} isn't finished.",
                facts.InputReferences()
            );
        }

        if (facts.NotKnown() is { } reason)
        {
            return Finding.Gap(
                reason + " Whether people can be identified is therefore open.",
                facts.InputReferences()
            );
        }

        var contradicting = facts
            .Inputs.Select(input => input.Dataset!)
            .Where(dataset =>
                dataset.Verdict.Outcome == PrivacyOutcome.Pass
                && (dataset.Anonymity is { } measure && measure.K < measure.LeastK)
            )
            .ToList();
        if (contradicting.Count > 0)
        {
            return Finding.Gap(
                $"{Data.Names(contradicting.Select(dataset => dataset.Name))} passes although its smallest group is below the least k.",
                contradicting.Select(dataset => Urn.Dataset(dataset.Sha256))
            );
        }

        var privacy = facts.Item(EvidenceKind.Privacy);
        if (privacy is null or { Outcome: EvidenceOutcome.Missing or EvidenceOutcome.Error })
        {
            return Finding.NotEvidenced(
                "The datasets are scanned, but the privacy verdict of this version isn't there.",
                facts.InputReferences()
            );
        }

        var direct = facts.DirectIdentifiers();
        return Finding.Met(
            direct.Count > 0
                ? $"It is known: people can be identified by {Data.Names(direct.Select(Data.Label))}."
                : "Each input was scanned by its exact digest, every column is classified, and no direct identifier stands in clear.",
            facts.InputReferences().Concat(Data.Reference(privacy))
        );
    }

    public static Finding Pseudonymisation(VersionFacts facts)
    {
        var unkeyed = facts.InputColumns().Where(column => column.Finding.State == "hashed").ToList();
        if (unkeyed.Count > 0)
        {
            return Finding.Gap(
                $"Hashes without a key can be undone by trying values: {Data.Names(unkeyed.Select(Data.Label))}.",
                Data.References(unkeyed)
            );
        }

        if (facts.NotKnown() is { } reason)
        {
            return Finding.NotEvidenced(reason, facts.InputReferences());
        }

        var replaced = facts
            .InputColumns()
            .Where(column => column.Finding.State is "token" or "keyed-hash" or "masked")
            .ToList();
        return replaced.Count > 0
            ? Finding.NotEvidenced(
                $"{Data.Names(replaced.Select(Data.Label))}: who holds the key, or what the mask leaves, isn't evidenced.",
                Data.References(replaced)
            )
            : Finding.Met(
                "Every column of every input was looked at, and none is in a pseudonymised state that would need a key kept apart.",
                facts.InputReferences()
            );
    }

    public static Finding SinglingOut(VersionFacts facts)
    {
        var direct = facts.DirectIdentifiers();
        if (direct.Count > 0)
        {
            return Finding.Gap(
                $"Direct identifiers single people out: {Data.Names(direct.Select(Data.Label))}.",
                Data.References(direct)
            );
        }

        // WP216 §4: a pseudonym still isolates one person's record.
        var codes = facts
            .InputColumns()
            .Where(column => IdentifierClasses.Code.Contains(column.Finding.State))
            .ToList();
        if (codes.Count > 0)
        {
            return Finding.Gap(
                $"Codes in place of identifiers still single people out: {Data.Names(codes.Select(Data.Label))}.",
                Data.References(codes)
            );
        }

        var measured = Measured(facts);
        var low = measured
            .Where(pair => pair.Measure.K < Math.Max(2, pair.Measure.LeastK) || pair.Measure.UniqueRows > 0)
            .ToList();
        if (low.Count > 0)
        {
            return Finding.Gap(Text(low), low.Select(pair => Urn.Dataset(pair.Dataset.Sha256)));
        }

        return Unmeasured(facts, measured)
            ?? Finding.Met(Text(measured), measured.Select(pair => Urn.Dataset(pair.Dataset.Sha256)));

        static string Text(List<(DatasetView Dataset, AnonymityMeasure Measure)> pairs) =>
            string.Join(
                " ",
                pairs
                    .Take(3)
                    .Select(pair =>
                        $"{pair.Dataset.Name}: smallest group {pair.Measure.K} over {Data.Names(pair.Measure.QuasiIdentifiers)}, "
                        + $"least {pair.Measure.LeastK} asked, {pair.Measure.UniqueRows} of {pair.Measure.Rows} rows alone."
                    )
            );
    }

    public static Finding Linkability(VersionFacts facts)
    {
        var direct = facts.DirectIdentifiers();
        if (direct.Count > 0)
        {
            return Finding.Gap(
                $"Direct identifiers join tables: {Data.Names(direct.Select(Data.Label))}.",
                Data.References(direct)
            );
        }

        var shared = facts
            .Datasets.SelectMany(Data.Columns)
            .Where(column => IdentifierClasses.Code.Contains(column.Finding.State))
            .GroupBy(column => column.Finding.What)
            .Where(group => group.DistinctBy(column => column.Dataset.Sha256).Count() > 1)
            .SelectMany(group => group)
            .ToList();
        return shared.Count > 0
            ? Finding.Gap(
                $"Lasting codes of one kind stand in more than one table of the lineage: {Data.Names(shared.Select(Data.Label))}.",
                Data.References(shared)
            )
            : Finding.NotEvidenced(
                facts.NotKnown()
                    ?? "No lasting code is shared between tables of the lineage, but what several releases say together isn't measured.",
                facts.DatasetReferences()
            );
    }

    public static Finding Inference(VersionFacts facts)
    {
        var measured = Measured(facts);
        var low = measured.Where(pair => pair.Measure.L < 2).ToList();
        if (low.Count > 0)
        {
            return Finding.Gap(
                $"In {Data.Names(low.Select(pair => pair.Dataset.Name))} a group shares one sensitive value (l = 1).",
                low.Select(pair => Urn.Dataset(pair.Dataset.Sha256))
            );
        }

        if (Unmeasured(facts, measured) is { } open)
        {
            return open;
        }

        var unset = measured.Where(pair => pair.Measure.L is null).ToList();
        return unset.Count > 0
            ? Finding.NotEvidenced(
                $"No sensitive column is declared for {Data.Names(unset.Select(pair => pair.Dataset.Name))}, so l isn't measured.",
                facts.InputReferences()
            )
            : Finding.Met(
                $"Every group holds at least {measured.Min(pair => pair.Measure.L)} different sensitive values; how evenly (t) isn't measured.",
                facts.InputReferences()
            );
    }

    public static Finding Anonymised(VersionFacts facts)
    {
        var codes = facts
            .InputColumns()
            .Where(column => IdentifierClasses.Code.Contains(column.Finding.State) || column.Finding.State == "masked")
            .ToList();
        if (codes.Count > 0)
        {
            return Finding.Gap(
                $"With keys or lists at hand it can be undone: {Data.Names(codes.Select(Data.Label))}.",
                Data.References(codes)
            );
        }

        var alone = SinglingOut(facts);
        return alone.State == Contracts.ControlState.Met
            ? alone with
            {
                Explanation = "No direct identifier and no reversible code is left. " + alone.Explanation,
            }
            : alone;
    }

    public static Finding Minimisation(VersionFacts facts)
    {
        var direct = facts.DirectIdentifiers();
        if (direct.Count > 0)
        {
            return Finding.Gap(
                $"Direct identifiers went into training: {Data.Names(direct.Select(Data.Label))}.",
                Data.References(direct)
            );
        }

        if (facts.NotKnown() is { } reason)
        {
            return Finding.NotEvidenced(reason, facts.InputReferences());
        }

        var text = facts.FreeText();
        return text.Count > 0
            ? Finding.NotEvidenced(
                $"Free text may hold more than needed: {Data.Names(text.Select(Data.Label))}.",
                Data.References(text)
            )
            : Finding.Met("No column of any input holds a direct identifier or free text.", facts.InputReferences());
    }

    public static Finding BreachFacts(VersionFacts facts)
    {
        if (facts.NotKnown() is { } reason)
        {
            return facts.Inputs.Count > 0 && facts.Inputs.All(input => input.Dataset is null)
                ? Finding.Gap(reason + " What a leak would concern can't be stated.", facts.InputReferences())
                : Finding.NotEvidenced(reason, facts.InputReferences());
        }

        var datasets = facts.Inputs.Select(input => input.Dataset!).DistinctBy(dataset => dataset.Sha256).ToList();
        if (datasets.Any(dataset => dataset.Rows is null) || facts.UnknownAncestors.Count > 0)
        {
            return Finding.NotEvidenced(
                "Rows are not counted for each dataset, or a dataset that inputs were derived from isn't held here.",
                facts.DatasetReferences()
            );
        }

        var kinds = datasets
            .SelectMany(dataset => dataset.Columns)
            .Select(column => column.What)
            .Where(what => what is not IdentifierClasses.None)
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)
            .ToList();
        return Finding.Met(
            $"Inputs: {datasets.Count}; rows: {datasets.Sum(dataset => dataset.Rows)}; kinds of data: "
                + (kinds.Count > 0 ? Data.Names(kinds) : "none found")
                + ". Reads of bytes are log entries.",
            facts.DatasetReferences()
        );
    }

    private static List<(DatasetView Dataset, AnonymityMeasure Measure)> Measured(VersionFacts facts) =>
        [
            .. facts
                .Inputs.Select(input => input.Dataset)
                .OfType<DatasetView>()
                .DistinctBy(dataset => dataset.Sha256)
                .Where(dataset => dataset.Anonymity is not null)
                .Select(dataset => (dataset, dataset.Anonymity!)),
        ];

    private static Finding? Unmeasured(VersionFacts facts, List<(DatasetView Dataset, AnonymityMeasure)> measured)
    {
        if (facts.NotKnown() is { } reason)
        {
            return Finding.NotEvidenced(reason, facts.InputReferences());
        }

        var open = facts
            .Inputs.Select(input => input.Dataset!)
            .Where(dataset => measured.All(pair => pair.Dataset.Sha256 != dataset.Sha256))
            .ToList();
        return open.Count > 0
            ? Finding.NotEvidenced(
                $"No quasi-identifiers are set for {Data.Names(open.Select(dataset => dataset.Name))}, so groups aren't measured.",
                facts.InputReferences()
            )
            : null;
    }
}
