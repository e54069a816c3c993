using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Governance.Gateway.Demo;
using Governance.Identity.Contracts;
using Governance.Kernel;

namespace Governance.Gateway.Tests.Live;

/// <summary>Privileged grants through GraphQL: asked for by one administrator, confirmed by another.</summary>
[Collection(GatewayTests.Name)]
public sealed class ConfirmationTests(LiveGateway gateway)
{
    private const string Grant =
        "mutation($to:GrantHolder!,$grant:GrantInput!){grantRole(to:$to,grant:$grant){id pending confirmation}}";

    [Fact]
    public async Task A_privileged_grant_waits_is_listed_and_counts_once_another_administrator_confirms()
    {
        using var bot = await gateway.ServiceAsync("waiting-bot");
        var id = (await bot.GetFromJsonAsync<JsonNode>("/api/v1/whoami", TestContext.Current.CancellationToken))![
            "id"
        ]!.ToString();

        var granted = Data(
            await gateway
                .As("admin")
                .GraphQlAsync(
                    Grant,
                    new JsonObject
                    {
                        ["to"] = new JsonObject { ["subject"] = id },
                        ["grant"] = new JsonObject
                        {
                            ["role"] = "release-manager",
                            ["on"] = "MODEL",
                            ["pattern"] = "waiting-*",
                        },
                    }
                )
        )["grantRole"]!;
        var confirmation = granted["confirmation"]!.ToString();
        var listed = Data(
            await gateway
                .As("bea")
                .GraphQlAsync("{confirmations(first:100){items{id change subject group details requestedBy}}}")
        )["confirmations"]!["items"]!
            .AsArray()
            .Single(item => item!["id"]!.ToString() == confirmation)!;
        var own = await gateway.As("admin").GraphQlAsync(Deciding("confirm", confirmation));
        var before = await MayAsync(bot);
        var confirmed = await gateway.As("bea").GraphQlAsync(Deciding("confirm", confirmation));
        var after = await MayAsync(bot);
        var late = await gateway.As("bea").GraphQlAsync(Deciding("reject", confirmation));

        Assert.True(granted["pending"]!.GetValue<bool>());
        Assert.Equal(("grant", id), (listed["change"]!.ToString(), listed["subject"]!.ToString()));
        Assert.Contains("\"pattern\":\"waiting-*\"", listed["details"]!.ToString(), StringComparison.Ordinal);
        Assert.Equal("identity.own_confirmation", Code(own));
        Assert.True(Data(confirmed)["confirm"]!.GetValue<bool>());
        Assert.Equal([false, true], [before, after]);
        Assert.Equal("identity.no_confirmation", Code(late));
    }

    [Fact]
    public async Task Who_administers_a_pattern_only_sees_and_confirms_nothing()
    {
        var half = await gateway.ServiceAsync("half-admin", new RoleGrant("admin", ObjectKind.Model, "waiting-*"));

        var listed = await new DemoClient(half).GraphQlAsync("{confirmations{items{id}}}");
        using var rest = await half.GetAsync(
            new Uri("/api/v1/confirmations", UriKind.Relative),
            TestContext.Current.CancellationToken
        );

        Assert.Equal("identity.denied", Code(listed));
        Assert.Equal(HttpStatusCode.Forbidden, rest.StatusCode);
    }

    [Fact]
    public async Task A_service_grants_nothing_through_GraphQL()
    {
        var bot = await gateway.ServiceAsync("granting-bot", new RoleGrant("admin", ObjectKind.None, ""));

        var refused = await new DemoClient(bot).GraphQlAsync("mutation{createGroup(name:\"bots\"){id}}");

        Assert.Equal("identity.persons_only", Code(refused));
    }

    [Fact]
    public async Task Somebody_is_shut_out_through_GraphQL_and_let_in_held_until_another_administrator_confirms()
    {
        using var bot = await gateway.ServiceAsync("shut-bot", new RoleGrant("release-manager", ObjectKind.None, ""));
        var id = (await bot.GetFromJsonAsync<JsonNode>("/api/v1/whoami", TestContext.Current.CancellationToken))![
            "id"
        ]!.ToString();

        var shut = await gateway.As("admin").GraphQlAsync(Enabling(id, enabled: false));
        using var refused = await bot.GetAsync(
            new Uri("/api/v1/whoami", UriKind.Relative),
            TestContext.Current.CancellationToken
        );
        var opened = await gateway.As("admin").GraphQlAsync(Enabling(id, enabled: true));
        var waiting = Data(
            await gateway.As("bea").GraphQlAsync("{confirmations(first:100){items{id change subject requestedBy}}}")
        )["confirmations"]!["items"]!
            .AsArray()
            .Single(item => item!["subject"]?.ToString() == id)!;
        var own = await gateway.As("admin").GraphQlAsync(Deciding("confirm", waiting["id"]!.ToString()));
        var confirmed = await gateway.As("bea").GraphQlAsync(Deciding("confirm", waiting["id"]!.ToString()));
        var nobody = await gateway.As("admin").GraphQlAsync(Enabling("Dana of the tests", enabled: false));

        Assert.True(Data(shut)["setEnabled"]!.GetValue<bool>());
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.True(Data(opened)["setEnabled"]!.GetValue<bool>());
        Assert.Equal("enabled", waiting["change"]!.ToString());
        Assert.Equal("identity.own_confirmation", Code(own));
        Assert.True(Data(confirmed)["confirm"]!.GetValue<bool>());
        Assert.Equal("identity.no_subject", Code(nobody));
    }

    [Fact]
    public async Task Who_administers_a_pattern_only_or_is_a_service_changes_and_reads_nothing_of_persons()
    {
        var person = await gateway.PersonAsync("left-alone");
        await gateway.PersonAsync("pattern-admin", new RoleGrant("admin", ObjectKind.Model, "waiting-*"));
        var bot = await gateway.ServiceAsync("person-bot", new RoleGrant("admin", ObjectKind.None, ""));
        string[] asked =
        [
            Enabling(person, enabled: false),
            $"mutation{{linkLogin(person:\"{person}\",issuer:\"https://elsewhere.example\",externalId:\"x\"){{login}}}}",
            $"mutation{{unlinkLogin(person:\"{person}\",login:\"{Guid.Empty}\")}}",
        ];

        foreach (var document in asked)
        {
            Assert.Equal("identity.denied", Code(await gateway.As("pattern-admin").GraphQlAsync(document)));
            Assert.Equal("identity.persons_only", Code(await new DemoClient(bot).GraphQlAsync(document)));
        }

        var read = await gateway.As("pattern-admin").GraphQlAsync($"{{logins(person:\"{person}\"){{id}}}}");
        Assert.Equal("identity.denied", Code(read));
        Assert.True((await gateway.As("left-alone").ApiGetAsync("/api/v1/whoami")).Ok);
    }

    private static string Enabling(string id, bool enabled) =>
        $"mutation{{setEnabled(id:\"{id}\",enabled:{(enabled ? "true" : "false")})}}";

    private static string Deciding(string verb, string id) => $"mutation{{{verb}(id:\"{id}\")}}";

    private static async Task<bool> MayAsync(HttpClient who)
    {
        var me = await who.GetFromJsonAsync<JsonNode>("/api/v1/whoami", TestContext.Current.CancellationToken);
        return me!["permissions"]!.AsArray().Any(name => name!.ToString() == "promotion:carry-out");
    }

    private static JsonNode Data(JsonNode answer)
    {
        Assert.True(answer["errors"] is null, answer.ToJsonString());
        return answer["data"]!;
    }

    private static string Code(JsonNode answer) => answer["errors"]![0]!["extensions"]!["code"]!.ToString();
}
