using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Kernel;

namespace Governance.Tests.Identity;

public sealed class GrantIndexTests
{
    private static readonly Actor Ana = new(ActorKind.Person, "ana");
    private static readonly DateTimeOffset Now = new(2026, 11, 29, 12, 0, 0, TimeSpan.Zero);
    private static readonly Dictionary<string, RoleDefinition> Roles = new()
    {
        ["mover"] = new("mover", new HashSet<string> { "promotion:carry-out", "model:read" }, new HashSet<string>()),
        ["maker"] = new("maker", new HashSet<string> { "model:read" }, new HashSet<string> { "model:write" }),
        ["keeper"] = new("keeper", new HashSet<string> { "identity:manage" }, new HashSet<string>()),
    };

    [Theory]
    // only, except, touched, allowed
    [InlineData("", "", "stage:Production", true)]
    [InlineData("stage:Staging", "", "stage:Staging", true)]
    [InlineData("stage:Staging", "", "stage:Production", false)]
    [InlineData("stage:Staging", "", "alias:staging", false)]
    [InlineData("stage:Staging", "", "delete-version", false)]
    [InlineData("alias:*", "alias:champion", "alias:dev", true)]
    [InlineData("alias:*", "alias:champion", "alias:champion", false)]
    [InlineData("alias:*", "alias:champion", "alias:Champion", false)]
    [InlineData("", "alias:champ*", "alias:CHAMPION", false)]
    [InlineData("", "alias:champ*", "alias:chump", true)]
    [InlineData("alias:dev-*", "", "alias:dev-1", true)]
    [InlineData("alias:dev-*", "", "alias:Dev-1", false)]
    [InlineData("stage:*", "stage:Production", "stage:Archived", true)]
    [InlineData("stage:*", "stage:Production", "stage:Production", false)]
    public void A_grant_reaches_what_it_names_and_not_what_it_excepts(
        string only,
        string except,
        string touched,
        bool allowed
    )
    {
        var rights = new Rights(Ana, [Scoped("mover", only, except)], Roles);

        Assert.Equal(allowed, rights.Allows(Permissions.PromotionCarryOut, Move("fraud", touched)));
        Assert.Equal(allowed, rights.HasRole("mover", Move("fraud", touched)));
        Assert.Equal(allowed, rights.Explain(Permissions.PromotionCarryOut, Move("fraud", touched)).Allowed);
        Assert.True(rights.Allows(Permissions.ModelRead, AccessTarget.Model("fraud", null)));
    }

    [Fact]
    public void All_that_a_move_touches_must_be_reached_by_some_grant_that_gives_the_right()
    {
        var staging = Scoped("mover", "stage:Staging", "");
        var production = Scoped("mover", "stage:Production", "");
        var both = Move("fraud", "stage:Production", "stage:Staging");

        Assert.False(new Rights(Ana, [staging], Roles).Allows(Permissions.PromotionCarryOut, both));
        Assert.False(new Rights(Ana, [production], Roles).Allows(Permissions.PromotionCarryOut, both));
        Assert.True(new Rights(Ana, [staging, production], Roles).Allows(Permissions.PromotionCarryOut, both));
    }

    [Fact]
    public void A_grant_ends_when_it_says_so_also_when_it_was_read_before()
    {
        var index = new GrantIndex([new RoleGrant("mover", ObjectKind.None, "") { ExpiresAt = Now }], Roles);
        var before = new Rights(Ana, index, Now.AddMilliseconds(-1));
        var after = new Rights(Ana, index, Now);

        Assert.True(before.AllowsSomewhere(Permissions.ModelRead));
        Assert.True(before.Allows(Permissions.ModelRead, AccessTarget.Global));
        Assert.False(after.AllowsSomewhere(Permissions.ModelRead));
        Assert.False(after.Allows(Permissions.ModelRead, AccessTarget.Global));
        Assert.False(after.HasRole("mover", AccessTarget.Global));
        Assert.False(after.Explain(Permissions.ModelRead, AccessTarget.Global).Allowed);
        Assert.Empty(after.Grants);
    }

    [Theory]
    [InlineData("*", "fraud-*", true)]
    [InlineData("fraud-*", "fraud-*", true)]
    [InlineData("fraud-*", "fraud-card-*", true)]
    [InlineData("fraud-*", "fraud-card", true)]
    [InlineData("fraud-*", "fraud*", false)]
    [InlineData("fraud-*", "*", false)]
    [InlineData("fraud-*", "*fraud-x", false)]
    [InlineData("fraud-*-x", "fraud-*", false)]
    [InlineData("fraud-*-x", "fraud-a-*-x", true)]
    [InlineData("a", "a*", false)]
    [InlineData("a*b", "a*b*", false)]
    [InlineData("*a*", "b*a", true)]
    public void An_administrator_of_a_pattern_manages_what_lies_within_it(string outer, string inner, bool within)
    {
        var rights = new Rights(Ana, [new RoleGrant("keeper", ObjectKind.Model, outer)], Roles);

        Assert.Equal(
            within,
            rights.AllowsWithin(Permissions.IdentityManage, new RoleGrant("maker", ObjectKind.Model, inner))
        );
        Assert.False(rights.AllowsWithin(Permissions.IdentityManage, new RoleGrant("maker", ObjectKind.None, "")));
        Assert.False(
            rights.AllowsWithin(Permissions.IdentityManage, new RoleGrant("maker", ObjectKind.Dataset, inner))
        );
    }

    [Fact]
    public void The_index_answers_as_a_walk_over_all_grants_does()
    {
        var random = new Random(20261129);
        var names = Words(random, 300, star: false);
        for (var round = 0; round < 20; round++)
        {
            var grants = Words(random, random.Next(0, 60), star: true)
                .Select(pattern => new RoleGrant(
                    random.Next(2) == 0 ? "mover" : "maker",
                    random.Next(2) == 0 ? ObjectKind.Model : ObjectKind.Dataset,
                    pattern
                ))
                .ToList();
            var rights = new Rights(Ana, grants, Roles);
            foreach (var name in names)
            {
                var reaching = grants.Where(grant =>
                    grant.Kind == ObjectKind.Model && NamePattern.Matches(grant.Pattern, name)
                );
                var target = AccessTarget.Model(name, null);

                Assert.Equal(reaching.Any(), rights.Allows(Permissions.ModelRead, target));
                Assert.Equal(
                    reaching.Any(grant => grant.Role == "maker"),
                    rights.Allows(Permissions.ModelWrite, target)
                );
                Assert.Equal(reaching.Any(grant => grant.Role == "mover"), rights.HasRole("mover", target));
            }
        }
    }

    [Fact]
    public void An_explanation_names_the_grant_or_what_is_needed()
    {
        var grant = new RoleGrant("maker", ObjectKind.None, "")
        {
            Id = Guid.Parse("11111111-1111-1111-1111-111111111111"),
        };
        var rights = new Rights(Ana, [grant], Roles);

        var owned = rights.Explain(Permissions.ModelWrite, AccessTarget.Model("fraud", "ana"));
        var foreign = rights.Explain(Permissions.ModelWrite, AccessTarget.Model("fraud", "bob"));
        var read = rights.Explain(Permissions.ModelRead, AccessTarget.Model("fraud", "bob"));
        var scoped = new Rights(Ana, [Scoped("mover", "stage:Staging", "")], Roles).Explain(
            Permissions.PromotionCarryOut,
            Move("fraud", "stage:Production")
        );

        Assert.Equal((true, true, grant.Id), (owned.Allowed, owned.ByOwnership, owned.Grant?.Id));
        Assert.Equal((false, null), (foreign.Allowed, foreign.Grant));
        Assert.Equal(["maker"], foreign.Roles);
        Assert.Equal((true, false), (read.Allowed, read.ByOwnership));
        Assert.False(scoped.Allowed);
        Assert.Equal("mover", scoped.Grant?.Role);
        Assert.Equal(["stage:Production"], scoped.Unreached);
    }

    private static RoleGrant Scoped(string role, string only, string except) =>
        new(role, ObjectKind.None, "")
        {
            Targets = new TargetScope(only.Length == 0 ? [] : [only], except.Length == 0 ? [] : [except]),
        };

    private static AccessTarget Move(string model, params string[] touches) =>
        AccessTarget.Model(model, null) with
        {
            Touches = touches,
        };

    private static List<string> Words(Random random, int count, bool star) =>
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 5)).Select(_ => Letter(random, star)))),
        ];

    private static char Letter(Random random, bool star) => "abc*"[random.Next(star ? 4 : 3)];
}
