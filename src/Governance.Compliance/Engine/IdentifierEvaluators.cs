namespace Governance.Compliance.Engine;

/// <summary>Controls of 45 CFR 164.502 and 164.514 on identifiers.</summary>
internal static class IdentifierEvaluators
{
    /// <summary>Met only when a detector looks for the class, every input was scanned, and no column of the class is left.</summary>
    public static Finding Absent(VersionFacts facts, IdentifierClass wanted)
    {
        var ofClass = facts
            .InputColumns()
            .Where(column => column.IsPresent && wanted.Kinds.Contains(column.Finding.What))
            .ToList();
        // A tokenised or hashed identifier is a code made from it, which (R) and (c) do not take for removal.
        var codes =
            wanted.Key == "other-unique-codes"
                ? facts.InputColumns().Where(column => IdentifierClasses.Code.Contains(column.Finding.State)).ToList()
                : [];
        var coarse = ofClass
            .Where(column =>
                wanted.MayBeAllowed.Contains(column.Finding.What)
                || (
                    wanted.AllowedCoarse.Contains(column.Finding.What)
                    && IdentifierClasses.Coarsened.Contains(column.Finding.State)
                )
            )
            .ToList();
        var clear = ofClass.Except(coarse).Concat(codes).Distinct().ToList();
        if (clear.Count > 0)
        {
            return Finding.Gap($"Found: {Data.Names(clear.Select(Data.Label))}.", Data.References(clear));
        }

        if (facts.NotKnown() is { } reason)
        {
            return Finding.NotEvidenced(reason, facts.InputReferences());
        }

        if (coarse.Count > 0)
        {
            return Finding.NotEvidenced(
                $"{Data.Names(coarse.Select(Data.Label))}: whether this is coarse enough isn't measured.",
                Data.References(coarse)
            );
        }

        var text = facts.FreeText();
        if (text.Count > 0)
        {
            return Finding.NotEvidenced(
                $"Free text may hold such identifiers: {Data.Names(text.Select(Data.Label))}.",
                Data.References(text)
            );
        }

        return wanted.Detected
            ? Finding.Met(
                "Every input was scanned by its exact digest, every column is classified, and none holds such identifiers.",
                facts.InputReferences()
            )
            : Finding.NotEvidenced(
                "No column is named or declared as such, but no detector searches values for this class of identifiers yet.",
                facts.InputReferences()
            );
    }

    public static Finding MinimumNecessary(VersionFacts facts)
    {
        var minimal = DataEvaluators.Minimisation(facts);
        return minimal.State == Contracts.ControlState.Met
            ? Finding.NotEvidenced(
                minimal.Explanation + " Who needs which part of the data isn't recorded.",
                minimal.Evidence
            )
            : minimal;
    }

    public static Finding DeIdentified(VersionFacts facts)
    {
        var found = IdentifierClasses
            .ByKey.Values.OrderBy(item => item.Key, StringComparer.Ordinal)
            .Select(item => (item.Key, Finding: Absent(facts, item)))
            .Where(pair => pair.Finding.State == Contracts.ControlState.Gap)
            .ToList();
        return found.Count > 0
            ? Finding.Gap(
                $"Identifiers are left: {Data.Names(found.Select(pair => pair.Key))}.",
                found.SelectMany(pair => pair.Finding.Evidence).Distinct(StringComparer.Ordinal)
            )
            : Finding.NotEvidenced(
                facts.NotKnown()
                    ?? "Neither method is complete: no expert determination is held, and not every class of identifiers has a detector.",
                facts.InputReferences()
            );
    }

    public static Finding NoKnownReidentification(VersionFacts facts)
    {
        var alone = facts
            .InputColumns()
            .Select(column => column.Dataset)
            .Where(dataset => dataset.Anonymity is { UniqueRows: > 0 } or { K: 1 })
            .DistinctBy(dataset => dataset.Sha256)
            .ToList();
        return alone.Count > 0
            ? Finding.Gap(
                $"Rows stand alone in their group in {Data.Names(alone.Select(dataset => dataset.Name))}, which is now known.",
                alone.Select(dataset => Platform.Graph.Urn.Dataset(dataset.Sha256))
            )
            : Finding.NotEvidenced("Nobody's statement about what is known is held here.", facts.InputReferences());
    }

    public static Finding ReidentificationCode(VersionFacts facts)
    {
        var codes = facts
            .InputColumns()
            .Where(column => IdentifierClasses.Code.Contains(column.Finding.State))
            .ToList();
        if (codes.Count > 0)
        {
            return Finding.Gap(
                $"Codes made from the person's own data: {Data.Names(codes.Select(Data.Label))}.",
                Data.References(codes)
            );
        }

        return facts.NotKnown() is { } reason
            ? Finding.NotEvidenced(reason, facts.InputReferences())
            : Finding.Met("No column of any input is a code in place of an identifier.", facts.InputReferences());
    }

    public static Finding LimitedDataSet(VersionFacts facts)
    {
        var direct = facts.DirectIdentifiers();
        return direct.Count > 0
            ? Finding.Gap(
                $"Direct identifiers are left: {Data.Names(direct.Select(Data.Label))}.",
                Data.References(direct)
            )
            : Finding.NotEvidenced(
                facts.NotKnown() ?? "No data use agreement with a recipient is recorded here.",
                facts.InputReferences()
            );
    }
}
