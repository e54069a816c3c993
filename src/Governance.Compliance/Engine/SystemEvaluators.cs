using System.Globalization;
using Governance.Compliance.Contracts;
using Governance.Evidence.Contracts;
using Governance.Registry.Contracts;

namespace Governance.Compliance.Engine;

/// <summary>Controls on the version itself: bytes, signature, log, decisions.</summary>
internal static class SystemEvaluators
{
    public static Finding Integrity(VersionFacts facts)
    {
        var signature = facts.Item(EvidenceKind.Signature);
        var references = Data.Reference(signature).Concat(LogReferences(facts)).ToList();
        if (facts.Version.Quarantined)
        {
            return Finding.Gap("Stored bytes were found changed; the version is quarantined.", references);
        }

        if (signature?.Outcome is EvidenceOutcome.Failed or EvidenceOutcome.Error || facts.SignatureVerified == false)
        {
            return Finding.Gap("The signature over the frozen files doesn't verify.", references);
        }

        if (signature is null or { Outcome: EvidenceOutcome.Missing } && facts.Version.Status == VersionStatus.Ready)
        {
            return Finding.Gap("The version is registered without a signature over its files.", references);
        }

        if (signature?.Outcome != EvidenceOutcome.Passed || facts.SignatureVerified is null)
        {
            return Finding.NotEvidenced("The signature isn't there to be verified.", references);
        }

        var log = AuditLog(facts);
        return log.State == ControlState.Met
            ? Finding.Met($"The signature over all files of the version verified now. {log.Explanation}", references)
            : log;
    }

    public static Finding Security(VersionFacts facts)
    {
        var integrity = Integrity(facts);
        if (integrity.State == ControlState.Gap)
        {
            return integrity;
        }

        var items = new[] { EvidenceKind.Scan, EvidenceKind.Sbom }
            .Select(kind => (Kind: kind, Item: facts.Item(kind)))
            .ToList();
        var references = integrity.Evidence.Concat(items.SelectMany(pair => Data.Reference(pair.Item))).ToList();
        var failed = items
            .Where(pair => pair.Item?.Outcome is EvidenceOutcome.Failed or EvidenceOutcome.Error)
            .ToList();
        if (failed.Count > 0)
        {
            return Finding.Gap(
                $"Evidence speaks against the version: {Data.Names(failed.Select(pair => $"{Data.Word(pair.Kind)} ({pair.Item!.Class})"))}.",
                references
            );
        }

        var open = items.Where(pair => pair.Item?.Outcome != EvidenceOutcome.Passed).ToList();
        if (open.Count > 0 || integrity.State != ControlState.Met)
        {
            return Finding.NotEvidenced(
                open.Count > 0
                    ? $"Not there for the present bytes: {Data.Names(open.Select(pair => Data.Word(pair.Kind)))}."
                    : integrity.Explanation,
                references
            );
        }

        return Finding.Met(
            integrity.Explanation
                + " Files were scanned without being loaded and itemised; tests of recovery lie outside this evidence.",
            references
        );
    }

    public static Finding AuditLog(VersionFacts facts)
    {
        var references = LogReferences(facts).ToList();
        if (facts.Log.Absent.Count > 0)
        {
            return Finding.Gap(
                $"Evidence or decisions name {facts.Log.Absent.Count} entries that the log doesn't have.",
                [.. references, .. facts.Log.Absent.Take(10).Select(id => $"entry:{id}")]
            );
        }

        if (facts.Log.Checkpoint is null || facts.Log.Named.Count == 0)
        {
            return Finding.NotEvidenced("No signed checkpoint covers entries about the version yet.", references);
        }

        return facts.Log.Unproven.Count > 0
            ? Finding.NotEvidenced(
                $"{facts.Log.Unproven.Count} of {facts.Log.Named.Count} entries are not yet under a signed checkpoint.",
                references
            )
            : Finding.Met(
                $"All {facts.Log.Named.Count} log entries that evidence and decisions name are under a signed checkpoint.",
                [.. references, .. facts.Log.Named.Take(10).Select(id => $"entry:{id}")]
            );
    }

    public static Finding AuthenticatedActors(VersionFacts facts) =>
        facts.Log.Anonymous > 0
            ? Finding.Gap(
                $"{facts.Log.Anonymous} of {facts.Log.Done} actions on the version have no authenticated actor.",
                LogReferences(facts)
            )
        : facts.Log.Done == 0 ? Finding.NotEvidenced("The log holds no action on the version.", LogReferences(facts))
        : Finding.Met(
            $"Each of {facts.Log.Done} actions on the version in the log has an authenticated actor.",
            LogReferences(facts)
        );

    public static Finding Accountability(VersionFacts facts)
    {
        var references = facts
            .Decisions.Take(10)
            .Select(fact =>
                $"decision:{fact.Decision.Id} policy sha256:{fact.Decision.PolicyDigest} entry:{fact.Decision.EntryId}"
            )
            .ToList();
        if (facts.Decisions.Count == 0)
        {
            return Finding.NotEvidenced("No decision about the version is recorded yet.", references);
        }

        var broken = facts.Decisions.Count(fact => fact.Replays == false);
        if (broken > 0)
        {
            return Finding.Gap($"{broken} recorded decisions don't come out the same when replayed.", references);
        }

        var unpinned = facts.Evidence?.Items.Count(item =>
            item.Outcome != EvidenceOutcome.Missing && string.IsNullOrWhiteSpace(item.RulesVersion)
        );
        if (unpinned > 0)
        {
            return Finding.Gap($"{unpinned} pieces of evidence don't name the version of their rules.", references);
        }

        var lost = facts.Decisions.Count(fact => fact.Replays is null);
        return lost > 0
            ? Finding.NotEvidenced($"The policy of {lost} decisions isn't found by its digest.", references)
            : Finding.Met(
                $"Recorded decisions ({facts.Decisions.Count}) name their policy by digest and come out the same when replayed on the recorded facts.",
                references
            );
    }

    public static Finding PromotionGate(VersionFacts facts)
    {
        var allowed = facts
            .Decisions.Where(fact => fact.Decision.Verdict == "allow")
            .Select(fact => fact.Decision.Target)
            .ToHashSet(StringComparer.Ordinal);
        var references = facts
            .Decisions.Take(10)
            .Select(fact => $"decision:{fact.Decision.Id} {fact.Decision.Verdict} entry:{fact.Decision.EntryId}")
            .Concat(facts.Receipts.Take(10).Select(id => $"receipt:{id}"))
            .ToList();
        var bypassed = facts.ProtectedHoldings.Where(target => !allowed.Contains(target)).ToList();
        if (bypassed.Count > 0)
        {
            return Finding.Gap($"Held without a decision that allows it: {Data.Names(bypassed)}.", references);
        }

        if (facts.Decisions.Count == 0)
        {
            return Finding.NotEvidenced(
                "Nobody asked for a promotion yet, so the checks weren't put to use.",
                references
            );
        }

        if (facts.ProtectedHoldings.Count > 0 && facts.Receipts.Count == 0)
        {
            return Finding.NotEvidenced("The promotion was decided, but its receipt isn't there.", references);
        }

        var refused = facts.Decisions.Count(fact => fact.Decision.Verdict != "allow");
        return Finding.Met(
            facts.ProtectedHoldings.Count > 0
                ? $"Held after a decision that allows it: {Data.Names(facts.ProtectedHoldings)}; calls held back: {refused}."
                : $"The version holds nothing protected; calls held back: {refused} of {facts.Decisions.Count}.",
            references
        );
    }

    private static IEnumerable<string> LogReferences(VersionFacts facts) =>
        facts.Log.Checkpoint is { } note ? [$"checkpoint:{TreeSize(note)}"] : [];

    // C2SP tlog-checkpoint: origin, tree size, root hash, one per line.
    private static string TreeSize(string note)
    {
        var lines = note.Split('\n');
        return
            lines.Length > 1 && long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            ? size.ToString(CultureInfo.InvariantCulture)
            : "unreadable";
    }
}
