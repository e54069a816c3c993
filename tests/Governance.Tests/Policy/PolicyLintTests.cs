using Governance.Policy.Contracts;
using Governance.Policy.Engine;
using Governance.Tests.Platform;

namespace Governance.Tests.Policy;

public class PolicyLintTests
{
    [Fact]
    public void The_shipped_policy_is_in_order() =>
        Assert.Empty(
            Check(File.ReadAllText(Path.Combine(TestDatabase.PoliciesDirectory(), "promotion.yaml")), ("reviewer", 2))
        );

    [Theory]
    [InlineData(
        """["dev-*"]""",
        "alias:dev-1",
        "{ require: { signature: verified, privacy: [pass] }, carry_out: [admin], approvals: [{ role: reviewer, count: 1 }] }",
        "policy.unreachable alias:dev-1!"
    )]
    [InlineData(
        """["dev-*", "dev-1"]""",
        "stage:None",
        "{ require: {}, carry_out: [admin], approvals: [] }",
        "policy.unreachable dev-1"
    )]
    [InlineData(
        """[one, one]""",
        "stage:None",
        "{ require: {}, carry_out: [admin], approvals: [] }",
        "policy.unreachable one"
    )]
    [InlineData(
        "[]",
        "stage:Staging",
        "{ require: { scan: [] }, carry_out: [admin], approvals: [] }",
        "policy.impossible stage:Staging!"
    )]
    [InlineData(
        "[]",
        "stage:Staging",
        "{ require: { privacy: [] }, carry_out: [admin], approvals: [] }",
        "policy.impossible stage:Staging!"
    )]
    [InlineData(
        "[]",
        "stage:Staging",
        "{ require: { scan: [clean, contains-code] }, carry_out: [admin], approvals: [] }",
        "policy.runs_code stage:Staging"
    )]
    [InlineData("""["*"]""", "stage:None", "{ require: {}, carry_out: [admin], approvals: [] }", "policy.all_free *")]
    [InlineData(
        "[]",
        "stage:Staging",
        "{ require: {}, carry_out: [admin], approvals: [{ role: reviewer, count: 1 }, { role: reviewer, count: 1 }] }",
        "policy.doubled stage:Staging"
    )]
    [InlineData(
        "[]",
        "stage:Staging",
        "{ require: {}, carry_out: [admin], approvals: [{ role: privacy-officer, count: 1 }] }",
        "policy.no_eligible_approver stage:Staging!"
    )]
    [InlineData(
        "[]",
        "alias:champion",
        "{ require: { signature: verified, scan: [clean] }, carry_out: [admin], approvals: [] }",
        "policy.weaker alias:champion"
    )]
    public void What_is_hardly_meant_is_named(string free, string target, string rule, string expected)
    {
        var findings = Check(
            $$"""
            version: 1
            approvals: { lifetime_hours: 1 }
            free_aliases: {{free}}
            rules:
              "stage:Production":
                require: { signature: verified, privacy: [pass] }
                carry_out: [release-manager]
                approvals: [{ role: reviewer, count: 1 }]
              "{{target}}": {{rule}}
            """,
            ("reviewer", 2)
        );

        Assert.Equal(
            [expected],
            findings.Where(finding => !finding.StartsWith("policy.no_rule", StringComparison.Ordinal))
        );
    }

    [Fact]
    public void A_target_without_a_rule_is_named() =>
        Assert.Equal(
            [
                "policy.no_rule stage:Staging",
                "policy.no_rule stage:Production",
                "policy.no_rule stage:Archived",
                "policy.no_rule stage:None",
                "policy.no_rule alias:*",
                "policy.no_rule alias-removal:*",
                "policy.no_rule rename:*",
                "policy.no_rule delete-version",
                "policy.no_rule delete-model",
            ],
            Check("version: 1\napprovals: { lifetime_hours: 1 }\nfree_aliases: []\nrules: {}")
        );

    private static IEnumerable<string> Check(string text, params (string Role, int Persons)[] holders) =>
        PolicyLint
            .Check(
                PromotionRulesReader.Read(text),
                holders.Length == 0 ? null : holders.ToDictionary(one => one.Role, one => one.Persons)
            )
            .Select((PolicyFinding finding) => $"{finding.Code} {finding.Target}{(finding.Serious ? "!" : "")}");
}
