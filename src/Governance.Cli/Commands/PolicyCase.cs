using Governance.Policy.Contracts;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace Governance.Cli.Commands;

/// <summary>One case of a cases file: facts, and how the policy must decide them.</summary>
internal sealed record PolicyCase(string Name, Facts Facts, string Expect, IReadOnlyList<string> Unmet)
{
    private const int MaxDepth = 16;
    private static readonly string[] CaseKeys = ["name", "target", "facts", "expect", "unmet"];

    private static readonly string[] FactKeys =
    [
        "from",
        "status",
        "quarantined",
        "holds",
        "roles",
        "write",
        "scan",
        "sbom",
        "signature",
        "privacy",
        "privacy_reasons",
        "lineage",
        "approvals",
        "excluded",
        "eligible",
    ];

    /// <summary>Reads a cases file strictly. Stops with <c>cli.bad_cases</c>.</summary>
    public static IReadOnlyList<PolicyCase> ReadAll(string text)
    {
        try
        {
            RefuseDepthAndAnchors(text);
            var yaml = new YamlStream();
            yaml.Load(new StringReader(text));
            return yaml.Documents is [{ RootNode: YamlSequenceNode { Children.Count: > 0 } items }]
                ? [.. items.Children.Select(item => Of(Map(item, CaseKeys)))]
                : throw Bad("The file is one list of cases.");
        }
        catch (YamlException error)
        {
            throw Bad($"Line {error.Start.Line}: this is not YAML of a cases file.");
        }
    }

    /// <summary>Null when the decision is the expected one, else what differs.</summary>
    public string? Compare(Decision decision)
    {
        var verdict = decision.Verdict switch
        {
            Verdict.Allow => "allow",
            Verdict.NeedsApproval => "needs-approval",
            _ => "deny",
        };
        var unmet = decision.Unmet.Select(condition => condition.Code).ToList();
        return verdict != Expect ? $"expected {Expect}, decided {verdict} ({string.Join(", ", unmet)})"
            : !unmet.SequenceEqual(Unmet) ? $"expected [{string.Join(", ", Unmet)}], unmet [{string.Join(", ", unmet)}]"
            : null;
    }

    private static PolicyCase Of(YamlMappingNode item)
    {
        var facts = Node(item, "facts") is { } node ? Map(node, FactKeys) : [];
        return new PolicyCase(
            Text(item, "name") ?? throw Bad("A case has no name."),
            FactsOf(Text(item, "target") ?? throw Bad("A case has no target."), facts),
            Text(item, "expect") is { } expect and ("allow" or "needs-approval" or "deny")
                ? expect
                : throw Bad("A case expects allow, needs-approval or deny."),
            List(item, "unmet") ?? []
        );
    }

    // What a case leaves out is in order, so that it says only what it is about.
    private static Facts FactsOf(string target, YamlMappingNode facts) =>
        new()
        {
            Target = target,
            FromStage = Text(facts, "from") ?? "None",
            Status = Text(facts, "status") ?? "READY",
            Quarantined = Flag(facts, "quarantined", false),
            HoldsProtected = Flag(facts, "holds", false),
            CallerRoles = List(facts, "roles") ?? ["release-manager"],
            CallerMayWrite = Flag(facts, "write", false),
            ScanClass = Text(facts, "scan") ?? "clean",
            Sbom = Flag(facts, "sbom", true),
            SignatureVerified = Flag(facts, "signature", true),
            Privacy = Text(facts, "privacy") ?? "pass",
            PrivacyReasons = List(facts, "privacy_reasons") ?? [],
            Lineage = Flag(facts, "lineage", true),
            Approvals = Node(facts, "approvals") switch
            {
                null => [],
                YamlSequenceNode approvals => [.. approvals.Select(item => Approval(Map(item, "person", "roles")))],
                _ => throw Bad("approvals is a list."),
            },
            ExcludedApprovers = List(facts, "excluded") ?? [],
            EligibleApprovers =
                int.TryParse(Text(facts, "eligible") ?? "1", out var eligible) && eligible >= 0
                    ? eligible
                    : throw Bad("eligible is a number."),
        };

    private static ApprovalFact Approval(YamlMappingNode item) =>
        new(Text(item, "person") ?? throw Bad("An approval has no person."), List(item, "roles") ?? []);

    private static YamlMappingNode Map(YamlNode node, params IReadOnlyList<string> keys) =>
        node is YamlMappingNode map
            ? map.Children.Keys.Select(key => (key as YamlScalarNode)?.Value).FirstOrDefault(key => !keys.Contains(key))
                is { } unknown
                ? throw Bad($"Line {map.Start.Line}: {unknown} is not one of {string.Join(", ", keys)}.")
                : map
            : throw Bad($"Line {node.Start.Line}: members were expected.");

    private static YamlNode? Node(YamlMappingNode map, string key) =>
        map.Children.TryGetValue(key, out var node) ? node : null;

    private static string? Text(YamlMappingNode map, string key) =>
        Node(map, key) switch
        {
            null => null,
            YamlScalarNode scalar => scalar.Value,
            var other => throw Bad($"Line {other.Start.Line}: {key} is a text."),
        };

    private static bool Flag(YamlMappingNode map, string key, bool otherwise) =>
        Text(map, key) switch
        {
            null => otherwise,
            "true" => true,
            "false" => false,
            _ => throw Bad($"{key} is true or false."),
        };

    private static List<string>? List(YamlMappingNode map, string key) =>
        Node(map, key) switch
        {
            null => null,
            YamlSequenceNode items =>
            [
                .. items.Select(item => (item as YamlScalarNode)?.Value ?? throw Bad($"{key} lists texts.")),
            ],
            _ => throw Bad($"{key} is a list."),
        };

    // The loader below recurses; a file made to exhaust the stack ends here.
    private static void RefuseDepthAndAnchors(string text)
    {
        var parser = new Parser(new StringReader(text));
        var depth = 0;
        while (parser.MoveNext())
        {
            depth += parser.Current!.NestingIncrease;
            if (depth > MaxDepth || parser.Current is AnchorAlias or NodeEvent { Anchor.IsEmpty: false })
            {
                throw Bad($"Line {parser.Current.Start.Line}: anchors and deep nesting are not read.");
            }
        }
    }

    private static Stop Bad(string message) => Stop.Unusable("bad_cases", message);
}
