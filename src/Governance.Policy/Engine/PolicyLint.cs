using Governance.Identity.Contracts;
using Governance.Policy.Contracts;

namespace Governance.Policy.Engine;

/// <summary>
/// Looks for rules that are never asked, can never be met, or let through what a stricter rule of the same policy keeps out. Every
/// finding of the first two kinds is serious: the policy does not do what it says.
/// </summary>
internal static class PolicyLint
{
    private const string Production = "stage:Production";
    private static readonly string[] Governed =
    [
        "stage:Staging",
        Production,
        "stage:Archived",
        "stage:None",
        "alias:*",
        "alias-removal:*",
        "rename:*",
        "delete-version",
        "delete-model",
    ];

    /// <summary>What was found; nothing when the policy is in order.</summary>
    /// <param name="rules">The policy.</param>
    /// <param name="holders">How many persons hold a role; null when that is not known.</param>
    public static IReadOnlyList<PolicyFinding> Check(PromotionRules rules, IReadOnlyDictionary<string, int>? holders) =>
        [
            .. Unreachable(rules),
            .. Impossible(rules),
            .. Unruled(rules),
            .. Doubled(rules),
            .. Weaker(rules),
            .. Lenient(rules),
            .. holders is null ? [] : Unapprovable(rules, holders),
        ];

    private static IEnumerable<PolicyFinding> Unreachable(PromotionRules rules)
    {
        foreach (var (target, name) in Aliases(rules))
        {
            if (rules.FreeAliases.FirstOrDefault(pattern => NamePattern.Matches(pattern, name)) is { } free)
            {
                yield return Serious(
                    "policy.unreachable",
                    target,
                    $"This rule is never asked: the alias is free by the pattern {free}."
                );
            }
        }

        for (var i = 0; i < rules.FreeAliases.Count; i++)
        {
            var pattern = rules.FreeAliases[i];
            var covering = rules.FreeAliases.Where((other, at) => at != i && NamePattern.Matches(other, pattern));
            if (
                covering.FirstOrDefault() is { } wider
                && (wider != pattern || rules.FreeAliases.Take(i).Contains(pattern))
            )
            {
                yield return Minor(
                    "policy.unreachable",
                    pattern,
                    $"This pattern says nothing that {wider} does not say."
                );
            }
        }
    }

    private static IEnumerable<PolicyFinding> Impossible(PromotionRules rules)
    {
        foreach (var (target, rule) in rules.Rules)
        {
            if (rule.ScanClasses is { Count: 0 })
            {
                yield return Serious("policy.impossible", target, "No scan passes: the list of classes is empty.");
            }

            if (rule.PrivacyOutcomes is { Count: 0 })
            {
                yield return Serious("policy.impossible", target, "No privacy outcome passes: the list is empty.");
            }
        }
    }

    private static IEnumerable<PolicyFinding> Unruled(PromotionRules rules) =>
        from target in Governed
        where !rules.Rules.ContainsKey(target)
        select Minor("policy.no_rule", target, "There is no rule: whatever is governed by it is refused.");

    private static IEnumerable<PolicyFinding> Doubled(PromotionRules rules) =>
        from rule in rules.Rules
        from role in rule.Value.Approvals.GroupBy(approval => approval.Role)
        where role.Count() > 1
        select Minor(
            "policy.doubled",
            rule.Key,
            $"{role.Key} is asked for {role.Count()} times, {role.Sum(one => one.Count)} persons in all: write it once."
        );

    // What serves through an alias serves as much as what is in Production.
    private static IEnumerable<PolicyFinding> Weaker(PromotionRules rules)
    {
        if (!rules.Rules.TryGetValue(Production, out var bar))
        {
            yield break;
        }

        foreach (
            var (target, rule) in rules.Rules.Where(rule => rule.Key.StartsWith("alias:", StringComparison.Ordinal))
        )
        {
            string[] less =
            [
                .. Less(bar.Signature && !rule.Signature, "signature"),
                .. Less(bar.Sbom && !rule.Sbom, "sbom"),
                .. Less(bar.Lineage && !rule.Lineage, "lineage"),
                .. Less(Wider(bar.ScanClasses, rule.ScanClasses), "scan"),
                .. Less(Wider(bar.PrivacyOutcomes, rule.PrivacyOutcomes), "privacy"),
                .. Less(Persons(rule) < Persons(bar), "approvals"),
            ];
            if (less.Length > 0)
            {
                yield return Minor(
                    "policy.weaker",
                    target,
                    $"This asks for less than {Production}, and an alias serves as well: {string.Join(", ", less)}."
                );
            }
        }
    }

    private static IEnumerable<PolicyFinding> Lenient(PromotionRules rules)
    {
        if (rules.FreeAliases.Contains("*"))
        {
            yield return Minor(
                "policy.all_free",
                "*",
                "Every alias is free: nothing that an alias serves is governed."
            );
        }

        foreach (var (target, rule) in rules.Rules)
        {
            var risky = (rule.ScanClasses ?? []).Where(word => word != "clean").ToList();
            if (risky.Count > 0)
            {
                yield return Minor(
                    "policy.runs_code",
                    target,
                    $"Models whose scan says {string.Join(" or ", risky)} pass: they may run code when they are loaded."
                );
            }
        }
    }

    // The requester, the author and the last editor of the policy never count; who they are is not known here, one of them always is.
    private static IEnumerable<PolicyFinding> Unapprovable(
        PromotionRules rules,
        IReadOnlyDictionary<string, int> holders
    ) =>
        from rule in rules.Rules
        from role in rule.Value.Approvals.GroupBy(approval => approval.Role, approval => approval.Count)
        let there = holders.GetValueOrDefault(role.Key)
        where there < role.Sum()
        select Serious(
            "policy.no_eligible_approver",
            rule.Key,
            $"{role.Sum()} approvals by {role.Key} are needed, and {there} persons hold that role."
        );

    private static IEnumerable<(string Target, string Name)> Aliases(PromotionRules rules) =>
        from target in rules.Rules.Keys
        where target.StartsWith("alias:", StringComparison.Ordinal) && target != "alias:*"
        select (target, target["alias:".Length..]);

    private static bool Wider(IReadOnlyList<string>? bar, IReadOnlyList<string>? passing) =>
        bar is not null && (passing is null || passing.Except(bar, StringComparer.Ordinal).Any());

    private static int Persons(PromotionRule rule) => rule.Approvals.Sum(approval => approval.Count);

    private static IEnumerable<string> Less(bool less, string what) => less ? [what] : [];

    private static PolicyFinding Serious(string code, string target, string message) =>
        new(code, target, message, true);

    private static PolicyFinding Minor(string code, string target, string message) => new(code, target, message, false);
}
