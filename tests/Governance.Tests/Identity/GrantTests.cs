using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Logging;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

/// <summary>Grants and groups at run time: who may give what to whom.</summary>
public sealed class GrantTests : IAsyncLifetime
{
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

    public async ValueTask DisposeAsync() => await _host.DisposeAsync();

    private IGroups Groups => _host.Services.GetRequiredService<IGroups>();

    private IAccess Access => _host.Services.GetRequiredService<IAccess>();

    [Fact]
    public async Task A_grant_with_targets_and_an_end_is_listed_as_it_was_given_and_logged_whole()
    {
        var (id, _) = await _host.EnrolServiceAsync("ci");
        using var keeper = await _host.AdminAsync("keeper");

        var (status, granted) = await PostAsync(
            keeper,
            "/api/v1/grants",
            $$"""{"subject":"{{id}}","role":"data-scientist","kind":"model","pattern":"fraud-*","targets":["alias:dev-*"],"exceptTargets":["alias:dev-champion"],"expiresAt":"2099-01-01T00:00:00Z"}"""
        );
        using var second = await _host.AdminAsync("second");
        var (confirmed, _) = await PostAsync(second, $"/api/v1/confirmations/{granted["confirmation"]}/confirm", "");
        var list = await keeper.GetFromJsonAsync<JsonNode>($"/api/v1/grants?holder={id}");
        var entry = Assert.Single(_host.Log.Entries, entry => entry.Kind == "identity.granted");

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.NoContent), (status, confirmed));
        Assert.True(granted["pending"]!.GetValue<bool>()); // it opens the bytes of others
        Assert.Equal(
            granted["grant"]!.ToJsonString(),
            Assert.Single(list!["items"]!.AsArray())!["grant"]!.ToJsonString()
        );
        Assert.Equal(["alias:dev-*"], granted["grant"]!["targets"]!.AsArray().Select(target => target!.ToString()));
        Assert.Equal(
            """{"role":"data-scientist","kind":"Model","pattern":"fraud-*","targets":["alias:dev-*"],"except":["alias:dev-champion"],"expires":4070908800000}""",
            entry.Details["new"]!.ToJsonString()
        );
        Assert.Null(entry.Details["old"]);
    }

    [Fact]
    public async Task What_was_revoked_is_in_the_log()
    {
        var (id, _) = await _host.EnrolServiceAsync("ci");
        using var keeper = await _host.AdminAsync("keeper");
        var (_, granted) = await PostAsync(keeper, "/api/v1/grants", $$"""{"subject":"{{id}}","role":"viewer"}""");

        using var revoked = await keeper.DeleteAsync($"/api/v1/grants/{granted["id"]}");
        using var again = await keeper.DeleteAsync($"/api/v1/grants/{granted["id"]}");
        var entry = Assert.Single(_host.Log.Entries, entry => entry.Kind == "identity.grant_revoked");

        Assert.Equal([HttpStatusCode.NoContent, HttpStatusCode.NotFound], [revoked.StatusCode, again.StatusCode]);
        Assert.Equal("viewer", entry.Details["old"]!["role"]!.ToString());
        Assert.Equal($"subject:{id}", entry.Subject);
    }

    [Fact]
    public async Task An_administrator_of_a_pattern_grants_within_it_and_nowhere_else()
    {
        var (id, _) = await _host.EnrolServiceAsync("ci");
        using var half = await _host.AdminAsync("half", "fraud-*");

        foreach (
            var (scope, expected) in ((string Scope, HttpStatusCode Expected)[])
                [
                    (""","kind":"model","pattern":"fraud-card-*" """, HttpStatusCode.Created),
                    (""","kind":"model","pattern":"fraud-card" """, HttpStatusCode.Created),
                    (""","kind":"model","pattern":"*" """, HttpStatusCode.Forbidden),
                    (""","kind":"model","pattern":"fraud*" """, HttpStatusCode.Forbidden),
                    (""","kind":"model","pattern":"*fraud-" """, HttpStatusCode.Forbidden),
                    (""","kind":"model","pattern":"Fraud-card" """, HttpStatusCode.Forbidden),
                    (""","kind":"experiment","pattern":"fraud-card" """, HttpStatusCode.Forbidden),
                    (""","kind":"dataset","pattern":"fraud-card" """, HttpStatusCode.Forbidden),
                    ("", HttpStatusCode.Forbidden),
                ]
        )
        {
            var (status, _) = await PostAsync(
                half,
                "/api/v1/grants",
                $$"""{"subject":"{{id}}","role":"viewer"{{scope}}}"""
            );
            Assert.Equal((scope, expected), (scope, status));
        }

        Assert.Equal(
            7,
            _host.Log.Entries.Count(entry =>
                entry.Kind == "identity.grant_refused" && entry.Outcome == LogOutcome.Refused
            )
        );
    }

    [Fact]
    public async Task An_administrator_of_a_pattern_sees_and_revokes_only_what_lies_within_it()
    {
        var (id, _) = await _host.EnrolServiceAsync("ci");
        using var keeper = await _host.AdminAsync("keeper");
        var (_, inside) = await PostAsync(keeper, "/api/v1/grants", Grant(id, "model", "fraud-a"));
        var (_, outside) = await PostAsync(keeper, "/api/v1/grants", Grant(id, "model", "credit-a"));
        using var half = await _host.AdminAsync("half", "fraud-*");

        var seen = await half.GetFromJsonAsync<JsonNode>($"/api/v1/grants?holder={id}");
        using var foreign = await half.DeleteAsync($"/api/v1/grants/{outside["id"]}");
        using var absent = await half.DeleteAsync($"/api/v1/grants/{Guid.Empty}");
        using var own = await half.DeleteAsync($"/api/v1/grants/{inside["id"]}");

        Assert.Equal(inside["id"]!.ToString(), Assert.Single(seen!["items"]!.AsArray())!["id"]!.ToString());
        Assert.Equal(HttpStatusCode.NotFound, foreign.StatusCode);
        Assert.Equal(await absent.Content.ReadAsStringAsync(), await foreign.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.NoContent, own.StatusCode);
    }

    [Theory]
    [InlineData("""{"subject":"S","role":"viewer","targets":["stage:Staging"]}""", "identity.bad_targets")]
    [InlineData("""{"subject":"S","role":"data-scientist","targets":["champion"]}""", "identity.bad_targets")]
    [InlineData("""{"subject":"S","role":"data-scientist","targets":[null]}""", "identity.bad_json")]
    [InlineData("""{"subject":"S","role":"viewer","expiresAt":"2001-01-01T00:00:00Z"}""", "identity.bad_expiry")]
    [InlineData("""{"subject":"S","role":"viewer","expiresAt":"soon"}""", "identity.bad_json")]
    [InlineData("""{"role":"viewer"}""", "identity.bad_holder")]
    [InlineData("""{"subject":"S","group":"G","role":"viewer"}""", "identity.bad_holder")]
    [InlineData("""{"subject":"nobody","role":"viewer"}""", "identity.no_subject")]
    [InlineData("""{"group":"nobody","role":"viewer"}""", "identity.no_subject")]
    public async Task A_grant_that_makes_no_sense_is_refused_with_a_code(string body, string code)
    {
        var (id, _) = await _host.EnrolServiceAsync("ci");
        using var keeper = await _host.AdminAsync("keeper");

        var (_, answer) = await PostAsync(
            keeper,
            "/api/v1/grants",
            body.Replace("\"S\"", $"\"{id}\"", StringComparison.Ordinal)
        );

        Assert.Equal(code, answer["code"]!.ToString());
    }

    [Fact]
    public async Task A_grant_that_ended_gives_nothing_and_makes_room_for_another()
    {
        var (id, _) = await _host.EnrolServiceAsync("ci");
        using var keeper = await _host.AdminAsync("keeper");
        var end = DateTimeOffset.UtcNow.AddSeconds(2);
        var body = $$"""{"subject":"{{id}}","role":"viewer","expiresAt":"{{end:O}}"}""";
        Assert.Equal(HttpStatusCode.Created, (await PostAsync(keeper, "/api/v1/grants", body)).Status);
        var actor = new Actor(ActorKind.Service, id);
        Assert.True((await RightsAsync(actor)).AllowsSomewhere(Permissions.ModelRead));
        Assert.Equal(HttpStatusCode.Conflict, (await PostAsync(keeper, "/api/v1/grants", body)).Status);

        await Task.Delay(
            end - DateTimeOffset.UtcNow + TimeSpan.FromMilliseconds(50),
            TestContext.Current.CancellationToken
        );

        Assert.False((await Access.RightsOfAsync(actor, default)).AllowsSomewhere(Permissions.ModelRead));
        Assert.False((await RightsAsync(actor)).AllowsSomewhere(Permissions.ModelRead));
        var (status, _) = await PostAsync(keeper, "/api/v1/grants", $$"""{"subject":"{{id}}","role":"viewer"}""");
        Assert.Equal(HttpStatusCode.Created, status);
        Assert.NotNull(_host.Log.Entries.Last(entry => entry.Kind == "identity.granted").Details["old"]);
    }

    [Fact]
    public async Task A_group_gives_its_members_what_it_is_granted_as_long_as_they_are_in_it()
    {
        var (id, _) = await _host.EnrolServiceAsync("ci");
        using var keeper = await _host.AdminAsync("keeper");
        var actor = new Actor(ActorKind.Service, id);
        var (_, group) = await PostAsync(keeper, "/api/v1/groups", """{"name":"makers"}""");
        await PostAsync(
            keeper,
            "/api/v1/grants",
            $$"""{"group":"{{group["id"]}}","role":"viewer","kind":"model","pattern":"fraud-*"}"""
        );
        var before = await RightsAsync(actor);

        var (added, _) = await PostAsync(keeper, $"/api/v1/groups/{group["id"]}/members", $$"""{"subject":"{{id}}"}""");
        var during = await RightsAsync(actor);
        using var removed = await keeper.DeleteAsync($"/api/v1/groups/{group["id"]}/members/{id}");
        var after = await RightsAsync(actor);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (added, removed.StatusCode));
        Assert.Equal(
            [false, true, false],
            new[] { before, during, after }.Select(rights =>
                rights.Allows(Permissions.ModelRead, AccessTarget.Model("fraud-a", null))
            )
        );
        Assert.Equal(group["id"]!.ToString(), Assert.Single(during.Grants).Group);
        Assert.Equal(
            ["identity.group_created", "identity.granted", "identity.member_added", "identity.member_removed"],
            _host.Log.Entries.Where(entry => entry.Subject == $"group:{group["id"]}").Select(entry => entry.Kind)
        );
    }

    [Fact]
    public async Task Nobody_widens_their_own_rights_through_a_group()
    {
        using var keeper = await _host.AdminAsync("keeper");
        var me = (await keeper.GetFromJsonAsync<JsonNode>("/api/v1/whoami"))!["id"]!.ToString();
        using var other = await _host.AdminAsync("other");
        var (_, group) = await PostAsync(keeper, "/api/v1/groups", """{"name":"makers"}""");
        var members = $"/api/v1/groups/{group["id"]}/members";
        var grant = $$"""{"group":"{{group["id"]}}","role":"data-scientist"}""";

        var (self, refused) = await PostAsync(keeper, members, $$"""{"subject":"{{me}}"}""");
        Assert.Equal((HttpStatusCode.Forbidden, "identity.self_grant"), (self, refused["code"]!.ToString()));
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(other, members, $$"""{"subject":"{{me}}"}""")).Status);

        var (inside, denied) = await PostAsync(keeper, "/api/v1/grants", grant);

        Assert.Equal((HttpStatusCode.Forbidden, "identity.self_grant"), (inside, denied["code"]!.ToString()));
        Assert.Equal(HttpStatusCode.Created, (await PostAsync(other, "/api/v1/grants", grant)).Status);
        Assert.Equal(2, _host.Log.Entries.Count(entry => entry.Kind == "identity.grant_refused"));
    }

    [Fact]
    public async Task Membership_takes_the_right_to_grant_everything_that_the_group_has()
    {
        var (id, _) = await _host.EnrolServiceAsync("ci");
        using var keeper = await _host.AdminAsync("keeper");
        using var half = await _host.AdminAsync("half", "fraud-*");
        var (_, group) = await PostAsync(keeper, "/api/v1/groups", """{"name":"makers"}""");
        var members = $"/api/v1/groups/{group["id"]}/members";
        var body = $$"""{"subject":"{{id}}"}""";

        var empty = (await PostAsync(half, members, body)).Status;
        await PostAsync(keeper, "/api/v1/grants", GroupGrant(group, "fraud-a"));
        await PostAsync(keeper, "/api/v1/grants", GroupGrant(group, "credit-a"));
        var beyond = (await PostAsync(half, members, body)).Status;
        var credit = (await keeper.GetFromJsonAsync<JsonNode>($"/api/v1/grants?holder={group["id"]}"))!["items"]!
            .AsArray()
            .Single(held => held!["grant"]!["pattern"]!.ToString() == "credit-a")!["id"];
        await keeper.DeleteAsync($"/api/v1/grants/{credit}");
        var within = (await PostAsync(half, members, body)).Status;
        using var made = await half.PostAsync("/api/v1/groups", Json("""{"name":"mine"}"""));
        using var listed = await half.GetAsync("/api/v1/groups");

        Assert.Equal([HttpStatusCode.NotFound, HttpStatusCode.NotFound, HttpStatusCode.OK], [empty, beyond, within]);
        Assert.Equal([HttpStatusCode.Forbidden, HttpStatusCode.Forbidden], [made.StatusCode, listed.StatusCode]);
    }

    [Fact]
    public async Task Nobody_is_put_into_an_external_group_by_hand()
    {
        var (id, _) = await _host.EnrolServiceAsync("ci");
        using var keeper = await _host.AdminAsync("keeper");
        const string Bound =
            """{"name":"entra","external":{"issuer":"https://login.example/v2.0","claim":"groups","value":"0f1e"}}""";
        var (created, group) = await PostAsync(keeper, "/api/v1/groups", Bound);

        var (added, answer) = await PostAsync(
            keeper,
            $"/api/v1/groups/{group["id"]}/members",
            $$"""{"subject":"{{id}}"}"""
        );
        var (twice, _) = await PostAsync(
            keeper,
            "/api/v1/groups",
            Bound.Replace("\"entra\"", "\"entra2\"", StringComparison.Ordinal)
        );

        Assert.Equal(HttpStatusCode.Created, created);
        Assert.Equal((HttpStatusCode.Conflict, "identity.external_group"), (added, answer["code"]!.ToString()));
        Assert.Equal(HttpStatusCode.Conflict, twice);
        Assert.DoesNotContain("0f1e\"", string.Concat(_host.Log.Entries.Select(entry => entry.Details.ToJsonString())));
    }

    [Fact]
    public async Task A_reviewer_through_a_group_is_among_those_who_can_approve()
    {
        var maria = await _host.EnrolPersonAsync("maria");
        var group = (await Groups.CreateAsync(Actor.System, "reviewers", null, default)).Value;
        await Groups.AddMemberAsync(Actor.System, group.Id, maria, default);
        await _host
            .Services.GetRequiredService<IGrants>()
            .GrantAsync(
                Actor.System,
                null,
                group.Id,
                new RoleGrant("reviewer", ObjectKind.Model, "fraud-*")
                {
                    Targets = new TargetScope([], ["stage:Production"]),
                },
                default
            );

        var target = AccessTarget.Model("fraud-a", null);

        Assert.Equal([maria], await Persons(target));
        Assert.Equal([maria], await Persons(target with { Touches = ["stage:Staging"] }));
        Assert.Empty(await Persons(target with { Touches = ["stage:Production"] }));
        Assert.Empty(await Persons(AccessTarget.Model("credit", null)));
    }

    [Fact]
    public async Task Groups_of_the_file_are_there_from_the_start()
    {
        var policies = Directory.CreateTempSubdirectory("governance-policies-").FullName;
        var text = await File.ReadAllTextAsync(
            Path.Combine(Governance.Tests.Platform.TestDatabase.PoliciesDirectory(), "roles.yaml"),
            TestContext.Current.CancellationToken
        );
        await File.WriteAllTextAsync(
            Path.Combine(policies, "roles.yaml"),
            text + "\ngroups:\n  - { name: watchers, grants: [{ role: viewer, model: \"fraud-*\" }] }\n",
            TestContext.Current.CancellationToken
        );
        await using var host = await IdentityHost.StartAsync(policies: policies);
        Directory.Delete(policies, recursive: true);
        using var keeper = await host.AdminAsync("keeper");

        var groups = await keeper.GetFromJsonAsync<JsonNode>("/api/v1/groups");
        var group = Assert.Single(groups!["items"]!.AsArray())!;
        var grants = await keeper.GetFromJsonAsync<JsonNode>($"/api/v1/grants?holder={group["id"]}");

        Assert.Equal("watchers", group["name"]!.ToString());
        Assert.Equal("fraud-*", Assert.Single(grants!["items"]!.AsArray())!["grant"]!["pattern"]!.ToString());
    }

    private Task<IReadOnlyList<string>> Persons(AccessTarget target) =>
        _host.Subjects.PersonsWithRoleAsync("reviewer", target, TestContext.Current.CancellationToken);

    private Task<Rights> RightsAsync(Actor actor) =>
        Access.RightsNowAsync(actor, TestContext.Current.CancellationToken);

    private static string Grant(string subject, string kind, string pattern) =>
        $$"""{"subject":"{{subject}}","role":"viewer","kind":"{{kind}}","pattern":"{{pattern}}"}""";

    private static string GroupGrant(JsonNode group, string pattern) =>
        $$"""{"group":"{{group["id"]}}","role":"viewer","kind":"model","pattern":"{{pattern}}"}""";

    private static async Task<(HttpStatusCode Status, JsonNode Body)> PostAsync(
        HttpClient client,
        string path,
        string body
    )
    {
        using var answer = await client.PostAsync(path, Json(body), TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return (answer.StatusCode, text.Length == 0 ? new JsonObject() : JsonNode.Parse(text)!);
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");
}
