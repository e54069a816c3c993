using YamlDotNet.RepresentationModel;
using static Governance.Policy.Engine.PolicyYaml;

namespace Governance.Policy.Engine;

/// <summary>Reads promotion.yaml: a closed vocabulary; unknown, doubled or misplaced words are refused with line and column.</summary>
internal static class PromotionRulesReader
{
    private static readonly string[] ScanClasses = ["clean", "contains-code", "suspicious"];
    private static readonly string[] PrivacyOutcomes = ["pass", "incomplete"];

    private static readonly string[] Stages = ["None", "Staging", "Production", "Archived"];

    private static readonly string[] Roles =
    [
        "viewer",
        "data-scientist",
        "reviewer",
        "release-manager",
        "privacy-officer",
        "auditor",
        "admin",
    ];

    public static PromotionRules Read(string text)
    {
        var root = Map(Document(text), "the policy", ["version", "approvals", "free_aliases", "rules"]);
        if (Number(Required(root, "version"), 1, 1) != 1)
        {
            throw new InvalidOperationException("Only version 1 is read.");
        }

        var approvals = Map(Required(root, "approvals"), "approvals", ["lifetime_hours"]);
        var hours = Number(Required(approvals, "lifetime_hours"), 1, 24 * 90);
        var free = Words(Required(root, "free_aliases"), null);
        var rules = new Dictionary<string, PromotionRule>(StringComparer.Ordinal);
        foreach (var (key, value) in Mapping(Required(root, "rules"), "rules").Children)
        {
            rules.Add(Target(key), Rule(value));
        }

        return new PromotionRules(TimeSpan.FromHours(hours), free, rules);
    }

    private static PromotionRule Rule(YamlNode node)
    {
        var rule = Map(node, "a rule", ["require", "carry_out", "approvals"]);
        var require = Map(Required(rule, "require"), "require", ["signature", "sbom", "lineage", "scan", "privacy"]);
        return new PromotionRule(
            Word(require, "signature", "verified"),
            Word(require, "sbom", "present"),
            Word(require, "lineage", "present"),
            require.TryGetValue("scan", out var scan) ? Words(scan, ScanClasses) : null,
            require.TryGetValue("privacy", out var privacy) ? Words(privacy, PrivacyOutcomes) : null,
            NotEmpty(Words(Required(rule, "carry_out"), Roles), Required(rule, "carry_out")),
            [.. Sequence(Required(rule, "approvals")).Select(Approval)]
        );
    }

    private static ApprovalRule Approval(YamlNode node)
    {
        var approval = Map(node, "an approval", ["role", "count"]);
        return new ApprovalRule(
            Text(Required(approval, "role"), Roles),
            (int)Number(Required(approval, "count"), 1, 20)
        );
    }

    private static string Target(YamlNode node)
    {
        var text = Text(node, null);
        var known =
            text is "delete-version" or "delete-model" or "rename:*" or "alias:*" or "alias-removal:*"
            || text.StartsWith("stage:", StringComparison.Ordinal) && Stages.Contains(text["stage:".Length..])
            || (text.StartsWith("alias:", StringComparison.Ordinal) && text.Length > "alias:".Length);
        return known
            ? text
            : throw At(
                node,
                $"'{text}' is no target; write stage:<stage>, alias:<name>, alias:*, alias-removal:*, rename:*, delete-version or delete-model."
            );
    }

    private static bool Word(Dictionary<string, YamlNode> map, string key, string only) =>
        map.TryGetValue(key, out var node) && Text(node, [only]) == only;

    private static IReadOnlyList<string> NotEmpty(IReadOnlyList<string> words, YamlNode node) =>
        words.Count > 0 ? words : throw At(node, "name at least one role, else nobody can ever do this.");
}
