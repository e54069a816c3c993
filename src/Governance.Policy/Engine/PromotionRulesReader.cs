using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Governance.Policy.Engine;

/// <summary>Reads promotion.yaml: a closed vocabulary; unknown, doubled or misplaced words are refused with line and column.</summary>
internal static class PromotionRulesReader
{
    private const int MaxCharacters = 256 * 1024;
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

    private static YamlNode Document(string text)
    {
        if (text.Length > MaxCharacters)
        {
            throw new PolicySyntaxException(1, 1, $"the policy is longer than {MaxCharacters} characters.");
        }

        try
        {
            var stream = new YamlStream();
            stream.Load(new AnchorRefusingParser(new Parser(new StringReader(text))));
            return stream.Documents.Count == 1
                ? stream.Documents[0].RootNode
                : throw new PolicySyntaxException(1, 1, "write exactly one YAML document.");
        }
        catch (YamlException exception)
        {
            throw new PolicySyntaxException(exception.Start.Line, exception.Start.Column, exception.Message);
        }
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

    private static List<string> Words(YamlNode node, string[]? allowed) =>
        [.. Sequence(node).Select(item => Text(item, allowed))];

    private static IList<YamlNode> Sequence(YamlNode node) =>
        node is YamlSequenceNode sequence ? sequence.Children : throw At(node, "write a list: [a, b].");

    private static YamlMappingNode Mapping(YamlNode node, string what) =>
        node as YamlMappingNode ?? throw At(node, $"{what} must be a mapping of names to values.");

    private static Dictionary<string, YamlNode> Map(YamlNode node, string what, string[] allowed)
    {
        var map = new Dictionary<string, YamlNode>(StringComparer.Ordinal);
        foreach (var (key, value) in Mapping(node, what).Children)
        {
            map.Add(Text(key, allowed), value);
        }

        map[Self] = node;
        return map;
    }

    private const string Self = "";

    private static YamlNode Required(Dictionary<string, YamlNode> map, string key) =>
        map.TryGetValue(key, out var value) ? value : throw At(map[Self], $"'{key}' is missing.");

    private static string Text(YamlNode node, string[]? allowed)
    {
        if (node is not YamlScalarNode { Value: { Length: > 0 and <= 200 } text })
        {
            throw At(node, "write a word here.");
        }

        return allowed is null || allowed.Contains(text)
            ? text
            : throw At(node, $"'{text}' is not known here; write one of: {string.Join(", ", allowed)}.");
    }

    private static long Number(YamlNode node, long least, long most) =>
        long.TryParse(Text(node, null), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && number >= least
        && number <= most
            ? number
            : throw At(node, $"write a whole number from {least} to {most}.");

    private static PolicySyntaxException At(YamlNode node, string problem) =>
        new(node.Start.Line, node.Start.Column, problem);
}
