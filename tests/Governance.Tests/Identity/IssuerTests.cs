using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Web;
using Governance.Identity.Access;
using Governance.Identity.Engine;
using Governance.Identity.Server;
using Governance.Kernel;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

/// <summary>What the issuer announces, how requests are pushed, how refresh tokens and keys are replaced.</summary>
public sealed class IssuerTests : IAsyncLifetime
{
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Discovery_announces_what_is_there_and_no_more()
    {
        using var client = _host.Client();

        var document = (await client.GetFromJsonAsync<JsonNode>("/.well-known/openid-configuration"))!;

        Assert.Equal(["code"], Texts(document["response_types_supported"]));
        Assert.Equal(["form_post", "query"], Texts(document["response_modes_supported"]));
        Assert.Equal(
            [
                "authorization_code",
                "client_credentials",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
            ],
            Texts(document["grant_types_supported"])
        );
        Assert.Equal(
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "self_signed_tls_client_auth"],
            Texts(document["token_endpoint_auth_methods_supported"])
        );
        Assert.Equal(["S256"], Texts(document["code_challenge_methods_supported"]));
        Assert.Equal(["ES256"], Texts(document["id_token_signing_alg_values_supported"]));
        Assert.Equal(["ES256", "ES384", "PS256"], Texts(document["dpop_signing_alg_values_supported"]));
        Assert.Equal(["ES256", "ES384", "PS256"], Texts(document["token_endpoint_auth_signing_alg_values_supported"]));
        Assert.True(document["authorization_response_iss_parameter_supported"]!.GetValue<bool>());
        Assert.True(document["tls_client_certificate_bound_access_tokens"]!.GetValue<bool>());
        Assert.Equal(
            $"{_host.MutualTlsUrl}/connect/token",
            document["mtls_endpoint_aliases"]!["token_endpoint"]!.GetValue<string>()
        );
        Assert.Equal($"{_host.Url}/connect/par", document["pushed_authorization_request_endpoint"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_pushed_request_gives_one_code_and_the_answer_names_the_issuer()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        var (verifier, challenge) = IdentityHost.Proof();
        var address = await _host.AuthorizeUrlAsync(challenge);

        using var toPage = await browser.GetAsync(address);
        using var signedIn = await IdentityHost.SignInAsync(
            browser,
            "maria",
            IdentityHost.Password,
            toPage.Headers.Location!.OriginalString
        );
        using var page = await _host.FollowAsync(browser, signedIn);
        using var back = await IdentityHost.DecideAsync(browser, page);
        var query = HttpUtility.ParseQueryString(back.Headers.Location!.Query);
        var (status, _) = await _host.TokenAsync(IdentityHost.CodeExchange(query["code"]!, verifier));
        using var again = await browser.GetAsync(address);

        Assert.Equal($"{_host.Url}/", query["iss"]);
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.DoesNotContain("code=", again.Headers.Location?.Query ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("governance-console", "$url/signin-oidc")]
    [InlineData("governance-cli", "http://127.0.0.1:7777/callback")]
    public async Task A_client_that_must_push_is_refused_otherwise(string client, string address)
    {
        using var browser = _host.Client();
        var (_, challenge) = IdentityHost.Proof();
        var redirect = Uri.EscapeDataString(address.Replace("$url", _host.Url, StringComparison.Ordinal));

        using var response = await browser.GetAsync(
            $"/connect/authorize?client_id={client}&response_type=code&scope=openid&redirect_uri={redirect}&code_challenge={challenge}&code_challenge_method=S256"
        );

        var said = response.Headers.Location?.Query ?? await response.Content.ReadAsStringAsync();
        Assert.Contains("invalid_request", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_gets_no_code_from_somebody_who_is_signed_in_until_they_let_it_in()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        using var before = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);
        var address = await _host.AuthorizeUrlAsync(IdentityHost.Proof().Challenge);

        using var page = await browser.GetAsync(address);
        using var silent = await browser.GetAsync(
            await _host.AuthorizeUrlAsync(IdentityHost.Proof().Challenge, ("prompt", "none"))
        );
        using var forged = new FormUrlEncodedContent(
            HttpUtility.ParseQueryString(address.Split('?')[1]) is var query
                ? query.AllKeys.Select(key => KeyValuePair.Create(key!, query[key]!)).Append(new("decision", "allow"))
                : []
        );
        using var unasked = await browser.PostAsync("/connect/authorize", forged);
        using var undecided = await IdentityHost.DecideAsync(browser, page, "perhaps");
        using var allowed = await IdentityHost.DecideAsync(browser, page);

        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Contains("http://127.0.0.1:7777", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Contains(
            "form-action 'self' http://127.0.0.1:7777;",
            page.Headers.GetValues("Content-Security-Policy").Single(),
            StringComparison.Ordinal
        );
        Assert.Contains("error=consent_required", silent.Headers.Location!.Query, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, unasked.StatusCode);
        Assert.Equal(HttpStatusCode.OK, undecided.StatusCode);
        Assert.Contains("code=", allowed.Headers.Location!.Query, StringComparison.Ordinal);
        Assert.Single(_host.Log.Entries, entry => entry.Kind == "identity.program_allowed");
    }

    [Fact]
    public async Task A_page_that_one_person_opened_lets_no_program_in_as_another()
    {
        await _host.EnrolPersonAsync("maria");
        await _host.EnrolPersonAsync("nora");
        using var browser = _host.Client();
        using var maria = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);
        using var page = await browser.GetAsync(await _host.AuthorizeUrlAsync(IdentityHost.Proof().Challenge));
        using var nora = await IdentityHost.SignInAsync(browser, "nora", IdentityHost.Password);

        using var taken = await IdentityHost.DecideAsync(browser, page);

        Assert.Equal(HttpStatusCode.BadRequest, taken.StatusCode);
        Assert.DoesNotContain(_host.Log.Entries, entry => entry.Kind == "identity.program_allowed");
    }

    [Fact]
    public async Task A_program_that_is_refused_learns_it_and_gets_nothing()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        using var before = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);

        using var page = await browser.GetAsync(await _host.AuthorizeUrlAsync(IdentityHost.Proof().Challenge));
        using var refused = await IdentityHost.DecideAsync(browser, page, "refuse");

        var query = HttpUtility.ParseQueryString(refused.Headers.Location!.Query);
        Assert.Equal(("access_denied", null, "xyz"), (query["error"], query["code"], query["state"]));
        Assert.Single(_host.Log.Entries, entry => entry.Kind == "identity.program_refused");
    }

    [Fact]
    public async Task A_pushed_wish_to_sign_in_again_is_fulfilled_once()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        using var before = await IdentityHost.SignInAsync(browser, "maria", IdentityHost.Password);
        await Task.Delay(1100, TestContext.Current.CancellationToken); // times are whole seconds
        var address = await _host.AuthorizeUrlAsync(IdentityHost.Proof().Challenge, ("prompt", "login"));

        using var toPage = await browser.GetAsync(address);
        using var signedIn = await IdentityHost.SignInAsync(
            browser,
            "maria",
            IdentityHost.Password,
            toPage.Headers.Location!.OriginalString
        );
        using var page = await _host.FollowAsync(browser, signedIn);
        using var back = await IdentityHost.DecideAsync(browser, page);

        Assert.StartsWith("/signin", toPage.Headers.Location!.OriginalString, StringComparison.Ordinal);
        Assert.Contains("code=", back.Headers.Location!.Query, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refresh_token_that_comes_back_ends_its_whole_family()
    {
        await _host.EnrolPersonAsync("maria");
        var tokens = await _host.PersonTokensAsync("maria");
        var (_, second) = await _host.TokenAsync(Refresh(tokens));
        var (_, third) = await _host.TokenAsync(Refresh(second));

        var (stolen, _) = await _host.TokenAsync(Refresh(tokens));
        var (owner, _) = await _host.TokenAsync(Refresh(third));

        Assert.Equal(HttpStatusCode.BadRequest, stolen);
        Assert.Equal(HttpStatusCode.BadRequest, owner);
        Assert.Null(await _host.WhoAmIAsync(third["access_token"]!.GetValue<string>()));
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.token_reused");
    }

    [Fact]
    public async Task Of_many_who_use_one_refresh_token_at_once_at_most_one_gets_another()
    {
        await _host.EnrolPersonAsync("maria");
        var tokens = await _host.PersonTokensAsync("maria");

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _host.TokenAsync(Refresh(tokens))));

        Assert.InRange(answers.Count(answer => answer.Status == HttpStatusCode.OK), 0, 1);
    }

    [Fact]
    public async Task A_new_key_is_published_then_signs_and_the_old_one_still_counts()
    {
        await using var host = await IdentityHost.StartAsync(options => options.SigningKeyLeadMinutes = 0);
        var old = await host.ServiceTokenAsync("ci-bot");
        await host.EnrolPersonAsync("maria");
        var tokens = await host.PersonTokensAsync("maria");
        Assert.NotNull(await host.WhoAmIAsync(old));

        var kid = await host
            .Services.GetRequiredService<ServerKeys>()
            .RotateAsync(Actor.System, TestContext.Current.CancellationToken);
        using var client = host.Client();
        var published = (await client.GetFromJsonAsync<JsonNode>("/.well-known/jwks"))!["keys"]!.AsArray();
        var fresh = await host.ServiceTokenAsync("cd-bot");
        var (refreshed, _) = await host.TokenAsync(Refresh(tokens));

        Assert.Equal(2, published.Count);
        Assert.Equal(kid, published[0]!["kid"]!.GetValue<string>());
        Assert.Equal(kid, KidOf(fresh));
        Assert.NotEqual(kid, KidOf(old));
        Assert.NotNull(await host.WhoAmIAsync(fresh));
        Assert.NotNull(await host.WhoAmIAsync(old));
        Assert.Equal(HttpStatusCode.OK, refreshed);
    }

    [Fact]
    public async Task Keys_are_replaced_while_two_connections_ask_for_tokens_and_use_them_and_nobody_is_refused()
    {
        await using var host = await IdentityHost.StartAsync(options =>
        {
            options.SigningKeyLeadMinutes = 0;
            options.TokensPerMinute = 100_000;
        });
        var (_, secret) = await host.EnrolServiceAsync("ci-bot");
        var keys = host.Services.GetRequiredService<ServerKeys>();
        using var ended = new CancellationTokenSource();
        Side[] sides = [new(), new()];

        var load = Task.WhenAll(sides.Select(LoadAsync));
        await HaveKeysAsync(1);
        for (var generations = 2; generations <= 7; generations++)
        {
            await keys.RotateAsync(Actor.System, TestContext.Current.CancellationToken);
            await HaveKeysAsync(generations);
        }

        await ended.CancelAsync();
        await load;
        Assert.All(sides, side => Assert.Empty(side.Refused));

        // Each goes on until it ends and no longer, also those of the first key.
        var tokens = sides.SelectMany(side => side.ByKey.Values).ToList();
        host.Clock.Advance(TimeSpan.FromMinutes(8));
        foreach (var token in tokens)
        {
            Assert.NotNull(await host.WhoAmIAsync(token));
        }

        host.Clock.Advance(TimeSpan.FromMinutes(3));
        host.Services.GetRequiredService<ActorReader>().ForgetTokens(); // they are remembered for seconds that did not pass here
        foreach (var token in tokens)
        {
            Assert.Null(await host.WhoAmIAsync(token));
        }

        async Task HaveKeysAsync(int count)
        {
            for (var tries = 0; sides.Any(side => side.ByKey.Count < count); tries++)
            {
                Assert.True(tries < 3000, $"No token of the key {count} within a minute.");
                await Task.Delay(20, TestContext.Current.CancellationToken);
                Assert.All(sides, side => Assert.Empty(side.Refused));
            }
        }

        // A new token, then every key's first one again, over one connection.
        async Task LoadAsync(Side side)
        {
            using var client = host.Client();
            while (!ended.IsCancellationRequested)
            {
                using var form = new FormUrlEncodedContent(IdentityHost.ClientCredentials("ci-bot", secret));
                using var issued = await client.PostAsync("/connect/token", form);
                var body = (await issued.Content.ReadFromJsonAsync<JsonNode>())!;
                if (!issued.IsSuccessStatusCode)
                {
                    side.Refused.Add(body.ToJsonString());
                    continue;
                }

                var token = body["access_token"]!.GetValue<string>();
                foreach (var one in side.ByKey.Values.Append(token))
                {
                    using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/whoami");
                    request.Headers.Authorization = new("Bearer", one);
                    using var answer = await client.SendAsync(request);
                    if (!answer.IsSuccessStatusCode)
                    {
                        side.Refused.Add($"{KidOf(one)}: {answer.StatusCode} {answer.Headers.WwwAuthenticate}");
                    }
                }

                side.ByKey.TryAdd(KidOf(token), token);
            }
        }
    }

    /// <summary>What one connection saw: the first token of every key, and what was refused.</summary>
    private sealed class Side
    {
        public ConcurrentDictionary<string, string> ByKey { get; } = [];

        public ConcurrentBag<string> Refused { get; } = [];
    }

    [Fact]
    public async Task A_key_to_come_is_published_and_does_not_sign_yet()
    {
        var before = KidOf(await _host.ServiceTokenAsync("ci-bot"));
        using var admin = await _host.AdminAsync("root");

        using var made = await admin.PostAsJsonAsync("/api/v1/issuer-keys", new JsonObject());
        using var client = _host.Client();
        var published = (await client.GetFromJsonAsync<JsonNode>("/.well-known/jwks"))!["keys"]!.AsArray();

        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        Assert.Equal(2, published.Count);
        Assert.Equal(before, KidOf(await _host.ServiceTokenAsync("cd-bot")));
        Assert.All(published, key => Assert.Null(key!["d"]));
    }

    [Fact]
    public async Task A_revoked_key_ends_what_it_signed_and_another_signs_at_once()
    {
        await _host.EnrolPersonAsync("maria");
        var tokens = await _host.PersonTokensAsync("maria");
        var service = await _host.ServiceTokenAsync("ci-bot");
        using var admin = await _host.AdminAsync("root");
        var key = KidOf(service);
        Assert.NotNull(await _host.WhoAmIAsync(service)); // remembered from now on

        using var unknown = await admin.PostAsJsonAsync("/api/v1/issuer-keys/none/revoke", new JsonObject());
        using var revoked = await admin.PostAsJsonAsync($"/api/v1/issuer-keys/{key}/revoke", new JsonObject());
        var left = (await revoked.Content.ReadFromJsonAsync<JsonNode>())!["keys"]!.AsArray();
        var (refreshed, _) = await _host.TokenAsync(Refresh(tokens));
        using var client = _host.Client();
        var published = (await client.GetFromJsonAsync<JsonNode>("/.well-known/jwks"))!["keys"]!.AsArray();
        var fresh = await _host.ServiceTokenAsync("cd-bot");

        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.OK), (unknown.StatusCode, revoked.StatusCode));
        Assert.Null(await _host.WhoAmIAsync(service));
        Assert.Null(await _host.WhoAmIAsync(tokens["access_token"]!.GetValue<string>()));
        Assert.Equal(HttpStatusCode.BadRequest, refreshed);
        Assert.Equal(KidOf(fresh), Assert.Single(left)!["id"]!.GetValue<string>());
        Assert.Equal(KidOf(fresh), Assert.Single(published)!["kid"]!.GetValue<string>());
        Assert.NotNull(await _host.WhoAmIAsync(fresh));
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.issuer_key_revoked");
    }

    [Fact]
    public async Task A_service_may_not_revoke_a_key()
    {
        using var service = _host.Client(await _host.ServiceTokenAsync("ci-bot", "admin"));

        using var refused = await service.PostAsJsonAsync("/api/v1/issuer-keys/none/revoke", new JsonObject());

        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
    }

    [Fact]
    public void Keys_sign_when_their_time_has_come_and_stay_while_their_tokens_live()
    {
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        KeyTime first = new("first", start, start);
        KeyTime second = new("second", start.AddHours(10), start.AddHours(11));
        KeyTime[] keys = [first, second];
        var kept = TimeSpan.FromHours(12);

        Assert.Equal(["first", "second"], At(start.AddHours(10.5)));
        Assert.Equal(["second", "first"], At(start.AddHours(11)));
        Assert.Equal(["second", "first"], At(start.AddHours(22.9)));
        Assert.Equal(["second"], At(start.AddHours(23)));
        Assert.False(KeySchedule.IsDue(keys, start.AddHours(33), TimeSpan.FromDays(1)));
        Assert.True(KeySchedule.IsDue(keys, start.AddHours(34), TimeSpan.FromDays(1)));
        Assert.True(KeySchedule.IsDue([], start, TimeSpan.FromDays(1)));

        IEnumerable<string> At(DateTimeOffset now) => KeySchedule.InUse(keys, now, kept).Select(key => key.Id);
    }

    private static Dictionary<string, string> Refresh(JsonNode tokens) =>
        new()
        {
            ["grant_type"] = "refresh_token",
            ["client_id"] = "governance-cli",
            ["refresh_token"] = tokens["refresh_token"]!.GetValue<string>(),
        };

    private static string KidOf(string token)
    {
        var text = token.Split('.')[0].Replace('-', '+').Replace('_', '/');
        var header = JsonNode.Parse(Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '=')))!;
        return header["kid"]!.GetValue<string>();
    }

    private static IEnumerable<string> Texts(JsonNode? array) =>
        array!.AsArray().Select(text => text!.GetValue<string>()).Order(StringComparer.Ordinal);
}
