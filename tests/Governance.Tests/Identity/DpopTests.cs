using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Governance.Tests.Identity;

/// <summary>Tokens bound to a key (RFC 9449), through the whole gate.</summary>
public sealed class DpopTests : IAsyncLifetime
{
    private readonly ClientKey _key = new();
    private IdentityHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await IdentityHost.StartAsync();

    public ValueTask DisposeAsync()
    {
        _key.Dispose();
        return _host.DisposeAsync();
    }

    private string Target => $"{_host.Url}/api/v1/whoami";

    [Fact]
    public async Task A_bound_token_works_with_its_key_and_each_proof_once()
    {
        var token = await ServiceTokenAsync(_host, _key);
        var proof = _key.Proof("GET", Target, token);

        using var first = await GetAsync("DPoP", token, proof);
        using var second = await GetAsync("DPoP", token, proof);

        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, second.StatusCode);
        Assert.StartsWith(
            "DPoP realm=\"governance\", algs=\"ES256 ES384 PS256\", error=\"invalid_dpop_proof\"",
            second.Headers.WwwAuthenticate.ToString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_used_proof_stays_used_after_a_restart()
    {
        var token = await ServiceTokenAsync(_host, _key);
        var proof = _key.Proof("GET", Target, token);
        using var first = await GetAsync("DPoP", token, proof);
        var port = new Uri(_host.Url).Port;

        _host = await IdentityHost.StartAsync(root: await _host.StopAsync(), port: port);
        using var replayed = await GetAsync("DPoP", token, proof);
        using var fresh = await GetAsync("DPoP", token, _key.Proof("GET", Target, token));

        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, replayed.StatusCode);
        Assert.Equal(HttpStatusCode.OK, fresh.StatusCode);
    }

    [Fact]
    public async Task A_bound_token_is_no_bearer_token()
    {
        var token = await ServiceTokenAsync(_host, _key);

        using var bearer = await GetAsync("Bearer", token, null);
        using var bearerWithProof = await GetAsync("Bearer", token, _key.Proof("GET", Target, token));
        using var unproven = await GetAsync("DPoP", token, null);

        foreach (var refused in (HttpResponseMessage[])[bearer, bearerWithProof, unproven])
        {
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        }
    }

    [Fact]
    public async Task A_bearer_token_is_no_bound_token()
    {
        var token = await _host.ServiceTokenAsync("ci-bot");

        using var response = await GetAsync("DPoP", token, _key.Proof("GET", Target, token));

        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    [Fact]
    public async Task Another_key_or_token_hash_is_refused()
    {
        var token = await ServiceTokenAsync(_host, _key);
        using var other = new ClientKey();

        using var otherKey = await GetAsync("DPoP", token, other.Proof("GET", Target, token));
        using var otherHash = await GetAsync("DPoP", token, _key.Proof("GET", Target, token + "x"));

        Assert.Contains("error=\"invalid_token\"", otherKey.Headers.WwwAuthenticate.ToString());
        Assert.Contains("TokenHash", otherHash.Headers.WwwAuthenticate.ToString());
    }

    [Fact]
    public async Task A_nonce_is_asked_for_and_taken()
    {
        await using var host = await IdentityHost.StartAsync(options => options.DpopNonce = true);
        var (_, secret) = await host.EnrolServiceAsync("ci-bot", "viewer");
        var endpoint = $"{host.Url}/connect/token";

        var (asked, body, nonce) = await TokenAsync(host, "ci-bot", secret, _key.Proof("POST", endpoint));
        var (given, issued, _) = await TokenAsync(host, "ci-bot", secret, _key.Proof("POST", endpoint, nonce: nonce));
        var token = issued["access_token"]!.GetValue<string>();
        using var client = host.Client();
        var target = $"{host.Url}/api/v1/whoami";
        using var without = await GetAsync(client, "DPoP", token, _key.Proof("GET", target, token));
        using var with = await GetAsync(client, "DPoP", token, _key.Proof("GET", target, token, nonce));
        using var made = await GetAsync(client, "DPoP", token, _key.Proof("GET", target, token, "made-up"));

        Assert.Equal(HttpStatusCode.BadRequest, asked);
        Assert.Equal("use_dpop_nonce", body["error"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.OK, given);
        Assert.Contains("error=\"use_dpop_nonce\"", without.Headers.WwwAuthenticate.ToString());
        Assert.NotEmpty(without.Headers.GetValues("DPoP-Nonce"));
        Assert.Equal(HttpStatusCode.OK, with.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, made.StatusCode);
    }

    [Fact]
    public async Task A_persons_refresh_token_is_bound_as_well_and_stays_so()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        var (verifier, challenge) = IdentityHost.Proof();
        var code = await _host.CodeAsync(browser, "maria", challenge);
        using var other = new ClientKey();

        var (_, tokens) = await PostAsync(IdentityHost.CodeExchange(code, verifier), _key);
        var refresh = Refresh(tokens);
        var (stolen, _) = await PostAsync(refresh, other);
        var (unproven, _) = await PostAsync(refresh, null);
        var (own, renewed) = await PostAsync(refresh, _key);

        Assert.Equal("DPoP", tokens["token_type"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.BadRequest, stolen);
        Assert.Equal(HttpStatusCode.BadRequest, unproven);
        Assert.Equal(HttpStatusCode.OK, own);
        Assert.Equal("DPoP", renewed["token_type"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_code_asked_for_a_key_needs_it()
    {
        await _host.EnrolPersonAsync("maria");
        using var browser = _host.Client();
        var (verifier, challenge) = IdentityHost.Proof();
        var code = await _host.CodeAsync(browser, "maria", challenge, ("dpop_jkt", _key.Thumbprint));
        using var other = new ClientKey();

        var (wrong, _) = await PostAsync(IdentityHost.CodeExchange(code, verifier), other);
        var (none, _) = await PostAsync(IdentityHost.CodeExchange(code, verifier), null);
        var (right, _) = await PostAsync(IdentityHost.CodeExchange(code, verifier), _key);

        Assert.Equal(HttpStatusCode.BadRequest, wrong);
        Assert.Equal(HttpStatusCode.BadRequest, none);
        Assert.Equal(HttpStatusCode.OK, right);
    }

    [Fact]
    public async Task Introspection_names_the_key()
    {
        var (_, secret) = await _host.EnrolServiceAsync("ci-bot");
        var (_, issued, _) = await TokenAsync(
            _host,
            "ci-bot",
            secret,
            _key.Proof("POST", $"{_host.Url}/connect/token")
        );

        var (_, seen) = await _host.PostFormAsync(
            "/connect/introspect",
            new()
            {
                ["client_id"] = "ci-bot",
                ["client_secret"] = secret,
                ["token"] = issued["access_token"]!.GetValue<string>(),
            }
        );

        Assert.Equal("DPoP", seen["token_type"]!.GetValue<string>());
        Assert.Equal(_key.Thumbprint, seen["cnf"]!["jkt"]!.GetValue<string>());
    }

    internal static async Task<string> ServiceTokenAsync(IdentityHost host, ClientKey key, string name = "dpop-bot")
    {
        var (_, secret) = await host.EnrolServiceAsync(name, "viewer");
        var (status, body, _) = await TokenAsync(host, name, secret, key.Proof("POST", $"{host.Url}/connect/token"));
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("DPoP", body["token_type"]!.GetValue<string>());
        return body["access_token"]!.GetValue<string>();
    }

    private static async Task<(HttpStatusCode Status, JsonNode Body, string Nonce)> TokenAsync(
        IdentityHost host,
        string name,
        string secret,
        string proof
    )
    {
        using var client = host.Client();
        client.DefaultRequestHeaders.Add("DPoP", proof);
        using var response = await client.PostAsync(
            "/connect/token",
            new FormUrlEncodedContent(IdentityHost.ClientCredentials(name, secret))
        );
        var nonce = response.Headers.TryGetValues("DPoP-Nonce", out var values) ? values.Single() : "";
        return (response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonNode>())!, nonce);
    }

    private async Task<(HttpStatusCode Status, JsonNode Body)> PostAsync(
        Dictionary<string, string> form,
        ClientKey? key
    )
    {
        using var client = _host.Client();
        if (key is not null)
        {
            client.DefaultRequestHeaders.Add("DPoP", key.Proof("POST", $"{_host.Url}/connect/token"));
        }

        using var response = await client.PostAsync("/connect/token", new FormUrlEncodedContent(form));
        return (response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonNode>())!);
    }

    private static Dictionary<string, string> Refresh(JsonNode tokens) =>
        new()
        {
            ["grant_type"] = "refresh_token",
            ["client_id"] = "governance-cli",
            ["refresh_token"] = tokens["refresh_token"]!.GetValue<string>(),
        };

    private async Task<HttpResponseMessage> GetAsync(string scheme, string token, string? proof)
    {
        using var client = _host.Client();
        return await GetAsync(client, scheme, token, proof);
    }

    private static async Task<HttpResponseMessage> GetAsync(
        HttpClient client,
        string scheme,
        string token,
        string? proof
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/whoami");
        request.Headers.Authorization = new(scheme, token);
        if (proof is not null)
        {
            request.Headers.Add("DPoP", proof);
        }

        return await client.SendAsync(request);
    }
}
