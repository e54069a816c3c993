using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Kernel;

namespace Governance.Tests.Identity;

public sealed class RightsTests
{
    private static readonly Actor Ana = new(ActorKind.Person, "ana");
    private static readonly Dictionary<string, RoleDefinition> Roles = new()
    {
        ["maker"] = new("maker", new HashSet<string> { "model:read" }, new HashSet<string> { "model:write" }),
    };

    [Theory]
    [InlineData("*", "anything", true)]
    [InlineData("fraud-*", "fraud-card", true)]
    [InlineData("fraud-*", "Fraud-card", false)]
    [InlineData("fraud-*", "my-fraud-card", false)]
    [InlineData("*-card", "fraud-card", true)]
    [InlineData("a*b*c", "axxbyyc", true)]
    [InlineData("a*b*c", "axxbyy", false)]
    [InlineData("fraud", "fraud", true)]
    [InlineData("fraud", "fraud2", false)]
    [InlineData("fr.ud", "fraud", false)]
    [InlineData("", "x", false)]
    public void Patterns_match_whole_names(string pattern, string name, bool expected) =>
        Assert.Equal(expected, NamePattern.Matches(pattern, name));

    [Fact]
    public void A_hostile_pattern_costs_no_more_than_pattern_times_name()
    {
        var pattern = string.Concat(Enumerable.Repeat("a*", 120)) + "b";
        var clock = System.Diagnostics.Stopwatch.StartNew();

        Assert.False(NamePattern.Matches(pattern, new string('a', 2000)));
        Assert.True(clock.ElapsedMilliseconds < 1000);
    }

    [Theory]
    // role scope, permission, object, owner, verdict
    [InlineData(null, "model:read", "fraud", "bob", true)]
    [InlineData(null, "model:write", "fraud", "bob", false)]
    [InlineData(null, "model:write", "fraud", "ana", true)]
    [InlineData(null, "model:write", "fraud", null, false)]
    [InlineData("fraud*", "model:read", "credit", "ana", false)]
    [InlineData("fraud*", "model:write", "fraud", "bob", true)]
    [InlineData("fraud*", "model:write", "credit", "ana", false)]
    [InlineData(null, "audit:read", "fraud", "ana", false)]
    public void Own_means_owned_or_named_by_pattern(
        string? pattern,
        string permission,
        string model,
        string? owner,
        bool expected
    )
    {
        var grant = pattern is null
            ? new RoleGrant("maker", ObjectKind.None, "")
            : new RoleGrant("maker", ObjectKind.Model, pattern);
        var rights = new Rights(Ana, [grant], Roles);

        Assert.Equal(expected, rights.Allows(new Permission(permission), AccessTarget.Model(model, owner)));
    }

    [Fact]
    public void A_grant_on_models_reaches_neither_experiments_nor_the_whole()
    {
        var rights = new Rights(Ana, [new RoleGrant("maker", ObjectKind.Model, "*")], Roles);

        Assert.False(rights.Allows(Permissions.ModelRead, AccessTarget.Experiment("x", "ana")));
        Assert.False(rights.Allows(Permissions.ModelRead, AccessTarget.Global));
        Assert.True(rights.AllowsSomewhere(Permissions.ModelRead));
    }

    [Fact]
    public void An_unknown_role_grants_nothing()
    {
        var rights = new Rights(Ana, [new RoleGrant("root", ObjectKind.None, "")], Roles);

        Assert.Empty(rights.Grants);
        Assert.DoesNotContain(
            Permissions.All,
            permission =>
                permission != Permissions.Public && permission != Permissions.Self && rights.AllowsSomewhere(permission)
        );
    }

    [Theory]
    [InlineData("fourteen chars", false)]
    [InlineData("fifteen charact", true)]
    [InlineData("passwordpassword", false)]
    [InlineData("PasswordPassword", false)]
    [InlineData("aaaaaaaaaaaaaaaaaaaa", false)]
    [InlineData("abcabcabcabcabcabc", false)]
    [InlineData("seven wet otters juggle", true)]
    public void A_password_is_long_and_not_common(string password, bool accepted) =>
        Assert.Equal(accepted, AccountRules.CheckPassword(new Secret(password)) is null);

    [Theory]
    [InlineData("viewer", ObjectKind.None, "", null)]
    [InlineData("viewer", ObjectKind.Model, "fraud-*", null)]
    [InlineData("root", ObjectKind.None, "", "identity.unknown_role")]
    [InlineData("viewer", ObjectKind.None, "x", "identity.bad_pattern")]
    [InlineData("viewer", ObjectKind.Model, "", "identity.bad_pattern")]
    [InlineData("viewer", (ObjectKind)9, "x", "identity.bad_pattern")]
    [InlineData("viewer", ObjectKind.Model, "a\nb", "identity.bad_pattern")]
    public void A_grant_names_a_known_role_and_a_sane_scope(
        string role,
        ObjectKind kind,
        string pattern,
        string? code
    ) => Assert.Equal(code, GrantRules.CheckGrant(new RoleGrant(role, kind, pattern))?.Code);

    [Theory]
    [InlineData("release-manager", ObjectKind.Model, "stage:Staging", "", null)]
    [InlineData("data-scientist", ObjectKind.None, "alias:*", "alias:champion", null)]
    [InlineData("reviewer", ObjectKind.None, "delete-version", "delete-model", null)]
    [InlineData("release-manager", ObjectKind.None, "rename:x*", "", null)]
    [InlineData("release-manager", ObjectKind.None, "stage:*", "", null)]
    [InlineData("release-manager", ObjectKind.None, "stage:production", "", "identity.bad_targets")]
    [InlineData("release-manager", ObjectKind.None, "champion", "", "identity.bad_targets")]
    [InlineData("release-manager", ObjectKind.None, "alias:", "", "identity.bad_targets")]
    [InlineData("release-manager", ObjectKind.None, "*", "", "identity.bad_targets")]
    [InlineData("release-manager", ObjectKind.None, "", "alias:a\nb", "identity.bad_targets")]
    [InlineData("release-manager", ObjectKind.Dataset, "stage:Staging", "", "identity.bad_targets")]
    [InlineData("viewer", ObjectKind.None, "stage:Staging", "", "identity.bad_targets")]
    [InlineData("admin", ObjectKind.None, "", "alias:champion", "identity.bad_targets")]
    public void Targets_are_words_of_a_closed_vocabulary_for_roles_that_move(
        string role,
        ObjectKind kind,
        string only,
        string except,
        string? code
    ) =>
        Assert.Equal(
            code,
            GrantRules
                .CheckGrant(
                    new RoleGrant(role, kind, kind == ObjectKind.None ? "" : "x")
                    {
                        Targets = new TargetScope(only.Length == 0 ? [] : [only], except.Length == 0 ? [] : [except]),
                    }
                )
                ?.Code
        );
}
