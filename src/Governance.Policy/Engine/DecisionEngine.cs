using Governance.Identity.Contracts;
using Governance.Policy.Contracts;

namespace Governance.Policy.Engine;

/// <summary>
/// The decision: a pure, total function of facts and rules. It knows no clock, no store and no randomness, so that a recorded
/// decision replays to the same answer. What is not known does not pass.
/// </summary>
internal static class DecisionEngine
{
    public static Decision Decide(PromotionRules rules, Facts facts)
    {
        if (RuleName(rules, facts) is not { } name)
        {
            return facts.CallerMayWrite
                ? new Decision(Verdict.Allow, [], [], "unprotected")
                : new Decision(
                    Verdict.Deny,
                    [new UnmetCondition("policy.write", "You may not write this model.")],
                    [],
                    "unprotected"
                );
        }

        if (!rules.Rules.TryGetValue(name, out var rule))
        {
            return new Decision(
                Verdict.Deny,
                [new UnmetCondition("policy.no_rule", $"The policy has no rule for {facts.Target}.")],
                [],
                name
            );
        }

        UnmetCondition[] unmet =
        [
            .. Role(rule, facts),
            .. State(rule, facts),
            .. Signature(rule, facts),
            .. Scan(rule, facts),
            .. Sbom(rule, facts),
            .. Lineage(rule, facts),
            .. Privacy(rule, facts),
        ];
        var missing = MissingApprovals(rule, facts).ToList();
        if (missing.Count > 0 && !EnoughPersons(rule, facts))
        {
            unmet =
            [
                .. unmet,
                new UnmetCondition(
                    "policy.no_eligible_approver",
                    $"Nobody is left who could approve: needed is {string.Join(" and ", missing)}."
                ),
            ];
        }

        var verdict =
            unmet.Length > 0 ? Verdict.Deny
            : missing.Count > 0 ? Verdict.NeedsApproval
            : Verdict.Allow;
        return new Decision(verdict, unmet, missing, name);
    }

    /// <summary>Whether a target is protected by itself, whatever the version holds.</summary>
    public static bool IsProtected(PromotionRules rules, string target)
    {
        var (kind, value) = Split(target);
        return kind switch
        {
            "stage" => value is "Staging" or "Production"
                || (value is not ("None" or "Archived") && !rules.Rules.ContainsKey(target)),
            "alias" or "alias-removal" => !rules.FreeAliases.Any(pattern => NamePattern.Matches(pattern, value)),
            _ => false,
        };
    }

    /// <summary>The rule that covers a target: the exact one, else the default of its kind.</summary>
    public static string RuleNameOf(PromotionRules rules, string target)
    {
        var (kind, _) = Split(target);
        return rules.Rules.ContainsKey(target) ? target : $"{kind}:*";
    }

    // Leaving None for None or Archived, or deleting what serves nobody, is the owner's own affair.
    private static string? RuleName(PromotionRules rules, Facts facts)
    {
        var (kind, _) = Split(facts.Target);
        var governed = kind switch
        {
            "stage" or "alias" => IsProtected(rules, facts.Target) || (kind == "stage" && facts.HoldsProtected),
            "alias-removal" => IsProtected(rules, facts.Target),
            _ => facts.HoldsProtected,
        };
        return governed ? RuleNameOf(rules, facts.Target) : null;
    }

    private static IEnumerable<UnmetCondition> Role(PromotionRule rule, Facts facts)
    {
        if (!facts.CallerRoles.Any(rule.CarryOut.Contains))
        {
            yield return new UnmetCondition(
                "policy.role",
                $"Only {string.Join(" or ", rule.CarryOut)} may do this; your roles here: {Words(facts.CallerRoles)}."
            );
        }
    }

    private static IEnumerable<UnmetCondition> State(PromotionRule rule, Facts facts)
    {
        if (facts.Quarantined && rule.NeedsEvidence)
        {
            yield return new UnmetCondition("policy.quarantined", "The version is quarantined.");
        }

        if (facts.Status != "READY" && rule.NeedsEvidence)
        {
            yield return new UnmetCondition("policy.not_ready", $"The version is {facts.Status}, not READY.");
        }
    }

    private static IEnumerable<UnmetCondition> Signature(PromotionRule rule, Facts facts)
    {
        if (!rule.Signature || facts.SignatureVerified)
        {
            yield break;
        }

        yield return new UnmetCondition(
            "policy.signature",
            "There is no signature that verifies over exactly these bytes."
        );
        foreach (var reason in facts.SignatureReasons)
        {
            yield return new UnmetCondition("policy.signature_reason", reason);
        }
    }

    private static IEnumerable<UnmetCondition> Scan(PromotionRule rule, Facts facts)
    {
        if (rule.ScanClasses is { } passing && !passing.Contains(facts.ScanClass))
        {
            yield return new UnmetCondition(
                "policy.scan",
                facts.ScanClass.Length == 0
                    ? "There is no scan of exactly these bytes by the current rules."
                    : $"The scan says {facts.ScanClass}; the policy accepts {Words(passing)}."
            );
        }
    }

    private static IEnumerable<UnmetCondition> Sbom(PromotionRule rule, Facts facts)
    {
        if (rule.Sbom && !facts.Sbom)
        {
            yield return new UnmetCondition("policy.sbom", "There is no bill of materials for exactly this version.");
        }
    }

    private static IEnumerable<UnmetCondition> Lineage(PromotionRule rule, Facts facts)
    {
        if (rule.Lineage && !facts.Lineage)
        {
            yield return new UnmetCondition("policy.lineage", "No lineage is recorded for this version.");
        }
    }

    private static IEnumerable<UnmetCondition> Privacy(PromotionRule rule, Facts facts)
    {
        if (rule.PrivacyOutcomes is not { } passing || passing.Contains(facts.Privacy))
        {
            yield break;
        }

        yield return new UnmetCondition(
            "policy.privacy",
            facts.Privacy.Length == 0
                ? "There is no privacy evaluation of exactly these inputs by the current rules."
                : $"The privacy evaluation says {facts.Privacy}; the policy accepts {Words(passing)}."
        );
        foreach (var reason in facts.PrivacyReasons)
        {
            yield return new UnmetCondition("policy.privacy_reason", reason);
        }
    }

    // One person stands for one approval, whatever roles they hold: what no assignment of persons to approvals covers is missing.
    private static IEnumerable<string> MissingApprovals(PromotionRule rule, Facts facts)
    {
        var given = Counting(facts).ToList();
        var slots = rule.Approvals.SelectMany(needed => Enumerable.Repeat(needed.Role, needed.Count)).ToList();
        var takenBy = new int?[given.Count];
        var missing = slots.Where((_, slot) => !TryCover(slot, slots, given, takenBy, [])).ToList();
        return rule
            .Approvals.Select(needed => needed.Role)
            .Distinct()
            .Select(role => (Role: role, Count: missing.Count(slot => slot == role)))
            .Where(open => open.Count > 0)
            .Select(open =>
                $"{open.Count} {(open.Count == 1 ? "approval" : "approvals")} by a {open.Role} other than the requester and the artifact's author"
            );
    }

    // An augmenting path (Kuhn 1955): a person who already stands for another approval is freed if somebody else can take that one.
    private static bool TryCover(
        int slot,
        List<string> slots,
        List<ApprovalFact> given,
        int?[] takenBy,
        HashSet<int> tried
    )
    {
        for (var person = 0; person < given.Count; person++)
        {
            if (
                given[person].Roles.Contains(slots[slot])
                && tried.Add(person)
                && (takenBy[person] is not { } other || TryCover(other, slots, given, takenBy, tried))
            )
            {
                takenBy[person] = slot;
                return true;
            }
        }

        return false;
    }

    private static bool EnoughPersons(PromotionRule rule, Facts facts) =>
        facts.EligibleApprovers >= rule.Approvals.Sum(needed => needed.Count);

    private static IEnumerable<ApprovalFact> Counting(Facts facts) =>
        facts
            .Approvals.Where(approval => !facts.ExcludedApprovers.Contains(approval.PersonId))
            .DistinctBy(approval => approval.PersonId);

    private static (string Kind, string Value) Split(string target)
    {
        var colon = target.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? (target, "") : (target[..colon], target[(colon + 1)..]);
    }

    private static string Words(IReadOnlyCollection<string> words) =>
        words.Count == 0 ? "none" : string.Join(", ", words);
}
