using Governance.Policy;
using Governance.Policy.Contracts;

namespace Governance.Tests.Policy;

public class ApprovalTests
{
    private const string Text = """
        version: 1
        approvals: { lifetime_hours: 1 }
        free_aliases: []
        rules:
          "stage:Production":
            require: {}
            carry_out: [release-manager]
            approvals:
              - { role: reviewer, count: 1 }
              - { role: privacy-officer, count: 1 }
        """;

    [Theory]
    [InlineData("both", Verdict.NeedsApproval)]
    [InlineData("reviewer reviewer", Verdict.NeedsApproval)]
    [InlineData("both both", Verdict.Allow)]
    [InlineData("both reviewer", Verdict.Allow)]
    [InlineData("both privacy-officer", Verdict.Allow)]
    [InlineData("reviewer both", Verdict.Allow)]
    [InlineData("reviewer privacy-officer", Verdict.Allow)]
    public void Two_approvals_are_two_persons_whatever_roles_one_of_them_holds(string roles, Verdict verdict)
    {
        var approvals = roles
            .Split(' ')
            .Select((role, i) => new ApprovalFact($"p{i}", role == "both" ? ["reviewer", "privacy-officer"] : [role]));

        Assert.Equal(verdict, Decide([.. approvals], eligible: 2).Verdict);
    }

    [Fact]
    public void One_person_left_for_two_approvals_is_nobody_left()
    {
        var decision = Decide([], eligible: 1);

        Assert.Equal("policy.no_eligible_approver", Assert.Single(decision.Unmet).Code);
    }

    private static Decision Decide(IReadOnlyList<ApprovalFact> approvals, int eligible) =>
        PolicyModule
            .ParsePromotion(Text)
            .Decide(
                new Facts
                {
                    Target = "stage:Production",
                    FromStage = "None",
                    Status = "READY",
                    Quarantined = false,
                    HoldsProtected = false,
                    CallerRoles = ["release-manager"],
                    CallerMayWrite = false,
                    ScanClass = "",
                    Sbom = false,
                    SignatureVerified = false,
                    Lineage = false,
                    Privacy = "",
                    PrivacyReasons = [],
                    Approvals = approvals,
                    ExcludedApprovers = [],
                    EligibleApprovers = eligible,
                }
            );
}
