using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Web;
using Governance.Gateway.Hosting;
using Governance.Gateway.Tests.Live;
using Governance.Gateway.Tls;
using Governance.Tests.Identity;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.PostgreSql.Tests;

/// <summary>What counts once counts once for two gateways together, and what one ends the other ends too.</summary>
public sealed class TwoGatewaysAccessTests : IAsyncLifetime
{
    private const string Redirect = "http://127.0.0.1/callback";
    private readonly LiveGateway _first = new() { Rehearse = false };
    private readonly LiveGateway _second;
    private readonly ClientKey _key = new();

    public TwoGatewaysAccessTests() => _second = _first.Beside();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private LiveGateway[] Both => [_first, _second];

    public async ValueTask InitializeAsync()
    {
        Assert.True(Governance.Tests.Platform.TestServer.IsPostgreSql, "Set GOVERNANCE_TEST_POSTGRES; test.sh does.");
        await _first.InitializeAsync();
        await _second.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _key.Dispose();
        await _second.DisposeAsync();
        await _first.DisposeAsync();
    }

    [Fact]
    public async Task A_key_revoked_at_one_gateway_opens_nothing_at_the_other_five_seconds_later()
    {
        var dana = _second.Http("dana");
        using var before = await dana.GetAsync(new Uri("/api/v1/whoami", UriKind.Relative), Token);
        var kid = JsonNode.Parse(Base64Url.DecodeFromChars(_first.TokenOf("dana").Split('.')[0]))!["kid"];

        using var revoked = await _first
            .Http("admin")
            .PostAsJsonAsync($"/api/v1/issuer-keys/{kid}/revoke", new JsonObject(), Token);
        await Task.Delay(TimeSpan.FromSeconds(5), Token);
        using var after = await dana.GetAsync(new Uri("/api/v1/whoami", UriKind.Relative), Token);

        Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, after.StatusCode);
    }

    [Fact]
    public async Task A_proof_counts_at_one_gateway_only()
    {
        var (code, verifier) = await CodeAsync(_first);
        var (status, tokens) = await ExchangeAsync(_first, code, verifier, Proof());
        var access = Text(tokens, "access_token");
        var used = Proof(access);

        Assert.Equal((HttpStatusCode.OK, "DPoP"), (status, Text(tokens, "token_type")));
        Assert.Equal(HttpStatusCode.OK, (await WhoAmIAsync(_first, access, used)).Status);
        var (refused, why) = await WhoAmIAsync(_second, access, used);
        Assert.Equal(HttpStatusCode.Unauthorized, refused);
        Assert.Contains("invalid_dpop_proof", why, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await WhoAmIAsync(_second, access, Proof(access))).Status);
    }

    [Fact]
    public async Task Of_one_proof_at_both_gateways_at_once_one_counts()
    {
        var (code, verifier) = await CodeAsync(_first);
        var (_, tokens) = await ExchangeAsync(_first, code, verifier, Proof());
        var access = Text(tokens, "access_token");
        for (var round = 0; round < 5; round++)
        {
            var proof = Proof(access);

            var answers = await Task.WhenAll(
                Enumerable.Range(0, 6).Select(n => WhoAmIAsync(Both[n % 2], access, proof))
            );

            Assert.Single(answers, answer => answer.Status == HttpStatusCode.OK);
            Assert.Equal(5, answers.Count(answer => answer.Status == HttpStatusCode.Unauthorized));
        }
    }

    [Fact]
    public async Task A_proof_of_the_token_endpoint_counts_at_one_gateway_only()
    {
        var proof = Proof();
        var (code, verifier) = await CodeAsync(_first);
        var (other, otherVerifier) = await CodeAsync(_second);

        var (first, _) = await ExchangeAsync(_first, code, verifier, proof);
        var (second, refusal) = await ExchangeAsync(_second, other, otherVerifier, proof);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.BadRequest), (first, second));
        Assert.Equal("invalid_dpop_proof", Text(refusal, "error"));
    }

    [Fact]
    public async Task A_code_of_one_gateway_works_once_at_the_other_and_its_return_ends_what_it_gave()
    {
        var (code, verifier) = await CodeAsync(_first);

        var (status, tokens) = await ExchangeAsync(_second, code, verifier);
        var access = Text(tokens, "access_token");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(HttpStatusCode.OK, (await WhoAmIAsync(_second, access)).Status);
        var (again, refusal) = await ExchangeAsync(_first, code, verifier);

        Assert.Equal((HttpStatusCode.BadRequest, "invalid_grant"), (again, Text(refusal, "error")));
        await EndedAtBothAsync(access);
        Assert.Equal(HttpStatusCode.BadRequest, (await RefreshAsync(_second, tokens)).Status);
    }

    [Fact]
    public async Task Of_one_code_at_both_gateways_at_once_at_most_one_counts()
    {
        for (var round = 0; round < 4; round++)
        {
            var (code, verifier) = await CodeAsync(Both[round % 2]);

            var answers = await Task.WhenAll(
                Enumerable.Range(0, 6).Select(n => ExchangeAsync(Both[n % 2], code, verifier))
            );

            Assert.True(answers.Count(answer => answer.Status == HttpStatusCode.OK) <= 1, Listed(answers));
            Assert.All(
                answers.Where(answer => answer.Status != HttpStatusCode.OK),
                answer => Assert.Equal("invalid_grant", Text(answer.Body, "error"))
            );
        }
    }

    [Fact]
    public async Task A_refresh_token_that_returns_at_the_other_gateway_ends_its_family_at_both()
    {
        var (code, verifier) = await CodeAsync(_first);
        var (_, tokens) = await ExchangeAsync(_first, code, verifier);

        var (renewed, next) = await RefreshAsync(_first, tokens);
        var (returned, refusal) = await RefreshAsync(_second, tokens);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.BadRequest), (renewed, returned));
        Assert.Equal("invalid_grant", Text(refusal, "error"));
        await EndedAtBothAsync(Text(next, "access_token"));
        Assert.Equal(HttpStatusCode.BadRequest, (await RefreshAsync(_first, next)).Status);
    }

    [Fact]
    public async Task Of_one_refresh_token_at_both_gateways_at_once_at_most_one_counts_and_the_family_ends()
    {
        for (var round = 0; round < 4; round++)
        {
            var (code, verifier) = await CodeAsync(_first);
            var (_, tokens) = await ExchangeAsync(_first, code, verifier);

            var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(n => RefreshAsync(Both[n % 2], tokens)));

            Assert.True(answers.Count(answer => answer.Status == HttpStatusCode.OK) <= 1, Listed(answers));
            foreach (var (status, body) in answers.Where(answer => answer.Status == HttpStatusCode.OK))
            {
                Assert.Equal(HttpStatusCode.BadRequest, (await RefreshAsync(_second, body)).Status);
            }

            await EndedAtBothAsync(Text(tokens, "access_token"));
        }
    }

    [Fact]
    public async Task Signing_out_everywhere_at_one_gateway_ends_the_sessions_and_tokens_of_the_other()
    {
        using var browser = NewBrowser();
        var (code, verifier) = await CodeAsync(_first, browser);
        var (_, tokens) = await ExchangeAsync(_second, code, verifier);
        var access = Text(tokens, "access_token");
        await browser.OpenAsync(new Uri($"{_first.Url}/account"));
        await browser.OpenAsync(new Uri($"{_second.Url}/account"));
        Assert.Equal($"{_second.Url}/account", browser.Address.ToString());
        await browser.OpenAsync(new Uri($"{_first.Url}/account"));

        await browser.SubmitAsync("/account/sessions/end-all");

        await EndedAtBothAsync(access);
        await EventuallyAsync(async () =>
        {
            await browser.OpenAsync(new Uri($"{_second.Url}/account"));
            return browser.Address.ToString() != $"{_second.Url}/account";
        });
        Assert.Equal(HttpStatusCode.BadRequest, (await RefreshAsync(_second, tokens)).Status);
    }

    [Fact]
    public async Task A_token_revoked_at_one_gateway_ends_at_the_other()
    {
        var (code, verifier) = await CodeAsync(_first);
        var (_, tokens) = await ExchangeAsync(_first, code, verifier);
        var access = Text(tokens, "access_token");
        Assert.Equal(HttpStatusCode.OK, (await WhoAmIAsync(_second, access)).Status);

        await PostAsync(
            _first,
            "/connect/revoke",
            new() { ["client_id"] = "governance-cli", ["token"] = Text(tokens, "access_token") }
        );

        await EndedAtBothAsync(access);
    }

    [Fact]
    public async Task A_client_assertion_counts_at_one_gateway_only()
    {
        using var registered = await _first
            .Http("admin")
            .PostAsJsonAsync(
                "/api/v1/services",
                new JsonObject
                {
                    ["clientId"] = "robot",
                    ["grants"] = new JsonArray(),
                    ["authentication"] = new JsonObject
                    {
                        ["method"] = "private_key_jwt",
                        ["jwks"] = new JsonObject { ["keys"] = new JsonArray(_key.Public) },
                    },
                },
                Token
            );
        Assert.Equal(HttpStatusCode.Created, registered.StatusCode);
        var form = new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials",
            ["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ["client_assertion"] = _key.Assertion("robot", _first.Url),
        };

        var (first, _) = await PostAsync(_first, "/connect/token", form);
        var (second, refusal) = await PostAsync(_second, "/connect/token", form);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Unauthorized), (first, second));
        Assert.Equal("invalid_client", Text(refusal, "error"));
    }

    [Fact]
    public async Task A_device_may_ask_one_gateway_and_be_let_in_at_the_other()
    {
        var (_, device) = await PostAsync(
            _first,
            "/connect/device",
            new() { ["client_id"] = "governance-cli", ["scope"] = "openid offline_access" }
        );
        var form = new Dictionary<string, string>
        {
            ["grant_type"] = "urn:ietf:params:oauth:grant-type:device_code",
            ["client_id"] = "governance-cli",
            ["device_code"] = Text(device, "device_code"),
        };
        using var browser = NewBrowser();
        await browser.OpenAsync(new Uri($"{_second.Url}/connect/verify?user_code={Text(device, "user_code")}"));
        await browser.SignInAsync("dana");
        await browser.SubmitAsync("/connect/verify", ("decision", "allow"));

        var answers = await Task.WhenAll(
            Enumerable.Range(0, 6).Select(n => PostAsync(Both[n % 2], "/connect/token", form))
        );

        Assert.True(answers.Count(answer => answer.Status == HttpStatusCode.OK) <= 1, Listed(answers));
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync(_second, "/connect/token", form)).Status);
    }

    // The public address is the first gateway's: a proof names it whichever gateway answers.
    private string Proof(string? access = null) =>
        access is null
            ? _key.Proof("POST", $"{_first.Url}/connect/token")
            : _key.Proof("GET", $"{_first.Url}/api/v1/whoami", access);

    private Browser NewBrowser() => new(Loopback.To(_first.Services.GetRequiredService<ServerCertificates>()));

    private async Task<(string Code, string Verifier)> CodeAsync(LiveGateway at, Browser? browser = null)
    {
        using var own = browser is null ? NewBrowser() : null;
        var used = browser ?? own!;
        var verifier = RandomNumberGenerator.GetHexString(64, lowercase: true);
        var challenge = ClientKey.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));
        var (_, pushed) = await PostAsync(
            at,
            "/connect/par",
            new()
            {
                ["client_id"] = "governance-cli",
                ["response_type"] = "code",
                ["scope"] = "openid offline_access",
                ["redirect_uri"] = Redirect,
                ["code_challenge"] = challenge,
                ["code_challenge_method"] = "S256",
            }
        );
        var reference = Uri.EscapeDataString(Text(pushed, "request_uri"));
        await used.OpenAsync(new Uri($"{at.Url}/connect/authorize?client_id=governance-cli&request_uri={reference}"));
        var back = await used.SignInAsync("dana");
        return (HttpUtility.ParseQueryString(back.Query)["code"]!, verifier);
    }

    private static Task<(HttpStatusCode Status, JsonNode Body)> ExchangeAsync(
        LiveGateway at,
        string code,
        string verifier,
        string? proof = null
    ) =>
        PostAsync(
            at,
            "/connect/token",
            new()
            {
                ["grant_type"] = "authorization_code",
                ["client_id"] = "governance-cli",
                ["code"] = code,
                ["code_verifier"] = verifier,
                ["redirect_uri"] = Redirect,
            },
            proof
        );

    private static Task<(HttpStatusCode Status, JsonNode Body)> RefreshAsync(LiveGateway at, JsonNode tokens) =>
        PostAsync(
            at,
            "/connect/token",
            new()
            {
                ["grant_type"] = "refresh_token",
                ["client_id"] = "governance-cli",
                ["refresh_token"] = Text(tokens, "refresh_token"),
            }
        );

    private static async Task<(HttpStatusCode Status, JsonNode Body)> PostAsync(
        LiveGateway at,
        string path,
        Dictionary<string, string> form,
        string? proof = null
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new FormUrlEncodedContent(form) };
        if (proof is not null)
        {
            request.Headers.Add("DPoP", proof);
        }

        using var answer = await at.Anonymous().SendAsync(request, Token);
        var text = await answer.Content.ReadAsStringAsync(Token);
        return (answer.StatusCode, text.Length == 0 ? new JsonObject() : JsonNode.Parse(text)!);
    }

    private static async Task<(HttpStatusCode Status, string Challenge)> WhoAmIAsync(
        LiveGateway at,
        string access,
        string? proof = null
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/whoami");
        request.Headers.Authorization = new AuthenticationHeaderValue(proof is null ? "Bearer" : "DPoP", access);
        if (proof is not null)
        {
            request.Headers.Add("DPoP", proof);
        }

        using var answer = await at.Anonymous().SendAsync(request, Token);
        return (answer.StatusCode, string.Join(' ', answer.Headers.WwwAuthenticate));
    }

    private async Task EndedAtBothAsync(string access)
    {
        foreach (var gateway in Both)
        {
            await EventuallyAsync(async () =>
                (await WhoAmIAsync(gateway, access)).Status == HttpStatusCode.Unauthorized
            );
        }
    }

    // What is revoked ends within five seconds everywhere.
    private static async Task EventuallyAsync(Func<Task<bool>> holds)
    {
        for (var tries = 0; tries < 24; tries++)
        {
            if (await holds())
            {
                return;
            }

            await Task.Delay(250, Token);
        }

        Assert.Fail("It did not come about within six seconds.");
    }

    private static string Text(JsonNode json, string name) => json[name]?.GetValue<string>() ?? "";

    private static string Listed(IEnumerable<(HttpStatusCode Status, JsonNode Body)> answers) =>
        string.Join(' ', answers.Select(answer => $"{(int)answer.Status} {Text(answer.Body, "error")}"));
}
