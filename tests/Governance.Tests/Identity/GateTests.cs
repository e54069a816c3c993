using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Logging;

namespace Governance.Tests.Identity;

public sealed class GateTests : IAsyncLifetime
{
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("/nothing/here")]
    [InlineData("/probe/undeclared")]
    public async Task An_unknown_path_or_a_route_without_permission_is_404_even_with_a_token(string path)
    {
        using var anonymous = _host.Client();
        using var known = _host.Client(await _host.ServiceTokenAsync("ci-bot", "admin"));

        Assert.Equal(HttpStatusCode.NotFound, (await anonymous.GetAsync(path)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await known.GetAsync(path)).StatusCode);
    }

    [Fact]
    public async Task Anonymous_is_401_with_a_challenge_and_never_a_redirect()
    {
        using var client = _host.Client();

        using var response = await client.GetAsync("/probe/models/fraud");
        var body = await response.Content.ReadFromJsonAsync<JsonNode>();

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Equal(
            "Bearer realm=\"governance\", DPoP realm=\"governance\", algs=\"ES256 ES384 PS256\"",
            response.Headers.WwwAuthenticate.ToString()
        );
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("identity.unauthenticated", body!["code"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("/api/2.0/mlflow/probe/x")]
    [InlineData("/ajax-api/2.0/mlflow/probe")]
    public async Task MLflow_clients_get_their_own_words(string path)
    {
        using var anonymous = _host.Client();
        using var known = _host.Client(await _host.ServiceTokenAsync("ci-bot", "viewer"));

        using var unauthenticated = await anonymous.PostAsync(path, null);
        using var denied = await known.PostAsync(path, null);

        Assert.Equal(HttpStatusCode.Unauthorized, unauthenticated.StatusCode);
        Assert.Equal("UNAUTHENTICATED", await CodeAsync(unauthenticated, "error_code"));
        Assert.Equal(HttpStatusCode.Forbidden, denied.StatusCode);
        Assert.Equal("PERMISSION_DENIED", await CodeAsync(denied, "error_code"));
    }

    [Fact]
    public async Task A_denial_is_in_the_log_before_the_answer_and_holds_no_data()
    {
        var token = await _host.ServiceTokenAsync("ci-bot", "admin");
        using var client = _host.Client(token);

        using var response = await client.GetAsync("/probe/models/secret-name?q=secret-query");
        var entry = Assert.Single(_host.Log.Entries, entry => entry.Kind == "access.denied");

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal("identity.denied", await CodeAsync(response, "code"));
        Assert.Equal(LogOutcome.Refused, entry.Outcome);
        Assert.Equal(
            """{"method":"GET","route":"/probe/models/{name}","permission":"model:read","code":"identity.denied"}""",
            entry.Details.ToJsonString()
        );
    }

    [Fact]
    public async Task A_change_of_grants_counts_at_once()
    {
        var (id, secret) = await _host.EnrolServiceAsync("ci-bot");
        var (_, body) = await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", secret));
        using var bot = _host.Client(body["access_token"]!.GetValue<string>());
        using var keeper = await _host.AdminAsync("keeper");
        var before = (await bot.GetAsync("/probe/models/x")).StatusCode;

        var granted = await keeper.PostAsync("/api/v1/grants", Json($$"""{"subject":"{{id}}","role":"viewer"}"""));
        var grant = await CodeAsync(granted, "id");
        var during = (await bot.GetAsync("/probe/models/x")).StatusCode;
        await keeper.DeleteAsync($"/api/v1/grants/{grant}");
        var after = (await bot.GetAsync("/probe/models/x")).StatusCode;

        Assert.Equal([HttpStatusCode.Forbidden, HttpStatusCode.OK, HttpStatusCode.Forbidden], [before, during, after]);
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.granted");
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.grant_revoked");
    }

    [Fact]
    public async Task A_disabled_subject_is_out_at_once_and_gets_no_new_token()
    {
        var (id, secret) = await _host.EnrolServiceAsync("ci-bot", "viewer");
        var (_, body) = await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", secret));
        using var bot = _host.Client(body["access_token"]!.GetValue<string>());
        using var keeper = await _host.AdminAsync("keeper");
        Assert.Equal(HttpStatusCode.OK, (await bot.GetAsync("/probe/models/x")).StatusCode);

        await keeper.PostAsync($"/api/v1/subjects/{id}/enabled", Json("""{"enabled":false}"""));

        Assert.Equal(HttpStatusCode.Unauthorized, (await bot.GetAsync("/probe/models/x")).StatusCode);
        Assert.NotEqual(
            HttpStatusCode.OK,
            (await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", secret))).Status
        );
    }

    [Fact]
    public async Task Nobody_grants_to_themselves()
    {
        using var keeper = await _host.AdminAsync("keeper");
        var id = (await keeper.GetFromJsonAsync<JsonNode>("/api/v1/whoami"))!["id"]!.ToString();

        using var response = await keeper.PostAsync(
            "/api/v1/grants",
            Json($$"""{"subject":"{{id}}","role":"release-manager"}""")
        );

        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal("identity.self_grant", await CodeAsync(response, "code"));
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.grant_refused");
    }

    [Theory]
    [InlineData("/api/v1/persons")]
    [InlineData("/api/v1/services")]
    [InlineData("/api/v1/grants")]
    public async Task Only_administrators_administer(string path)
    {
        foreach (
            var role in (string[])
                ["viewer", "data-scientist", "reviewer", "release-manager", "privacy-officer", "auditor"]
        )
        {
            using var client = _host.Client(await _host.ServiceTokenAsync($"bot-{role}", role));
            using var response = await client.PostAsync(path, Json("{}"));
            Assert.Equal((role, HttpStatusCode.Forbidden), (role, response.StatusCode));
        }
    }

    [Theory]
    [InlineData("/api/v1/persons", """{"userName":"x","displayName":"X","grants":[],"more":1}""")]
    [InlineData("/api/v1/persons", """{"userName":"x","userName":"y","displayName":"X","grants":[]}""")]
    [InlineData("/api/v1/persons", """{"userName":"x"}""")]
    [InlineData("/api/v1/persons", """{"userName":null,"displayName":"X","grants":[]}""")]
    [InlineData("/api/v1/persons", """{"userName":"x","displayName":"X","grants":[null]}""")]
    [InlineData("/api/v1/persons", """{"userName":"x","displayName":"X","password":"a long one indeed","grants":[]}""")]
    [InlineData("/api/v1/persons", """{"userName":"UPPER","displayName":"X","grants":[]}""")]
    [InlineData("/api/v1/services", """{"clientId":"x","grants":[{"role":"root"}]}""")]
    [InlineData("/api/v1/services", """{"clientId":"x","grants":[{"role":"viewer","kind":"model"}]}""")]
    [InlineData("/api/v1/grants", "[]")]
    [InlineData("/api/v1/grants", "null")]
    [InlineData("/api/v1/grants", "{")]
    [InlineData("/api/v1/grants", "")]
    public async Task Bad_bodies_are_400_with_a_code(string path, string body)
    {
        await _host.EnrolPersonAsync("keeper", "admin");
        using var keeper = _host.Client(await _host.PersonTokenAsync("keeper"));

        using var response = await keeper.PostAsync(path, Json(body));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.StartsWith("identity.", await CodeAsync(response, "code"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_over_the_limit_is_413()
    {
        using var keeper = await _host.AdminAsync("keeper");

        using var response = await keeper.PostAsync("/api/v1/grants", Json(new string(' ', 70_000)));

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [Fact]
    public async Task An_administrator_enrols_a_service_that_can_work_and_lists_subjects()
    {
        using var keeper = await _host.AdminAsync("keeper");

        using var created = await keeper.PostAsync(
            "/api/v1/services",
            Json("""{"clientId":"ci","grants":[{"role":"data-scientist","kind":"model","pattern":"fraud-*"}]}""")
        );
        using var again = await keeper.PostAsync("/api/v1/services", Json("""{"clientId":"ci","grants":[]}"""));
        var service = await created.Content.ReadFromJsonAsync<JsonNode>();
        var (status, _) = await _host.TokenAsync(
            IdentityHost.ClientCredentials("ci", service!["clientSecret"]!.GetValue<string>())
        );
        var list = await keeper.GetFromJsonAsync<JsonNode>("/api/v1/subjects?first=1");

        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Single(list!["items"]!.AsArray());
        Assert.NotNull(list["nextToken"]);
    }

    [Theory]
    [InlineData("/api/v1/subjects", "")]
    [InlineData("/api/v1/persons/bea.smith/logins", "")]
    [InlineData("/api/v1/persons/0f5f0c3a9e7b1d4c2f8a6e0d9b3c7f1a/logins", "subject:0f5f0c3a9e7b1d4c2f8a6e0d9b3c7f1a")]
    public async Task Who_asks_for_names_is_on_record_before_they_are_told(string path, string subject)
    {
        using var keeper = await _host.AdminAsync("keeper");

        using var answer = await keeper.GetAsync(path);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var begun = Assert.Single(
            _host.Log.Entries,
            entry => entry is { Kind: "identity.names_read", Outcome: LogOutcome.Begun }
        );
        Assert.Equal((subject, ActorKind.Person), (begun.Subject, begun.Actor.Kind));
    }

    [Fact]
    public async Task An_administrator_of_a_pattern_who_asks_for_all_groups_is_on_record()
    {
        using var half = await _host.AdminAsync("half", "fraud-*");

        using var answer = await half.GetAsync("/api/v1/groups");

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        var entry = Assert.Single(_host.Log.Entries, entry => entry.Kind == "access.denied");
        Assert.Equal("identity.denied", entry.Details["code"]!.ToString());
    }

    [Fact]
    public async Task No_log_entry_names_a_person()
    {
        await _host.EnrolPersonAsync("keeper", "admin");
        using var keeper = _host.Client(await _host.PersonTokenAsync("keeper"));

        await keeper.PostAsync(
            "/api/v1/persons",
            Json("""{"userName":"joana","displayName":"Joana Silva","grants":[]}""")
        );
        using var browser = _host.Client();
        await IdentityHost.SignInAsync(browser, "joana", "wrong wrong wrong");

        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.person_enrolled");
        Assert.All(
            _host.Log.Entries,
            entry =>
                Assert.DoesNotContain(
                    "joana",
                    entry.Subject + entry.Actor.Id + entry.Details.ToJsonString(),
                    StringComparison.OrdinalIgnoreCase
                )
        );
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private static async Task<string> CodeAsync(HttpResponseMessage response, string member) =>
        (await response.Content.ReadFromJsonAsync<JsonNode>())![member]!.GetValue<string>();
}
