using Governance.Policy;
using Governance.Policy.Contracts;
using Governance.Policy.Engine;
using Governance.Tests.Platform;
using YamlDotNet.RepresentationModel;

namespace Governance.Tests.Policy;

public class PromotionCasesTests
{
    public static TheoryData<string> Names => [.. Cases().Select(item => Text(item, "name")!)];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_shipped_policy_decides_its_cases(string name)
    {
        var item = Cases().Single(candidate => Text(candidate, "name") == name);

        var decision = Shipped().Decide(FactsOf(item));

        var expected = Text(item, "expect") switch
        {
            "allow" => Verdict.Allow,
            "needs-approval" => Verdict.NeedsApproval,
            "deny" => Verdict.Deny,
            var other => throw new InvalidOperationException(other),
        };
        Assert.Equal(expected, decision.Verdict);
        Assert.Equal(List(item, "unmet") ?? [], decision.Unmet.Select(condition => condition.Code));
        Assert.Equal(
            expected == Verdict.NeedsApproval,
            decision.ApprovalsNeeded.Count > 0 && decision.Unmet.Count == 0
        );
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_recorded_decision_replays_to_the_same_answer(string name)
    {
        var facts = FactsOf(Cases().Single(candidate => Text(candidate, "name") == name));
        var codec = new DecisionCodec();

        var replayed = codec.Decode(
            (System.Text.Json.Nodes.JsonObject)
                Governance.Kernel.CanonicalJson.TryParse(
                    Governance.Kernel.CanonicalJson.Serialize(codec.Encode(facts))
                )!
        );

        Assert.Equivalent(facts, replayed, strict: true);
        Assert.Equivalent(Shipped().Decide(facts), Shipped().Decide(replayed), strict: true);
    }

    [Theory]
    [InlineData("version: 2", 1)]
    [InlineData("version: 1\nsurprise: 1", 2)]
    [InlineData("version: 1\nversion: 1", 2)]
    [InlineData("version: 1\napprovals: { lifetime_hours: 0 }\nfree_aliases: []\nrules: {}", 2)]
    [InlineData(
        "version: 1\napprovals: { lifetime_hours: 1 }\nfree_aliases: []\nrules:\n  \"stage:Production\": { require: {}, carry_out: [boss], approvals: [] }",
        5
    )]
    [InlineData(
        "version: 1\napprovals: { lifetime_hours: 1 }\nfree_aliases: []\nrules:\n  \"stage:Production\": { require: {}, carry_out: [], approvals: [] }",
        5
    )]
    [InlineData(
        "version: 1\napprovals: { lifetime_hours: 1 }\nfree_aliases: []\nrules:\n  \"stage:Produktion\": { require: {}, carry_out: [admin], approvals: [] }",
        5
    )]
    [InlineData("version: 1\napprovals: { lifetime_hours: 1 }\nfree_aliases: &a []\nrules: *a", 3)]
    [InlineData("version: 1\n\t- x", 1)]
    [InlineData("[[[[[[[[[[[[[[[[[[[[[[", 1)]
    public void A_bad_policy_is_refused_with_its_line(string text, long line) =>
        Assert.Equal(line, Assert.Throws<PolicySyntaxException>(() => PolicyModule.ParsePromotion(text)).Line);

    private static IPromotionPolicy Shipped() =>
        PolicyModule.ParsePromotion(File.ReadAllText(Path.Combine(TestDatabase.PoliciesDirectory(), "promotion.yaml")));

    private static IEnumerable<YamlMappingNode> Cases()
    {
        var stream = new YamlStream();
        stream.Load(
            new StringReader(File.ReadAllText(Path.Combine(TestDatabase.PoliciesDirectory(), "promotion.cases.yaml")))
        );
        return ((YamlSequenceNode)stream.Documents[0].RootNode).Children.Cast<YamlMappingNode>();
    }

    private static Facts FactsOf(YamlMappingNode item)
    {
        var facts = Node(item, "facts") as YamlMappingNode ?? [];
        bool Flag(string key, bool otherwise) => Text(facts, key) is { } text ? bool.Parse(text) : otherwise;
        return new Facts
        {
            Target = Text(item, "target")!,
            FromStage = Text(facts, "from") ?? "None",
            Status = Text(facts, "status") ?? "READY",
            Quarantined = Flag("quarantined", false),
            HoldsProtected = Flag("holds", false),
            CallerRoles = List(facts, "roles") ?? ["release-manager"],
            CallerMayWrite = Flag("write", false),
            ScanClass = Text(facts, "scan") ?? "clean",
            Sbom = Flag("sbom", true),
            SignatureVerified = Flag("signature", true),
            Privacy = Text(facts, "privacy") ?? "pass",
            PrivacyReasons = List(facts, "privacy_reasons") ?? [],
            Lineage = Flag("lineage", true),
            Approvals =
            [
                .. ((Node(facts, "approvals") as YamlSequenceNode)?.Children ?? []).Select(approval => new ApprovalFact(
                    Text((YamlMappingNode)approval, "person")!,
                    List((YamlMappingNode)approval, "roles")!
                )),
            ],
            ExcludedApprovers = List(facts, "excluded") ?? [],
            EligibleApprovers = int.Parse(Text(facts, "eligible") ?? "1"),
        };
    }

    private static YamlNode? Node(YamlMappingNode map, string key) =>
        map.Children.TryGetValue(key, out var node) ? node : null;

    private static string? Text(YamlMappingNode map, string key) => (Node(map, key) as YamlScalarNode)?.Value;

    private static List<string>? List(YamlMappingNode map, string key) =>
        (Node(map, key) as YamlSequenceNode)?.Children.Select(child => ((YamlScalarNode)child).Value!).ToList();
}
