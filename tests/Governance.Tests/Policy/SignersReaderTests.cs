using Governance.Policy;
using Governance.Policy.Contracts;
using Governance.Policy.Engine;
using Governance.Tests.Platform;

namespace Governance.Tests.Policy;

public sealed class SignersReaderTests
{
    [Fact]
    public void The_shipped_policy_asks_for_no_arriving_signature_and_warns_of_reading_unsigned_versions_in_production()
    {
        var policy = PolicyModule.ParseSigners(
            File.ReadAllText(Path.Combine(TestDatabase.PoliciesDirectory(), "signers.yaml"))
        );

        var rule = policy.For("anything");
        Assert.Equal(Strictness.Off, rule.Arriving);
        Assert.Equal(Strictness.Warn, rule.ReadIn("Production"));
        Assert.Equal(Strictness.Off, rule.ReadIn("None"));
    }

    [Fact]
    public void The_first_rule_that_matches_is_in_force()
    {
        var policy = PolicyModule.ParseSigners(Text());

        Assert.Equal("partner", policy.For("team-a-fraud").Signers.Single().Name);
        Assert.Equal(Strictness.Enforce, policy.For("team-a-fraud").Arriving);
        Assert.Equal(Strictness.Off, policy.For("other").Arriving);
    }

    [Theory]
    [InlineData("version: 1", "version: 2", 1, 10)]
    [InlineData("rules:", "ruels:", 6, 1)]
    [InlineData("mode: enforce", "mode: maybe", 7, 45)]
    [InlineData("signers: [partner]", "signers: [nobody]", 7, 64)]
    [InlineData("signers: [partner]", "signers: []", 7, 63)]
    [InlineData("issuer: \"https://idp\"", "who: \"https://idp\"", 5, 40)]
    [InlineData("trusted_root: gateway", "trusted_root: elsewhere", 5, 77)]
    [InlineData("trusted_root: gateway", "trusted_root: gateway, key: x", 5, 12)]
    [InlineData("models: \"*\"", "models: \"b*\"", 7, 3)]
    [InlineData("trusted_roots: {}", "trusted_roots: { a: \"{}\" }", 3, 21)]
    [InlineData("trusted_roots: {}", "trusted_roots: &a {}", 3, 16)]
    public void What_is_not_in_the_vocabulary_is_refused_with_its_place(
        string right,
        string wrong,
        int line,
        int column
    )
    {
        var refused = Assert.Throws<PolicySyntaxException>(() =>
            PolicyModule.ParseSigners(Text().Replace(right, wrong, StringComparison.Ordinal))
        );

        Assert.Equal((line, column), (refused.Line, refused.Column));
    }

    private static string Text() =>
        """
            version: 1
            # No root of others.
            trusted_roots: {}
            signers:
              partner: { identity: "https://ci/*", issuer: "https://idp", trusted_root: gateway }
            rules:
              - { models: "team-a-*", arriving: { mode: enforce, signers: [partner] }, read: { otherwise: warn } }
              - { models: "*", arriving: { mode: "off", signers: [] }, read: { otherwise: "off" } }
            """;
}
