using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Kernel;
using Governance.Tests.Platform;

namespace Governance.Tests.Identity;

public sealed class RoleFileTests
{
    // Design §4, written by hand: E everywhere, O own or granted by pattern, - nothing. Every permission has a row.
    private const string Expected = """
        permission           viewer scientist reviewer release privacy auditor admin
        experiment:read      E      E         E        E       E       E       -
        experiment:create    -      E         -        -       -       -       -
        experiment:write     -      O         -        -       -       -       -
        model:read           E      E         E        E       E       E       -
        model:create         -      E         -        -       -       -       -
        model:write          -      O         -        -       -       -       -
        artifact:read        -      O         E        -       -       -       -
        dataset:read         -      O         -        -       E       E       -
        dataset:write        -      O         -        -       -       -       -
        dataset:read-raw     -      O         -        -       E       -       -
        dataset:declare      -      -         -        -       E       -       -
        evidence:read        E      E         E        E       E       E       -
        finding:read         -      -         E        -       E       E       -
        lineage:read         E      E         E        E       E       E       -
        promotion:request    -      O         -        -       -       -       -
        promotion:approve    -      -         E        E       E       -       -
        promotion:carry-out  -      -         -        E       -       -       -
        promotion:read       -      O         E        E       E       E       -
        audit:read           -      -         -        -       -       E       -
        identity:resolve     -      -         -        -       -       E       -
        report:create        -      -         -        -       E       E       -
        report:read          -      -         -        -       E       E       -
        identity:manage      -      -         -        -       -       -       E
        subject:hold         -      -         -        -       E       -       -
        policy:manage        -      -         -        -       -       -       E
        policy:read          -      -         -        -       -       E       E
        keys:manage          -      -         -        -       -       -       E
        webhook:manage       -      -         -        -       -       -       E
        import:manage        -      -         -        -       -       -       E
        upstream:manage      -      -         -        -       -       -       E
        metrics:read         -      -         -        -       -       -       E
        """;

    private static readonly string[] Names =
    [
        "viewer",
        "data-scientist",
        "reviewer",
        "release-manager",
        "privacy-officer",
        "auditor",
        "admin",
    ];

    [Fact]
    public void The_shipped_roles_are_exactly_the_table()
    {
        var roles = RoleFile.Parse(Shipped()).Value.Roles;
        var rows = Expected.Split('\n').Skip(1).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        var seen = new HashSet<string>();

        foreach (var row in rows)
        {
            Assert.True(seen.Add(row[0]));
            for (var i = 0; i < Names.Length; i++)
            {
                var role = roles[Names[i]];
                var actual =
                    role.Everywhere.Contains(row[0]) ? "E"
                    : role.Own.Contains(row[0]) ? "O"
                    : "-";
                Assert.Equal((row[0], Names[i], row[i + 1]), (row[0], Names[i], actual));
            }
        }

        Assert.Equal(
            Permissions.All.Select(permission => permission.Name).Except(["public", "self:read"]).Order(),
            seen.Order()
        );
    }

    [Theory]
    [InlineData("model:read", "model:reed", "unknown permission 'model:reed'")]
    [InlineData("  auditor:", "  auditur:", "unknown role 'auditur'")]
    [InlineData("    own: []", "    owned: []", "unknown key 'owned'")]
    [InlineData("roles:", "rules:", "unknown key 'rules'")]
    [InlineData("    own: []", "    own: *own", "expected a list of permissions")]
    [InlineData("- experiment:read", "- !x experiment:read", "without anchor or tag")]
    [InlineData("- experiment:read", "- public", "unknown permission 'public'")]
    [InlineData("- experiment:read", "- model:read", "listed twice")]
    [InlineData("- experiment:read", "- [a]", "expected a plain name")]
    public void A_wrong_word_is_refused_with_its_place(string from, string to, string reason)
    {
        var text = Shipped();
        var at = text.IndexOf(from, StringComparison.Ordinal);

        var result = RoleFile.Parse(text[..at] + to + text[(at + from.Length)..]);

        Assert.False(result.Ok);
        Assert.Equal("identity.roles_invalid", result.Failure.Code);
        Assert.Contains(reason, result.Failure.Message, StringComparison.Ordinal);
        Assert.Matches("line [0-9]+, column [0-9]+", result.Failure.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("roles: {}")]
    [InlineData("[]")]
    [InlineData("roles:\n  admin:\n    everywhere: [identity:manage]\n")]
    [InlineData("roles:\n\t- x")]
    [InlineData("roles: {}\n---\nroles: {}")]
    [InlineData("roles:\n  admin: {everywhere: [model:read], own: [model:read]}")]
    public void A_file_without_exactly_the_seven_roles_is_refused(string text) =>
        Assert.Equal("identity.roles_invalid", RoleFile.Parse(text).Failure?.Code);

    [Fact]
    public void The_place_of_a_wrong_permission_is_exact()
    {
        const string text = "roles:\n  viewer:\n    everywhere: [model:read, model:eat]\n";

        Assert.Contains("line 3, column 30", RoleFile.Parse(text).Failure!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Groups_and_their_grants_are_read()
    {
        var policy = RoleFile.Parse(Shipped() + Groups).Value;

        Assert.Equal(TimeSpan.FromMinutes(30), policy.ExternalMaxAge);
        Assert.Equal(["risk-reviewers", "entra-release"], policy.Groups.Select(group => group.Name));
        Assert.Equal(new ExternalClaim("https://login.example/v2.0", "groups", "0f1e2d3c"), policy.Groups[1].External);
        var grant = Assert.Single(policy.Groups[0].Grants);
        Assert.Equal(("reviewer", ObjectKind.Model, "fraud-*"), (grant.Role, grant.Kind, grant.Pattern));
        Assert.Equal(["stage:Staging"], grant.Targets.Only);
        Assert.Equal(["alias:champion"], grant.Targets.Except);
    }

    [Theory]
    [InlineData("name: risk-reviewers", "name: entra-release", "appears twice")]
    [InlineData("name: risk-reviewers", "name: Risk Reviewers", "1 to 64 characters")]
    [InlineData("role: reviewer", "role: revewer", "no role of that name")]
    [InlineData("model: \"fraud-*\"", "modle: x", "unexpected 'modle'")]
    [InlineData("model: \"fraud-*\"", "model: x, dataset: y", "unexpected 'dataset'")]
    [InlineData("\"stage:Staging\"", "\"stage:staging\"", "Targets are")]
    [InlineData("claim: groups", "claim: email", "cannot change")]
    [InlineData("issuer: \"https", "issuer: \"http", "https issuer")]
    [InlineData("claim: groups", "klaim: groups", "unknown key 'klaim'")]
    [InlineData("minutes: 30", "minutes: 0", "1 to 1440")]
    [InlineData("minutes: 30", "minutes: 1e3", "1 to 1440")]
    [InlineData("    external:", "    externally:", "unknown key 'externally'")]
    [InlineData("- { role: viewer }", "- { role: viewer }\n      - { role: viewer }", "granted the same twice")]
    public void A_wrong_group_is_refused_with_its_place(string from, string to, string reason)
    {
        Assert.Contains(from, Groups, StringComparison.Ordinal);

        var result = RoleFile.Parse(Shipped() + Groups.Replace(from, to, StringComparison.Ordinal));

        Assert.Equal("identity.roles_invalid", result.Failure?.Code);
        Assert.Contains(reason, result.Failure!.Message, StringComparison.Ordinal);
        Assert.Matches("line [0-9]+, column [0-9]+", result.Failure.Message);
    }

    private const string Groups = """

        external_groups_max_age_minutes: 30
        groups:
          - name: risk-reviewers
            grants:
              - { role: reviewer, model: "fraud-*", targets: ["stage:Staging"], except: ["alias:champion"] }
          - name: entra-release
            external: { issuer: "https://login.example/v2.0", claim: groups, value: 0f1e2d3c }
            grants:
              - { role: viewer }
        """;

    [Fact]
    public async Task The_gateway_does_not_start_on_an_unknown_permission()
    {
        var policies = Directory.CreateTempSubdirectory("governance-policies-").FullName;
        await File.WriteAllTextAsync(
            Path.Combine(policies, "roles.yaml"),
            Shipped().Replace("audit:read", "audit:everything", StringComparison.Ordinal),
            TestContext.Current.CancellationToken
        );

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            IdentityHost.StartAsync(policies: policies)
        );

        Assert.Contains("unknown permission 'audit:everything'", refused.Message, StringComparison.Ordinal);
        Directory.Delete(policies, recursive: true);
    }

    [Fact]
    public async Task A_changed_file_is_ignored_once_the_database_decides()
    {
        var host = await IdentityHost.StartAsync();
        await host.EnrolServiceAsync("ci-bot", "viewer");
        var root = await host.StopAsync();
        var policies = Directory.CreateTempSubdirectory("governance-policies-").FullName;
        await File.WriteAllTextAsync(
            Path.Combine(policies, "roles.yaml"),
            Shipped()
                .Replace("viewer:", "viewer: # changed", StringComparison.Ordinal)
                .Replace("      - identity:manage\n", "", StringComparison.Ordinal),
            TestContext.Current.CancellationToken
        );

        await using var restarted = await IdentityHost.StartAsync(policies: policies, root: root);
        var token = await restarted.ServiceTokenAsync("keeper", "admin");
        using var client = restarted.Client(token);
        using var response = await client.GetAsync("/api/v1/subjects", TestContext.Current.CancellationToken);

        Assert.True(response.IsSuccessStatusCode);
        Assert.DoesNotContain(restarted.Log.Entries, entry => entry.Kind == "policy.genesis");
        Directory.Delete(policies, recursive: true);
    }

    private static string Shipped() => File.ReadAllText(Path.Combine(TestDatabase.PoliciesDirectory(), "roles.yaml"));
}
