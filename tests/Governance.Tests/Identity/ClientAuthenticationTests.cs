using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using OpenIddict.EntityFrameworkCore.Models;

namespace Governance.Tests.Identity;

/// <summary>How services prove themselves at the token endpoint, registered through the API.</summary>
public sealed class ClientAuthenticationTests : IAsyncLifetime
{
    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    private readonly ClientKey _key = new();
    private IdentityHost _host = null!;
    private HttpClient _admin = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await IdentityHost.StartAsync();
        _admin = await _host.AdminAsync("root");
    }

    public async ValueTask DisposeAsync()
    {
        _admin.Dispose();
        _key.Dispose();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task A_secret_works_in_the_body_and_in_the_header()
    {
        var added = await AddAsync("ci-bot");
        var secret = added["clientSecret"]!.GetValue<string>();
        using var client = _host.Client();
        client.DefaultRequestHeaders.Authorization = new(
            "Basic",
            Convert.ToBase64String(Encoding.ASCII.GetBytes($"ci-bot:{secret}"))
        );

        using var basic = await client.PostAsync("/connect/token", Form(("grant_type", "client_credentials")));
        var (post, _) = await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", secret));

        Assert.Equal(HttpStatusCode.OK, basic.StatusCode);
        Assert.Equal(HttpStatusCode.OK, post);
    }

    [Fact]
    public async Task A_private_key_proves_its_client_and_each_assertion_counts_once()
    {
        await AddAsync("jwt-bot", PrivateKeyJwt());
        var assertion = _key.Assertion("jwt-bot", _host.Url);

        var (first, body) = await AssertAsync(assertion);
        var (second, _) = await AssertAsync(assertion);

        Assert.Equal(HttpStatusCode.OK, first);
        Assert.NotNull(await _host.WhoAmIAsync(body["access_token"]!.GetValue<string>()));
        Assert.Equal(HttpStatusCode.Unauthorized, second);
    }

    [Fact]
    public async Task A_used_assertion_stays_used_after_a_restart()
    {
        await AddAsync("jwt-bot", PrivateKeyJwt());
        var assertion = _key.Assertion("jwt-bot", _host.Url);
        var port = new Uri(_host.Url).Port;
        await AssertAsync(assertion);

        _host = await IdentityHost.StartAsync(root: await _host.StopAsync(), port: port);
        var (status, body) = await AssertAsync(assertion);

        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.Equal("invalid_client", body["error"]!.GetValue<string>());
        Assert.Contains("before", body["error_description"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-2, HttpStatusCode.OK)]
    [InlineData(-40, HttpStatusCode.Unauthorized)]
    [InlineData(-200, HttpStatusCode.Unauthorized)]
    public async Task An_assertion_that_ended_counts_for_half_a_minute_and_even_then_once(
        int ended,
        HttpStatusCode expected
    )
    {
        await AddAsync("jwt-bot", PrivateKeyJwt());
        var now = DateTimeOffset.UtcNow;
        var assertion = _key.Assertion(
            "jwt-bot",
            _host.Url,
            (_, claims) => Set(claims, "exp", now.ToUnixTimeSeconds() + ended)
        );

        var (first, _) = await AssertAsync(assertion);
        await _host
            .Services.GetRequiredService<ReplayStore>()
            .ForgetAsync(DateTimeOffset.UtcNow, TestContext.Current.CancellationToken);
        var (second, _) = await AssertAsync(assertion);

        Assert.Equal(expected, first);
        Assert.Equal(HttpStatusCode.Unauthorized, second);
    }

    [Theory]
    [InlineData("aud", "https://elsewhere.example/")]
    [InlineData("aud", null)]
    [InlineData("iss", "other-bot")]
    [InlineData("sub", "other-bot")]
    [InlineData("jti", null)]
    [InlineData("exp", null)]
    [InlineData("exp", 1_000_000_000L)]
    [InlineData("exp", 4_000_000_000L)]
    public async Task An_assertion_with_a_wrong_claim_is_refused(string claim, object? value)
    {
        await AddAsync("jwt-bot", PrivateKeyJwt());

        var (status, _) = await AssertAsync(
            _key.Assertion("jwt-bot", _host.Url, (_, claims) => Set(claims, claim, value))
        );

        Assert.True(status is HttpStatusCode.Unauthorized or HttpStatusCode.BadRequest, status.ToString());
    }

    [Fact]
    public async Task An_assertion_of_another_key_is_refused()
    {
        await AddAsync("jwt-bot", PrivateKeyJwt());
        using var other = new ClientKey();

        Assert.Equal(HttpStatusCode.Unauthorized, (await AssertAsync(other.Assertion("jwt-bot", _host.Url))).Status);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_registered_certificate_proves_its_client_and_binds_the_token(bool rsa)
    {
        using var certificate = ClientKey.Certificate(rsa);
        using var other = ClientKey.Certificate(rsa);
        await AddAsync("tls-bot", SelfSigned(certificate));

        var (status, body) = await TlsTokenAsync(certificate, "tls-bot");
        var token = body["access_token"]!.GetValue<string>();

        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("Bearer", body["token_type"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.OK, await WhoAmIAsync(_host.Client(certificate, token)));
        Assert.Equal(HttpStatusCode.Unauthorized, await WhoAmIAsync(_host.Client(other, token)));
        Assert.Equal(HttpStatusCode.Unauthorized, await WhoAmIAsync(_host.Client(token)));
    }

    [Fact]
    public async Task Another_or_an_outdated_certificate_proves_nobody()
    {
        using var certificate = ClientKey.Certificate();
        using var other = ClientKey.Certificate();
        using var outdated = ClientKey.Certificate(ended: TimeSpan.FromHours(1));
        await AddAsync("tls-bot", SelfSigned(certificate));
        await AddAsync("old-bot", SelfSigned(outdated));

        Assert.Equal(HttpStatusCode.Unauthorized, (await TlsTokenAsync(other, "tls-bot")).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await TlsTokenAsync(outdated, "old-bot")).Status);
    }

    [Fact]
    public async Task A_client_proves_itself_in_its_registered_way_only()
    {
        using var certificate = ClientKey.Certificate();
        var secret = (await AddAsync("ci-bot"))["clientSecret"]!.GetValue<string>();
        await AddAsync("jwt-bot", PrivateKeyJwt());

        var certificateOnly = await TlsTokenAsync(certificate, "ci-bot");
        var certificateForKey = await TlsTokenAsync(certificate, "jwt-bot");
        var secretForKey = await _host.TokenAsync(IdentityHost.ClientCredentials("jwt-bot", secret));

        Assert.Equal("invalid_client", certificateOnly.Body["error"]!.GetValue<string>());
        Assert.Equal("invalid_client", certificateForKey.Body["error"]!.GetValue<string>());
        Assert.Equal("invalid_client", secretForKey.Body["error"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_secret_over_mutual_tls_gives_a_bound_token()
    {
        using var certificate = ClientKey.Certificate();
        var secret = (await AddAsync("ci-bot"))["clientSecret"]!.GetValue<string>();
        using var client = _host.Client(certificate);

        using var response = await client.PostAsync(
            "/connect/token",
            new FormUrlEncodedContent(IdentityHost.ClientCredentials("ci-bot", secret))
        );
        var token = (await response.Content.ReadFromJsonAsync<JsonNode>())!["access_token"]!.GetValue<string>();

        Assert.Equal(HttpStatusCode.OK, await WhoAmIAsync(_host.Client(certificate, token)));
        Assert.Equal(HttpStatusCode.Unauthorized, await WhoAmIAsync(_host.Client(token)));
    }

    [Theory]
    [InlineData("any", false)]
    [InlineData("mutual_tls", false)]
    [InlineData("dpop", false)]
    [InlineData("any", true)]
    [InlineData("dpop", true)]
    public async Task A_client_that_must_bind_its_tokens_gets_no_others(string binding, bool proof)
    {
        var added = await AddAsync("ci-bot", binding: binding);
        using var client = _host.Client();
        if (proof)
        {
            client.DefaultRequestHeaders.Add("DPoP", _key.Proof("POST", $"{_host.Url}/connect/token"));
        }

        using var response = await client.PostAsync(
            "/connect/token",
            new FormUrlEncodedContent(
                IdentityHost.ClientCredentials("ci-bot", added["clientSecret"]!.GetValue<string>())
            )
        );

        Assert.Equal(proof ? HttpStatusCode.OK : HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Fact]
    public async Task A_replaced_secret_counts_until_its_overlap_ends()
    {
        var added = await AddAsync("ci-bot");
        var old = added["clientSecret"]!.GetValue<string>();
        var token = (await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", old))).Body["access_token"]!;

        var second = await ReplaceAsync(added, 24);
        var both = (await StatusAsync("ci-bot", old), await StatusAsync("ci-bot", second));
        var third = await ReplaceAsync(added, 0);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), both);
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync("ci-bot", old));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync("ci-bot", second));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync("ci-bot", third));
        Assert.Null(await _host.WhoAmIAsync(token.GetValue<string>()));
        Assert.Contains(_host.Log.Entries, entry => entry.Kind == "identity.secret_replaced");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_token_that_was_asked_for_before_and_is_issued_after_its_service_lost_them_counts_for_nothing(
        bool disabled
    )
    {
        var added = await AddAsync("ci-bot");
        var secret = added["clientSecret"]!.GetValue<string>();
        var token = (await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", secret))).Body["access_token"]!;
        if (disabled)
        {
            foreach (var enabled in new[] { false, true })
            {
                using var done = await _admin.PostAsJsonAsync(
                    $"/api/v1/subjects/{added["id"]}/enabled",
                    new { enabled }
                );
                Assert.Equal(HttpStatusCode.NoContent, done.StatusCode);
            }
        }
        else
        {
            secret = await ReplaceAsync(added, 0);
        }

        await using var db = await _host
            .Services.GetRequiredService<IDbContextFactory<GovernanceDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);
        var rows = db.Set<OpenIddictEntityFrameworkCoreToken>();
        var ended = await rows.CountAsync(row => row.Status == "revoked", TestContext.Current.CancellationToken);
        await rows.ExecuteUpdateAsync(
            set => set.SetProperty(row => row.Status, "valid"),
            TestContext.Current.CancellationToken
        ); // as the row of a token that was not there yet when the others ended
        var fresh = (await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", secret))).Body["access_token"]!;

        Assert.Equal(1, ended);
        Assert.Null(await _host.WhoAmIAsync(token.GetValue<string>()));
        Assert.NotNull(await _host.WhoAmIAsync(fresh.GetValue<string>()));
    }

    [Theory]
    [InlineData("governance")]
    [InlineData("governance-cli")]
    [InlineData("external.0123")]
    public async Task No_service_takes_a_name_that_means_something_else(string name)
    {
        using var refused = await PostAsync(name, null, null);

        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
    }

    [Fact]
    public async Task Another_method_ends_the_old_one_and_its_tokens()
    {
        var added = await AddAsync("ci-bot");
        var secret = added["clientSecret"]!.GetValue<string>();
        var token = (await _host.TokenAsync(IdentityHost.ClientCredentials("ci-bot", secret))).Body["access_token"]!;

        using var changed = await _admin.PutAsJsonAsync(
            $"/api/v1/services/{added["id"]}/authentication",
            new JsonObject { ["authentication"] = PrivateKeyJwt(), ["binding"] = "any" }
        );
        var view = await _admin.GetFromJsonAsync<JsonNode>($"/api/v1/services/{added["id"]}");

        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync("ci-bot", secret));
        Assert.Null(await _host.WhoAmIAsync(token.GetValue<string>()));
        Assert.Equal("private_key_jwt", view!["method"]!.GetValue<string>());
        Assert.Equal("any", view["binding"]!.GetValue<string>());
        Assert.DoesNotContain(secret, view.ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"method":"client_secret_jwt"}""", "identity.bad_authentication")]
    [InlineData("""{"method":"private_key_jwt"}""", "identity.bad_authentication")]
    [InlineData("""{"method":"private_key_jwt","jwks":{"keys":[]}}""", "identity.bad_authentication")]
    [InlineData(
        """{"method":"private_key_jwt","jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}}""",
        "identity.bad_authentication"
    )]
    [InlineData(
        """{"method":"private_key_jwt","jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}}""",
        "identity.bad_authentication"
    )]
    [InlineData(
        """{"method":"self_signed_tls_client_auth","certificates":["nonsense"]}""",
        "identity.bad_authentication"
    )]
    [InlineData("""{"method":"tls_client_auth","dnsName":"not a name"}""", "identity.bad_authentication")]
    [InlineData("""{"method":"tls_client_auth","dnsName":"bot.example"}""", "identity.no_client_authorities")]
    [InlineData("""{"method":"client_secret","dnsName":"bot.example"}""", "identity.bad_authentication")]
    public async Task Registrations_that_prove_nothing_are_refused(string authentication, string code)
    {
        using var response = await PostAsync("bad-bot", JsonNode.Parse(authentication)!.AsObject(), null);
        var problem = await response.Content.ReadFromJsonAsync<JsonNode>();

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(code, problem!["code"]!.GetValue<string>());
    }

    private JsonObject PrivateKeyJwt() =>
        new()
        {
            ["method"] = "private_key_jwt",
            ["jwks"] = new JsonObject { ["keys"] = new JsonArray(_key.Public) },
        };

    private static JsonObject SelfSigned(X509Certificate2 certificate) =>
        new()
        {
            ["method"] = "self_signed_tls_client_auth",
            ["certificates"] = new JsonArray(certificate.ExportCertificatePem()),
        };

    private async Task<JsonNode> AddAsync(string name, JsonObject? authentication = null, string? binding = null)
    {
        using var response = await PostAsync(name, authentication, binding);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    private Task<HttpResponseMessage> PostAsync(string name, JsonObject? authentication, string? binding) =>
        _admin.PostAsJsonAsync(
            "/api/v1/services",
            new JsonObject
            {
                ["clientId"] = name,
                ["grants"] = new JsonArray(),
                ["authentication"] = authentication?.DeepClone(),
                ["binding"] = binding,
            }
        );

    private async Task<string> ReplaceAsync(JsonNode service, int overlapHours)
    {
        using var response = await _admin.PostAsJsonAsync(
            $"/api/v1/services/{service["id"]}/secret",
            new JsonObject { ["overlapHours"] = overlapHours }
        );
        return (await response.Content.ReadFromJsonAsync<JsonNode>())!["clientSecret"]!.GetValue<string>();
    }

    private async Task<HttpStatusCode> StatusAsync(string name, string secret) =>
        (await _host.TokenAsync(IdentityHost.ClientCredentials(name, secret))).Status;

    private Task<(HttpStatusCode Status, JsonNode Body)> AssertAsync(string assertion) =>
        _host.TokenAsync(
            new()
            {
                ["grant_type"] = "client_credentials",
                ["client_assertion_type"] = AssertionType,
                ["client_assertion"] = assertion,
            }
        );

    private async Task<(HttpStatusCode Status, JsonNode Body)> TlsTokenAsync(X509Certificate2 certificate, string name)
    {
        using var client = _host.Client(certificate);
        using var response = await client.PostAsync(
            "/connect/token",
            Form(("grant_type", "client_credentials"), ("client_id", name))
        );
        return (response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonNode>())!);
    }

    private static async Task<HttpStatusCode> WhoAmIAsync(HttpClient client)
    {
        using (client)
        {
            using var response = await client.GetAsync("/api/v1/whoami");
            return response.StatusCode;
        }
    }

    private static FormUrlEncodedContent Form(params (string Key, string Value)[] fields) =>
        new(fields.ToDictionary(field => field.Key, field => field.Value));

    private static void Set(JsonObject claims, string claim, object? value)
    {
        claims.Remove(claim);
        if (value is not null)
        {
            claims[claim] = value is long number ? JsonValue.Create(number) : JsonValue.Create((string)value);
        }
    }
}
