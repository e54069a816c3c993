using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Identity.Server;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity;

public sealed class TokenTests : IAsyncLifetime
{
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_service_gets_a_short_at_jwt_signed_with_ES256_and_is_a_service()
    {
        var (id, secret) = await _host.EnrolServiceAsync("ci-bot", "viewer");

        var (status, body) = await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", secret));
        var token = body["access_token"]!.GetValue<string>();
        var header = Part(token, 0);
        var who = await _host.WhoAmIAsync(token);

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("ES256", header["alg"]!.GetValue<string>());
        Assert.Equal("at+jwt", header["typ"]!.GetValue<string>());
        Assert.InRange(body["expires_in"]!.GetValue<int>(), 1, 600);
        Assert.Equal("service", who!["kind"]!.GetValue<string>());
        Assert.Equal(id, who["id"]!.GetValue<string>());
        Assert.Null(body["refresh_token"]);
    }

    [Fact]
    public async Task A_person_through_the_sign_in_page_is_a_person_with_roles()
    {
        var id = await _host.EnrolPersonAsync("maria", "reviewer");

        var who = await _host.WhoAmIAsync(await _host.PersonTokenAsync("maria"));

        Assert.Equal("person", who!["kind"]!.GetValue<string>());
        Assert.Equal(id, who["id"]!.GetValue<string>());
        Assert.Equal("reviewer", who["roles"]![0]!["role"]!.GetValue<string>());
        Assert.Contains("promotion:approve", who["permissions"]!.AsArray().Select(name => name!.GetValue<string>()));
    }

    [Fact]
    public async Task A_wrong_secret_is_refused()
    {
        await _host.EnrolServiceAsync("ci-bot");

        var (status, body) = await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", new string('x', 64)));

        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Equal("invalid_client", body["error"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_wrong_verifier_is_refused()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        var code = await _host.CodeAsync(browser, "maria", IdentityHost.Proof().Challenge);

        var (status, body) = await _host.TokenAsync(IdentityHost.CodeExchange(code, IdentityHost.Proof().Verifier));

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("invalid_grant", body["error"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("https://evil.example/callback")]
    [InlineData("http://127.0.0.1:7777/other")]
    [InlineData("http://127.0.0.1.evil.example/callback")]
    public async Task A_foreign_redirect_address_is_refused_without_redirecting(string redirect)
    {
        var request = IdentityHost.CodeRequest(IdentityHost.Proof().Challenge);
        request["redirect_uri"] = redirect;

        var (status, body) = await _host.PostFormAsync("/connect/par", request);

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Null(body["request_uri"]);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("")]
    public async Task Only_S256_proof_keys_are_accepted(string method)
    {
        var request = IdentityHost.CodeRequest(IdentityHost.Proof().Challenge);
        request["code_challenge_method"] = method;

        var (_, body) = await _host.PostFormAsync("/connect/par", request);

        Assert.Equal("invalid_request", body["error"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_code_without_proof_key_is_refused()
    {
        var request = IdentityHost.CodeRequest("x");
        request.Remove("code_challenge");
        request.Remove("code_challenge_method");

        var (_, body) = await _host.PostFormAsync("/connect/par", request);

        Assert.Equal("invalid_request", body["error"]!.GetValue<string>());
    }

    [Fact]
    public async Task Discovery_offers_S256_only_and_an_EC_key()
    {
        using var client = _host.Client();

        var document = JsonNode.Parse(await client.GetStringAsync("/.well-known/openid-configuration"))!;
        var keys = JsonNode.Parse(await client.GetStringAsync(document["jwks_uri"]!.GetValue<string>()))!;

        Assert.Equal(
            ["S256"],
            document["code_challenge_methods_supported"]!.AsArray().Select(method => method!.GetValue<string>())
        );
        Assert.Equal("EC", Assert.Single(keys["keys"]!.AsArray())!["kty"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_replayed_code_is_refused_and_kills_the_tokens_it_gave()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        var (verifier, challenge) = IdentityHost.Proof();
        var code = await _host.CodeAsync(browser, "maria", challenge);
        var (_, first) = await _host.TokenAsync(IdentityHost.CodeExchange(code, verifier));

        var (status, _) = await _host.TokenAsync(IdentityHost.CodeExchange(code, verifier));

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Null(await _host.WhoAmIAsync(first["access_token"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Refresh_tokens_rotate_and_a_used_one_is_refused()
    {
        await _host.EnrolPersonAsync("maria");
        var tokens = await _host.PersonTokensAsync("maria");

        var (first, renewed) = await RefreshAsync(tokens);
        var who = await _host.WhoAmIAsync(renewed["access_token"]!.GetValue<string>());
        var (second, _) = await RefreshAsync(tokens);

        Assert.Equal(HttpStatusCode.OK, first);
        Assert.Equal("person", who!["kind"]!.GetValue<string>());
        Assert.NotEqual(tokens["refresh_token"]!.GetValue<string>(), renewed["refresh_token"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.BadRequest, second);
    }

    [Fact]
    public async Task A_code_counts_for_a_minute()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        var (verifier, challenge) = IdentityHost.Proof();
        var code = await _host.CodeAsync(browser, "maria", challenge);

        _host.Clock.Advance(TimeSpan.FromSeconds(61));
        var (status, body) = await _host.TokenAsync(IdentityHost.CodeExchange(code, verifier));

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Equal("invalid_grant", body["error"]!.GetValue<string>());
    }

    [Fact]
    public async Task Access_ends_after_its_minutes_and_renewal_twelve_hours_after_the_sign_in()
    {
        await _host.EnrolPersonAsync("maria");
        var tokens = await _host.PersonTokensAsync("maria");
        _host.Clock.Advance(TimeSpan.FromMinutes(11));
        Assert.Null(await _host.WhoAmIAsync(tokens["access_token"]!.GetValue<string>()));

        _host.Clock.Advance(TimeSpan.FromHours(11));
        var (within, renewed) = await RefreshAsync(tokens);
        _host.Clock.Advance(TimeSpan.FromHours(1));
        var (after, _) = await RefreshAsync(renewed);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.BadRequest), (within, after));
    }

    [Theory]
    [InlineData("governance-cli", "/connect/token", "grant_type=client_credentials", null)]
    [InlineData("governance-console", "/connect/token", "grant_type=client_credentials", null)]
    [InlineData(
        "governance-cli",
        "/connect/token",
        "grant_type=password&username=x&password=x",
        "unsupported_grant_type"
    )]
    [InlineData("ci-bot", "/connect/token", "grant_type=password&username=x&password=x", "unsupported_grant_type")]
    [InlineData("ci-bot", "/connect/token", "grant_type=client_credentials&scope=admin", "invalid_scope")]
    [InlineData("ci-bot", "/connect/device", "scope=openid", "unauthorized_client")]
    [InlineData("governance-console", "/connect/device", "scope=openid", "unauthorized_client")]
    public async Task A_client_has_its_own_grants_only_and_no_scopes_of_its_wish(
        string client,
        string path,
        string asked,
        string? error
    )
    {
        var (_, secret) = await _host.EnrolServiceAsync("ci-bot");
        var form = asked.Split('&').Select(field => field.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        form["client_id"] = client;
        if (client == "ci-bot")
        {
            form["client_secret"] = secret;
        }

        var (status, body) = await _host.PostFormAsync(path, form);

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Null(body["access_token"] ?? body["device_code"]);
        Assert.Equal(error ?? body["error"]!.GetValue<string>(), body["error"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_revoked_token_dies_within_5_seconds()
    {
        var (_, secret) = await _host.EnrolServiceAsync("ci-bot");
        var (_, body) = await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", secret));
        var token = body["access_token"]!.GetValue<string>();
        Assert.NotNull(await _host.WhoAmIAsync(token));

        var status = await RevokeAsync("ci-bot", secret, token);
        var revoked = Stopwatch.StartNew();
        while (revoked.Elapsed < TimeSpan.FromSeconds(5) && await _host.WhoAmIAsync(token) is not null)
        {
            await Task.Delay(100);
        }

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Null(await _host.WhoAmIAsync(token));
        Assert.True(revoked.Elapsed < TimeSpan.FromSeconds(5.5));
    }

    [Fact]
    public async Task A_request_under_way_ends_within_5_seconds_of_what_it_came_with()
    {
        var (id, off) = await _host.EnrolServiceAsync("off-bot", "viewer");
        var (_, secret) = await _host.EnrolServiceAsync("ci-bot", "viewer");
        var ada = await _host.EnrolPersonAsync("ada", "viewer");
        var subjects = _host.Services.GetRequiredService<SubjectStore>();
        using var revoked = await UnderWayAsync(await TokenAsync("ci-bot", secret));
        using var everywhere = await UnderWayAsync(await _host.PersonTokenAsync("ada"));
        using var disabled = await UnderWayAsync(await TokenAsync("off-bot", off));
        using var kept = await UnderWayAsync(await _host.ServiceTokenAsync("kept-bot", "viewer"));

        await RevokeAsync("ci-bot", secret, revoked.Token);
        await _host.Services.GetRequiredService<SessionStore>().RevokeAllAsync(ada, Token);
        await subjects.SetEnabledAsync(Actor.System, id, false, Token);
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(revoked.EndsAsync(), everywhere.EndsAsync(), disabled.EndsAsync());

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(8)); // 5, and a slow machine
        Assert.Equal(
            3,
            _host.Log.Entries.Count(entry => entry.Details["code"]?.GetValue<string>() == "identity.ended")
        );
        Assert.True(await kept.GoesOnAsync());
    }

    [Fact]
    public async Task A_request_under_way_ends_within_5_seconds_of_the_key_of_its_token()
    {
        using var transfer = await UnderWayAsync(await _host.ServiceTokenAsync("ci-bot", "viewer"));
        var keys = _host.Services.GetRequiredService<ServerKeys>();

        var revoked = await keys.RevokeAsync(Actor.System, keys.InUse[0].Time.Id, Token);
        var clock = Stopwatch.StartNew();
        await transfer.EndsAsync();

        Assert.True(revoked.Ok);
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(8)); // 5, and a slow machine
    }

    [Fact]
    public async Task Introspection_tells_active_from_revoked()
    {
        var (_, secret) = await _host.EnrolServiceAsync("ci-bot");
        var (_, body) = await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", secret));
        var form = new Dictionary<string, string>
        {
            ["client_id"] = "ci-bot",
            ["client_secret"] = secret,
            ["token"] = body["access_token"]!.GetValue<string>(),
        };

        var (_, before) = await _host.PostFormAsync("/connect/introspect", form);
        await _host.PostFormAsync("/connect/revoke", form);
        var (_, after) = await _host.PostFormAsync("/connect/introspect", form);

        Assert.True(before["active"]!.GetValue<bool>());
        Assert.False(after["active"]!.GetValue<bool>());
    }

    [Fact]
    public async Task Forged_tokens_are_401()
    {
        var token = await _host.ServiceTokenAsync("ci-bot", "viewer");
        var parts = token.Split('.');
        using var foreign = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var signature = foreign.SignData(Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), HashAlgorithmName.SHA256);
        var none = Encode("""{"alg":"none","typ":"at+jwt"}"""u8.ToArray());
        var tampered = Part(token, 1);
        tampered["sub"] = new string('a', 32);
        string[] forged =
        [
            $"{none}.{parts[1]}.",
            $"{none}.{parts[1]}.{parts[2]}",
            $"{parts[0]}.{parts[1]}.",
            $"{parts[0]}.{parts[1]}",
            $"{parts[0]}.{parts[1]}.{Encode(signature)}",
            $"{parts[0]}.{Encode(Encoding.UTF8.GetBytes(tampered.ToJsonString()))}.{parts[2]}",
            "garbage",
            new('x', 9000),
        ];

        foreach (var bad in forged)
        {
            using var client = _host.Client(bad);
            using var response = await client.GetAsync("/api/v1/whoami");
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Contains("invalid_token", response.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_identity_token_is_no_access_token()
    {
        await _host.EnrolPersonAsync("maria");
        var tokens = await _host.PersonTokensAsync("maria");

        Assert.Null(await _host.WhoAmIAsync(tokens["id_token"]!.GetValue<string>()));
        Assert.Null(await _host.WhoAmIAsync(tokens["refresh_token"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Tokens_of_one_gateway_mean_nothing_to_another()
    {
        await using var other = await IdentityHost.StartAsync();

        Assert.Null(await other.WhoAmIAsync(await _host.ServiceTokenAsync("ci-bot")));
    }

    [Fact]
    public async Task Attempts_at_the_token_endpoint_are_limited()
    {
        await using var host = await IdentityHost.StartAsync(options => options.TokensPerMinute = 3);

        var answers = new List<HttpStatusCode>();
        for (var i = 0; i < 4; i++)
        {
            answers.Add((await host.TokenAsync(IdentityHost.ClientCredentials("nobody", "wrong"))).Status);
        }

        Assert.DoesNotContain(HttpStatusCode.TooManyRequests, answers.Take(3));
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[3]);
    }

    [Fact]
    public async Task Keys_survive_a_restart_and_lie_wrapped()
    {
        var token = await _host.ServiceTokenAsync("ci-bot");
        var kid = Part(token, 0)["kid"]!.GetValue<string>();
        var root = await _host.StopAsync();

        _host = await IdentityHost.StartAsync(root: root);
        await using var db = _host.Services.GetRequiredService<IDbContextFactory<GovernanceDb>>().CreateDbContext();
        var row = Assert.Single(await db.Set<IssuerKeyRow>().ToListAsync(TestContext.Current.CancellationToken));
        using var key = ECDsa.Create();

        Assert.Equal(kid, row.Id);
        Assert.Equal(kid, Part(await _host.ServiceTokenAsync("cd-bot"), 0)["kid"]!.GetValue<string>());
        Assert.ThrowsAny<CryptographicException>(() => key.ImportPkcs8PrivateKey(row.Signing, out _));
        // A new port is a new issuer, so the old token is refused although its signature is right.
        Assert.Null(await _host.WhoAmIAsync(token));
    }

    private Task<(HttpStatusCode Status, JsonNode Body)> RefreshAsync(JsonNode tokens) =>
        _host.TokenAsync(
            new()
            {
                ["grant_type"] = "refresh_token",
                ["client_id"] = "governance-cli",
                ["refresh_token"] = tokens["refresh_token"]!.GetValue<string>(),
            }
        );

    private static JsonNode Part(string token, int index)
    {
        var text = token.Split('.')[index].Replace('-', '+').Replace('_', '/');
        return JsonNode.Parse(Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '=')))!;
    }

    private static string Encode(byte[] bytes) =>
        Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private async Task<HttpStatusCode> RevokeAsync(string client, string secret, string token)
    {
        var form = new Dictionary<string, string>
        {
            ["client_id"] = client,
            ["client_secret"] = secret,
            ["token"] = token,
        };
        return (await _host.PostFormAsync("/connect/revoke", form)).Status;
    }

    private async Task<string> TokenAsync(string name, string secret) =>
        (await _host.TokenAsync(IdentityHost.ClientCredentials(name, secret))).Body["access_token"]!.GetValue<string>();

    private async Task<Transfer> UnderWayAsync(string token)
    {
        var client = _host.Client(token);
        var answer = await client.GetAsync("/probe/endless", HttpCompletionOption.ResponseHeadersRead, Token);
        answer.EnsureSuccessStatusCode();
        return new Transfer(client, token, await answer.Content.ReadAsStreamAsync(Token));
    }

    private sealed record Transfer(HttpClient Client, string Token, Stream Stream) : IDisposable
    {
        public async Task EndsAsync() =>
            await Assert.ThrowsAnyAsync<IOException>(async () =>
            {
                while (await GoesOnAsync()) { }
            });

        public async Task<bool> GoesOnAsync() =>
            await Stream.ReadAsync(new byte[16], TestContext.Current.CancellationToken) > 0;

        public void Dispose()
        {
            Stream.Dispose();
            Client.Dispose();
        }
    }
}
