using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

/// <summary>Privileged grants take two administrators: to persons, services and groups, and by every way around.</summary>
public sealed class SecondPersonTests : IAsyncLifetime
{
    private IdentityHost _host = null!;
    private HttpClient _ada = null!;
    private HttpClient _bea = null!;
    private HttpClient _carl = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await IdentityHost.StartAsync();
        _ada = await _host.AdminAsync("ada");
        _bea = await _host.AdminAsync("bea");
        _carl = await _host.AdminAsync("carl");
    }

    public async ValueTask DisposeAsync()
    {
        _ada.Dispose();
        _bea.Dispose();
        _carl.Dispose();
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData("reviewer", "promotion:approve")]
    [InlineData("release-manager", "promotion:carry-out")]
    [InlineData("privacy-officer", "dataset:read-raw")]
    [InlineData("admin", "identity:manage")]
    public async Task A_privileged_grant_gives_nothing_until_another_administrator_confirms(
        string role,
        string permission
    )
    {
        var rita = await _host.EnrolPersonAsync("rita");

        var (status, asked) = await GrantAsync(_ada, $$"""{"subject":"{{rita}}","role":"{{role}}"}""");
        var before = await MayAsync(rita, permission);
        var (own, refused) = await DecideAsync(_ada, asked, "confirm");
        var stillBefore = await MayAsync(rita, permission);
        var (confirmed, _) = await DecideAsync(_bea, asked, "confirm");
        var after = await MayAsync(rita, permission);

        Assert.Equal(HttpStatusCode.Created, status);
        Assert.True(asked["pending"]!.GetValue<bool>());
        Assert.Equal((HttpStatusCode.Forbidden, "identity.own_confirmation"), (own, refused["code"]!.ToString()));
        Assert.Equal(HttpStatusCode.NoContent, confirmed);
        Assert.Equal([false, false, true], [before, stillBefore, after]);
        var log = _host.Log.Entries.Where(entry => entry.Subject == $"subject:{rita}").ToList();
        Assert.Equal(
            ["identity.person_enrolled", "identity.confirmation_requested", "identity.granted", "identity.confirmed"],
            log.Select(entry => entry.Kind)
        );
        Assert.Equal(role, log[1].Details["details"]!["grant"]!["role"]!.ToString());
        Assert.Equal(
            [await IdAsync(_ada), await IdAsync(_bea), await IdAsync(_bea)],
            log.Skip(1).Select(entry => entry.Actor.Id)
        );
    }

    [Theory]
    [InlineData("dataset", "*", "dataset:read-raw")]
    [InlineData("model", "fraud-*", "artifact:read")]
    [InlineData("experiment", "fraud", "artifact:read")]
    public async Task Reading_the_bytes_of_others_takes_two_administrators_and_of_ones_own_one(
        string kind,
        string pattern,
        string permission
    )
    {
        var (id, _) = await _host.EnrolServiceAsync("trainer");
        var service = new Actor(ActorKind.Service, id);
        var others = kind switch
        {
            "dataset" => AccessTarget.Dataset("fraud", "somebody"),
            "model" => AccessTarget.Model("fraud-1", "somebody"),
            _ => AccessTarget.Experiment("fraud", "somebody"),
        };

        var (_, own) = await GrantAsync(_ada, $$"""{"subject":"{{id}}","role":"data-scientist"}""");
        var (_, asked) = await GrantAsync(
            _ada,
            $$"""{"subject":"{{id}}","role":"data-scientist","kind":"{{kind}}","pattern":"{{pattern}}"}"""
        );
        var before = (await RightsAsync(service)).Allows(new Permission(permission), others);
        await DecideAsync(_bea, asked, "confirm");
        var after = (await RightsAsync(service)).Allows(new Permission(permission), others);

        Assert.Equal((false, true), (own["pending"]!.GetValue<bool>(), asked["pending"]!.GetValue<bool>()));
        Assert.Equal((false, true), (before, after));
    }

    [Fact]
    public async Task Whoever_gains_by_a_grant_does_not_confirm_it_either()
    {
        var bea = await IdAsync(_bea);
        var (_, toBea) = await GrantAsync(_ada, $$"""{"subject":"{{bea}}","role":"reviewer"}""");
        var group = await GroupAsync("reviewers", bea);
        var (_, toGroup) = await GrantAsync(_ada, $$"""{"group":"{{group}}","role":"reviewer"}""");
        var shown = (await WaitingAsync("grant")).Single(item => item["details"]!["who"] is not null)["details"]!;

        var own = (await DecideAsync(_bea, toBea, "confirm")).Status;
        var ofGroup = (await DecideAsync(_bea, toGroup, "confirm")).Status;
        var before = await MayAsync(bea, "promotion:approve");
        var other = (await DecideAsync(_carl, toGroup, "confirm")).Status;

        Assert.Equal(
            [HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.NoContent],
            [own, ofGroup, other]
        );
        Assert.Equal($"[\"{bea}\"]", shown["who"]!.ToJsonString());
        Assert.Equal("1", shown["members"]!.ToString());
        Assert.False(before);
        Assert.True(await MayAsync(bea, "promotion:approve"));
    }

    [Fact]
    public async Task Wider_and_longer_is_another_grant_that_waits_again()
    {
        var rita = await _host.EnrolPersonAsync("rita");
        var end = DateTimeOffset.UtcNow.AddSeconds(2);
        var narrow =
            $$"""{"subject":"{{rita}}","role":"reviewer","kind":"model","pattern":"fraud-*","expiresAt":"{{end:O}}"}""";
        var (_, first) = await GrantAsync(_ada, narrow);
        await DecideAsync(_bea, first, "confirm");
        Assert.True(await MayAsync(rita, "promotion:approve"));

        var (_, wider) = await GrantAsync(
            _ada,
            $$"""{"subject":"{{rita}}","role":"reviewer","kind":"model","pattern":"*"}"""
        );
        var (again, _) = await GrantAsync(
            _ada,
            narrow.Replace($"{end:O}", "2099-01-01T00:00:00Z", StringComparison.Ordinal)
        );
        await Task.Delay(
            end - DateTimeOffset.UtcNow + TimeSpan.FromMilliseconds(50),
            TestContext.Current.CancellationToken
        );
        var (_, longer) = await GrantAsync(
            _ada,
            narrow.Replace($"{end:O}", "2099-01-01T00:00:00Z", StringComparison.Ordinal)
        );

        Assert.Equal(HttpStatusCode.Conflict, again);
        Assert.True(wider["pending"]!.GetValue<bool>());
        Assert.True(longer["pending"]!.GetValue<bool>());
        Assert.False(await MayAsync(rita, "promotion:approve"));
        await DecideAsync(_bea, longer, "confirm");
        Assert.True(await MayAsync(rita, "promotion:approve"));
    }

    [Fact]
    public async Task Revoking_takes_one_administrator_and_ends_the_waiting()
    {
        var rita = await _host.EnrolPersonAsync("rita");
        var (_, asked) = await GrantAsync(_ada, $$"""{"subject":"{{rita}}","role":"reviewer"}""");
        var (_, kept) = await GrantAsync(_ada, $$"""{"subject":"{{rita}}","role":"release-manager"}""");
        await DecideAsync(_bea, kept, "confirm");

        using var waiting = await _bea.DeleteAsync($"/api/v1/grants/{asked["id"]}");
        using var counting = await _ada.DeleteAsync($"/api/v1/grants/{kept["id"]}");
        var (late, _) = await DecideAsync(_bea, asked, "confirm");
        var left = await _ada.GetFromJsonAsync<JsonNode>("/api/v1/confirmations");

        Assert.Equal([HttpStatusCode.NoContent, HttpStatusCode.NoContent], [waiting.StatusCode, counting.StatusCode]);
        Assert.Equal(HttpStatusCode.NotFound, late);
        Assert.Empty(left!["items"]!.AsArray());
        Assert.False(await MayAsync(rita, "promotion:carry-out"));
        Assert.False(await MayAsync(rita, "promotion:approve"));
    }

    [Fact]
    public async Task A_rejected_grant_is_gone_and_the_account_stays()
    {
        var rita = await _host.EnrolPersonAsync("rita", "viewer");
        var (_, asked) = await GrantAsync(_ada, $$"""{"subject":"{{rita}}","role":"reviewer"}""");

        var (rejected, _) = await DecideAsync(_bea, asked, "reject");
        var grants = await _ada.GetFromJsonAsync<JsonNode>($"/api/v1/grants?holder={rita}");

        Assert.Equal(HttpStatusCode.NoContent, rejected);
        Assert.Equal("viewer", Assert.Single(grants!["items"]!.AsArray())!["grant"]!["role"]!.ToString());
        Assert.True(await MayAsync(rita, "model:read"));
    }

    [Fact]
    public async Task A_place_in_a_privileged_group_waits_too_whichever_came_first()
    {
        var (rita, paul) = (await _host.EnrolPersonAsync("rita"), await _host.EnrolPersonAsync("paul"));
        var group = await GroupAsync("reviewers");
        var (_, grant) = await GrantAsync(_ada, $$"""{"group":"{{group}}","role":"reviewer"}""");
        var waiting = await JoinAsync(_ada, group, rita);
        await DecideAsync(_bea, grant, "confirm");
        var before = await MayAsync(rita, "promotion:approve");
        var later = await JoinAsync(_ada, group, paul);

        foreach (var change in await WaitingAsync("membership"))
        {
            Assert.Equal(HttpStatusCode.Forbidden, (await DecideAsync(_ada, change, "confirm")).Status);
            var verb = change["subject"]!.ToString() == rita ? "confirm" : "reject";
            Assert.Equal(HttpStatusCode.NoContent, (await DecideAsync(_bea, change, verb)).Status);
        }

        Assert.Equal([true, true], [waiting, later]);
        Assert.False(before);
        Assert.True(await MayAsync(rita, "promotion:approve"));
        Assert.False(await MayAsync(paul, "promotion:approve"));
        Assert.True(await JoinAsync(_ada, group, paul)); // as if nobody had asked before
        using var left = await _carl.DeleteAsync($"/api/v1/groups/{group}/members/{paul}");
        Assert.Empty(await WaitingAsync("membership"));
    }

    [Fact]
    public async Task What_an_issuer_says_maps_to_a_role_only_after_a_second_administrator_agreed()
    {
        var (_, group) = await PostAsync(
            _ada,
            "/api/v1/groups",
            """{"name":"corp","external":{"issuer":"https://login.example/v2.0","claim":"groups","value":"0f1e"}}"""
        );

        var (_, asked) = await GrantAsync(_ada, $$"""{"group":"{{group["id"]}}","role":"viewer"}""");

        Assert.True(asked["pending"]!.GetValue<bool>());
        Assert.Equal(HttpStatusCode.NoContent, (await DecideAsync(_bea, asked, "confirm")).Status);
    }

    [Fact]
    public async Task A_service_is_made_without_what_is_privileged()
    {
        var (status, made) = await PostAsync(
            _ada,
            "/api/v1/services",
            """{"clientId":"mover","grants":[{"role":"viewer"},{"role":"release-manager"}]}"""
        );
        var id = made["id"]!.ToString();
        var before = (await MayAsync(id, "model:read"), await MayAsync(id, "promotion:carry-out"));
        var waiting = Assert.Single(made["confirmations"]!.AsArray())!;

        var (confirmed, _) = await DecideAsync(_bea, new JsonObject { ["id"] = waiting.DeepClone() }, "confirm");

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.NoContent), (status, confirmed));
        Assert.Equal((true, false), before);
        Assert.True(await MayAsync(id, "promotion:carry-out"));
    }

    [Fact]
    public async Task Who_gives_a_privileged_service_another_secret_does_not_become_it_alone()
    {
        var (id, _) = await _host.EnrolServiceAsync("mover", "release-manager");
        var (plain, _) = await _host.EnrolServiceAsync("reader", "viewer");

        var (_, replaced) = await PostAsync(_ada, $"/api/v1/services/{id}/secret", "{}");
        var (_, harmless) = await PostAsync(_ada, $"/api/v1/services/{plain}/secret", "{}");
        var during = await MayAsync(id, "promotion:carry-out");
        var waiting = Assert.Single(replaced["confirmations"]!.AsArray())!;
        await DecideAsync(_bea, new JsonObject { ["id"] = waiting.DeepClone() }, "confirm");

        Assert.Empty(harmless["confirmations"]!.AsArray());
        Assert.False(during);
        Assert.True(await MayAsync(id, "promotion:carry-out"));
    }

    [Fact]
    public async Task A_secret_that_is_replaced_while_a_service_is_shut_or_waits_holds_it_too()
    {
        var (shut, _) = await _host.EnrolServiceAsync("shut", "release-manager");
        var (waiting, _) = await _host.EnrolServiceAsync("waiting");
        await PostAsync(_ada, $"/api/v1/subjects/{shut}/enabled", """{"enabled":false}""");
        var (_, asked) = await GrantAsync(_ada, $$"""{"subject":"{{waiting}}","role":"release-manager"}""");

        var (_, replaced) = await PostAsync(_ada, $"/api/v1/services/{shut}/secret", "{}");
        var (_, meanwhile) = await PostAsync(_ada, $"/api/v1/services/{waiting}/secret", "{}");
        await PostAsync(_ada, $"/api/v1/subjects/{shut}/enabled", """{"enabled":true}""");
        await DecideAsync(_bea, Assert.Single(await WaitingAsync("enabled")), "confirm");
        await DecideAsync(_bea, asked, "confirm");

        foreach (var (id, answer) in new[] { (shut, replaced), (waiting, meanwhile) })
        {
            var change = Assert.Single(answer["confirmations"]!.AsArray())!;
            Assert.False(await MayAsync(id, "promotion:carry-out"));
            await DecideAsync(_bea, new JsonObject { ["id"] = change.DeepClone() }, "confirm");
            Assert.True(await MayAsync(id, "promotion:carry-out"));
        }
    }

    [Fact]
    public async Task A_secret_that_was_rejected_proves_nothing_nor_does_the_one_before()
    {
        var (id, first) = await _host.EnrolServiceAsync("mover", "release-manager");
        var (_, replaced) = await PostAsync(_ada, $"/api/v1/services/{id}/secret", """{"overlapHours":24}""");
        var second = replaced["clientSecret"]!.ToString();
        var (early, token) = await _host.TokenAsync(IdentityHost.ClientCredentials("mover", second));

        await DecideAsync(_bea, new JsonObject { ["id"] = replaced["confirmations"]![0]!.DeepClone() }, "reject");
        await PostAsync(_bea, $"/api/v1/subjects/{id}/enabled", """{"enabled":true}""");
        await DecideAsync(_carl, Assert.Single(await WaitingAsync("enabled")), "confirm");
        var (withFirst, _) = await _host.TokenAsync(IdentityHost.ClientCredentials("mover", first));
        var (withSecond, _) = await _host.TokenAsync(IdentityHost.ClientCredentials("mover", second));
        var (_, fresh) = await PostAsync(_bea, $"/api/v1/services/{id}/secret", "{}");
        var (withFresh, _) = await _host.TokenAsync(
            IdentityHost.ClientCredentials("mover", fresh["clientSecret"]!.ToString())
        );

        Assert.Equal(HttpStatusCode.OK, early);
        Assert.Equal([HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized], [withFirst, withSecond]);
        Assert.Null(await _host.WhoAmIAsync(token["access_token"]!.ToString()));
        Assert.Equal(HttpStatusCode.OK, withFresh);
        Assert.False(await MayAsync(id, "promotion:carry-out"));
    }

    [Fact]
    public async Task A_held_account_neither_promotes_nor_reads_raw_data()
    {
        var rita = await _host.EnrolPersonAsync("rita", "release-manager", "privacy-officer", "viewer");

        using var reset = await _ada.PostAsync($"/api/v1/persons/{rita}/reset", null);

        Assert.Equal(HttpStatusCode.OK, reset.StatusCode);
        Assert.False(await MayAsync(rita, "promotion:carry-out"));
        Assert.False(await MayAsync(rita, "dataset:read-raw"));
        Assert.True(await MayAsync(rita, "model:read"));
    }

    [Fact]
    public async Task Nobody_opens_a_rejected_account_again_alone()
    {
        var (_, person) = await PostAsync(
            _ada,
            "/api/v1/persons",
            """{"userName":"puppet","displayName":"Puppet","grants":[{"role":"reviewer"}]}"""
        );
        var id = person["id"]!.ToString();
        var (taken, _) = await DecideAsync(_ada, person, "reject");

        var (opened, _) = await PostAsync(_ada, $"/api/v1/subjects/{id}/enabled", """{"enabled":true}""");
        var alone = await MayAsync(id, "promotion:approve");
        var change = Assert.Single(await WaitingAsync("enabled"));
        var own = (await DecideAsync(_ada, change, "confirm")).Status;
        var other = (await DecideAsync(_bea, change, "confirm")).Status;

        Assert.Equal([HttpStatusCode.NoContent, HttpStatusCode.NoContent], [taken, opened]);
        Assert.False(alone);
        Assert.Equal([HttpStatusCode.Forbidden, HttpStatusCode.NoContent], [own, other]);
        Assert.True(await MayAsync(id, "promotion:approve"));
    }

    [Fact]
    public async Task A_service_asks_for_nothing_privileged()
    {
        var rita = await _host.EnrolPersonAsync("rita");
        using var bot = _host.Client(await _host.ServiceTokenAsync("root-bot", "admin"));

        var (status, refused) = await GrantAsync(bot, $$"""{"subject":"{{rita}}","role":"reviewer"}""");
        var direct = await _host
            .Services.GetRequiredService<IGrants>()
            .GrantAsync(
                new Actor(
                    ActorKind.Service,
                    (await bot.GetFromJsonAsync<JsonNode>("/api/v1/whoami"))!["id"]!.ToString()
                ),
                rita,
                null,
                new RoleGrant("reviewer", ObjectKind.None, ""),
                TestContext.Current.CancellationToken
            );

        Assert.Equal((HttpStatusCode.Forbidden, "identity.persons_only"), (status, refused["code"]!.ToString()));
        Assert.Equal("identity.persons_only", direct.Failure!.Code);
    }

    private async Task<bool> MayAsync(string subject, string permission) =>
        (await RightsAsync(new Actor(ActorKind.Person, subject))).AllowsSomewhere(new Permission(permission));

    private Task<Rights> RightsAsync(Actor actor) =>
        _host.Services.GetRequiredService<IAccess>().RightsNowAsync(actor, TestContext.Current.CancellationToken);

    private static async Task<string> IdAsync(HttpClient who) =>
        (await who.GetFromJsonAsync<JsonNode>("/api/v1/whoami"))!["id"]!.ToString();

    private async Task<string> GroupAsync(string name, params string[] members)
    {
        var (_, group) = await PostAsync(_ada, "/api/v1/groups", $$"""{"name":"{{name}}"}""");
        var id = group["id"]!.ToString();
        foreach (var member in members)
        {
            Assert.False(await JoinAsync(_ada, id, member));
        }

        return id;
    }

    /// <summary>Whether the place waits.</summary>
    private static async Task<bool> JoinAsync(HttpClient admin, string group, string subject)
    {
        var (status, answer) = await PostAsync(
            admin,
            $"/api/v1/groups/{group}/members",
            $$"""{"subject":"{{subject}}"}"""
        );
        Assert.Equal(HttpStatusCode.OK, status);
        return answer["members"]!.AsArray().Single(member => member!["subject"]!.ToString() == subject)![
            "pending"
        ]!.GetValue<bool>();
    }

    private async Task<List<JsonNode>> WaitingAsync(string change) =>
        [
            .. (await _ada.GetFromJsonAsync<JsonNode>("/api/v1/confirmations"))!["items"]!
                .AsArray()
                .Where(item => item!["change"]!.ToString() == change)
                .Select(item => item!),
        ];

    private static Task<(HttpStatusCode Status, JsonNode Body)> GrantAsync(HttpClient admin, string body) =>
        PostAsync(admin, "/api/v1/grants", body);

    private static Task<(HttpStatusCode Status, JsonNode Body)> DecideAsync(
        HttpClient admin,
        JsonNode change,
        string verb
    ) => PostAsync(admin, $"/api/v1/confirmations/{change["confirmation"] ?? change["id"]}/{verb}", "");

    private static async Task<(HttpStatusCode Status, JsonNode Body)> PostAsync(
        HttpClient client,
        string path,
        string body
    )
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync(path, content, TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return (answer.StatusCode, text.Length == 0 ? new JsonObject() : JsonNode.Parse(text)!);
    }
}
