using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Web;
using Governance.Gateway.Demo;
using Governance.Gateway.Tls;
using Governance.Identity;
using Governance.Identity.Contracts;
using Governance.Identity.Federation;
using Governance.Platform;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Governance.Gateway.Tests.Live;

/// <summary>A gateway that knows one external provider.</summary>
public sealed class FederatedGateway : IAsyncLifetime
{
    private readonly int _port = LiveGateway.FreePort();

    public FederatedGateway()
    {
        Peer = new OidcPeer(_port);
        const string issuer = "Governance:Identity:Issuers:0:";
        Gateway = new LiveGateway
        {
            Port = _port,
            Settings = new Dictionary<string, string?>
            {
                [issuer + "Name"] = "peer",
                [issuer + "DisplayName"] = "The Peer <&>",
                [issuer + "Authority"] = Peer.Issuer,
                [issuer + "AuthorityFile"] = Peer.AuthorityFile,
                [issuer + "ClientId"] = OidcPeer.ConsoleClient,
                [issuer + "ClientSecretFile"] = Peer.SecretFile,
                [issuer + "Audience"] = OidcPeer.Audience,
            },
        };
    }

    internal OidcPeer Peer { get; }

    public LiveGateway Gateway { get; }

    public async ValueTask InitializeAsync()
    {
        await Peer.StartAsync();
        await Gateway.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await Peer.DisposeAsync();
    }
}

/// <summary>Logins and tokens of a real external provider: what counts, and what of it nobody can bend.</summary>
public sealed class FederationTests(FederatedGateway federated) : IClassFixture<FederatedGateway>
{
    private readonly OidcPeer _peer = federated.Peer;
    private readonly LiveGateway _gateway = federated.Gateway;

    [Fact]
    public async Task An_access_token_of_the_provider_is_a_service_without_roles_until_an_administrator_grants_one()
    {
        var robot = As(await _peer.RobotTokenAsync());

        var me = await robot.ApiGetAsync("/api/v1/whoami");
        Assert.True(me.Ok, me.Body.ToJsonString());
        Assert.Equal("service", me.Text("kind"), ignoreCase: true);
        Assert.Equal(HttpStatusCode.Forbidden, (await SearchAsync(robot)).Status);

        var granted = await _gateway
            .As("admin")
            .ApiPostAsync("/api/v1/grants", new JsonObject { ["subject"] = me.Text("id"), ["role"] = "viewer" });
        Assert.True(granted.Status is HttpStatusCode.Created or HttpStatusCode.OK, granted.Body.ToJsonString());
        Assert.True((await SearchAsync(robot)).Ok);
        Assert.Equal(me.Text("id"), (await As(await _peer.RobotTokenAsync()).ApiGetAsync("/api/v1/whoami")).Text("id"));
    }

    [Fact]
    public async Task A_browser_signs_in_at_the_provider_and_the_answer_works_once_and_in_that_browser_only()
    {
        await _peer.NextLoginAsync(
            new JsonObject
            {
                ["sub"] = "maria-at-peer",
                ["acr"] = "urn:test:strong",
                ["amr"] = new JsonArray("pwd", "otp"),
                ["claims"] = new JsonObject { ["email"] = "admin@example.com", ["groups"] = new JsonArray("admin") },
            }
        );
        using var browser = Browser();
        var page = await browser.GetStringAsync(
            new Uri($"{_gateway.Url}/signin"),
            TestContext.Current.CancellationToken
        );
        Assert.Contains("href=\"/signin/external/peer\"", page, StringComparison.Ordinal);
        Assert.Contains("Sign in with The Peer &lt;&amp;&gt;", page, StringComparison.Ordinal);

        var begun = await browser.GetAsync(
            new Uri($"{_gateway.Url}/signin/external/peer"),
            TestContext.Current.CancellationToken
        );
        var authorize = begun.Headers.Location!;
        Assert.StartsWith($"{_peer.Issuer}/auth?", authorize.ToString(), StringComparison.Ordinal);
        // Pushed: nothing of the request can be changed in the browser.
        Assert.NotNull(HttpUtility.ParseQueryString(authorize.Query)["request_uri"]);
        var callback = await FollowAsync(browser, authorize);
        var query = HttpUtility.ParseQueryString(callback.Query);
        Assert.Equal(_peer.Issuer, query["iss"]);

        foreach (var wrong in WrongAnswers(callback, query))
        {
            using var refused = await browser.GetAsync(wrong, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }

        using (var stranger = Browser())
        using (var refused = await stranger.GetAsync(callback, TestContext.Current.CancellationToken))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }

        // Each wrong answer spent the correlation of this browser, so a fresh one shows the right way.
        using var second = Browser();
        var again = await second.GetAsync(
            new Uri($"{_gateway.Url}/signin/external/peer"),
            TestContext.Current.CancellationToken
        );
        var answer = await FollowAsync(second, again.Headers.Location!);
        using var signedIn = await second.GetAsync(answer, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Redirect, signedIn.StatusCode);
        using var home = await second.GetAsync(new Uri($"{_gateway.Url}/"), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, home.StatusCode);
        using var replayed = await second.GetAsync(answer, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, replayed.StatusCode);
    }

    [Fact]
    public async Task No_forged_or_misused_token_is_accepted()
    {
        var sound = As(Token());
        Assert.True((await sound.ApiGetAsync("/api/v1/whoami")).Ok);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var ours = _gateway.TokenOf("dana");
        var forged = new Dictionary<string, string>
        {
            ["issuer in capitals"] = Token(claims => claims["iss"] = _peer.Issuer.ToUpperInvariant()),
            ["issuer with a slash"] = Token(claims => claims["iss"] = _peer.Issuer + "/"),
            ["issuer with a look-alike"] = Token(claims =>
                claims["iss"] = _peer.Issuer.Replace("o", "\u043e", StringComparison.Ordinal)
            ),
            ["our issuer"] = Token(claims => claims["iss"] = _gateway.Url),
            ["our issuer and a slash"] = Token(claims => claims["iss"] = _gateway.Url + "/"),
            ["issuer in an array"] = Token(claims => claims["iss"] = new JsonArray(_peer.Issuer)),
            ["no issuer"] = Token(claims => claims.Remove("iss")),
            ["other audience"] = Token(claims => claims["aud"] = "https://other.test"),
            ["real token for another audience"] = await _peer.RobotTokenAsync("https://other.test"),
            ["audience of the pages"] = Token(claims => claims["aud"] = OidcPeer.ConsoleClient),
            ["audience in capitals"] = Token(claims => claims["aud"] = OidcPeer.Audience.ToUpperInvariant()),
            ["our audience"] = Token(claims => claims["aud"] = "governance"),
            ["no audience"] = Token(claims => claims.Remove("aud")),
            ["expired"] = Token(claims => claims["exp"] = Now - 60),
            ["no end"] = Token(claims => claims.Remove("exp")),
            ["end as a text"] = Token(claims => claims["exp"] = $"{Now + 600}"),
            ["not yet"] = Token(claims => claims["nbf"] = Now + 600),
            ["issued in the future"] = Token(claims => claims["iat"] = Now + 600),
            ["no time of issue"] = Token(claims => claims.Remove("iat")),
            ["no subject"] = Token(claims => claims.Remove("sub")),
            ["empty subject"] = Token(claims => claims["sub"] = ""),
            ["subject as a number"] = Token(claims => claims["sub"] = 1),
            ["subject in an array"] = Token(claims => claims["sub"] = new JsonArray("a")),
            ["subject with a control character"] = Token(claims => claims["sub"] = "a\u0000b"),
            ["endless subject"] = Token(claims => claims["sub"] = new string('a', 257)),
            ["ID token"] = Token(header: header => header["typ"] = "JWT"),
            ["no type"] = Token(header: header => header.Remove("typ")),
            ["logout token"] = Token(header: header => header["typ"] = "logout+jwt"),
            ["no algorithm"] =
                $"{OidcPeer.Encode("""{"alg":"none","typ":"at+jwt","kid":"key-1"}""")}.{OidcPeer.Encode(_peer.Claims().ToJsonString())}.",
            ["algorithm none, signed"] = Token(header: header => header["alg"] = "none"),
            ["HS256 with the public key"] = Hs256(),
            ["RS256 on a curve"] = Token(header: header => header["alg"] = "RS256"),
            ["ES384"] = Token(header: header => header["alg"] = "ES384"),
            ["algorithm in small letters"] = Token(header: header => header["alg"] = "es256"),
            ["no key id"] = Token(header: header => header.Remove("kid")),
            ["unknown key id"] = Token(header: header => header["kid"] = "key-2"),
            ["key id of our issuer"] = Token(header: header =>
                header["kid"] = StrictJson.Part(ours.Split('.')[0])!.Text("kid")
            ),
            ["key id as a path"] = Token(header: header => header["kid"] = "../../../../dev/null"),
            ["key id as a number"] = Token(header: header => header["kid"] = 1),
            ["own key in the header"] = _peer.Sign(WithKey(other), _peer.Claims().ToJsonString(), other),
            ["key address"] = Token(header: header => header["jku"] = "https://evil.example/jwks"),
            ["certificate address"] = Token(header: header => header["x5u"] = "https://evil.example/c"),
            ["certificate"] = Token(header: header => header["x5c"] = new JsonArray("MIIB")),
            ["critical extension"] = Token(header: header => header["crit"] = new JsonArray("b64")),
            ["unencoded payload"] = Token(header: header => header["b64"] = false),
            ["compressed"] = Token(header: header => header["zip"] = "DEF"),
            ["other key"] = _peer.Sign(_peer.Header().ToJsonString(), _peer.Claims().ToJsonString(), other),
            ["subject twice"] = _peer.Sign(
                _peer.Header().ToJsonString(),
                _peer.Claims().ToJsonString().Replace("\"sub\":", "\"sub\":\"x\",\"sub\":", StringComparison.Ordinal)
            ),
            ["issuer twice"] = _peer.Sign(
                _peer.Header().ToJsonString(),
                _peer.Claims().ToJsonString().Replace("\"iss\":", "\"iss\":\"x\",\"iss\":", StringComparison.Ordinal)
            ),
            ["algorithm twice"] = _peer.Sign(
                _peer.Header().ToJsonString().Replace("{", "{\"alg\":\"none\",", StringComparison.Ordinal),
                _peer.Claims().ToJsonString()
            ),
            ["no signature"] = Token()[..(Token().LastIndexOf('.') + 1)],
            ["signature of zeroes"] = string.Join('.', Token().Split('.')[..2]) + "." + new string('A', 86),
            ["signature of our token"] = string.Join('.', Token().Split('.')[..2]) + "." + ours.Split('.')[2],
            ["our claims under its signature"] = _peer.Sign(_peer.Header().ToJsonString(), Payload(ours)),
            ["nested"] = _peer.Sign("""{"alg":"ES256","typ":"at+jwt","cty":"JWT","kid":"key-1"}""", Token()),
            ["five parts"] = Token() + ".a.b",
        };

        foreach (var (name, token) in forged)
        {
            using var client = _gateway.Anonymous();
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/api/v1/whoami", UriKind.Relative));
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
            using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);

            Assert.True(answer.StatusCode == HttpStatusCode.Unauthorized, $"{name}: {answer.StatusCode}");
            Assert.Contains("invalid_token", answer.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        }

        Assert.True(forged.Count >= 50, $"{forged.Count}");
    }

    [Theory]
    [InlineData("""{"roles":["admin"]}""")]
    [InlineData("""{"role":"admin","groups":"admin"}""")]
    [InlineData("""{"groups":["admin","auditor","viewer"]}""")]
    [InlineData("""{"groups":[["admin"]],"wids":["admin"]}""")]
    [InlineData("""{"groups":{"admin":true},"permissions":["identity:manage"]}""")]
    [InlineData("""{"scope":"admin identity:manage","scp":"admin","realm_access":{"roles":["admin"]}}""")]
    [InlineData("""{"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://evil.example"}}}""")]
    [InlineData("""{"email":"admin@example.com","email_verified":true,"preferred_username":"admin"}""")]
    [InlineData("""{"amr":["pwd","mfa"],"acr":"urn:test:strong","auth_time":4102444800}""")]
    public async Task Nothing_that_a_provider_says_of_itself_is_a_role_or_a_person(string said)
    {
        var claims = _peer.Claims("claimant");
        foreach (var (name, value) in JsonNode.Parse(said)!.AsObject())
        {
            claims[name] = value?.DeepClone();
        }

        var claimant = As(_peer.Sign(_peer.Header().ToJsonString(), claims.ToJsonString()));

        var me = await claimant.ApiGetAsync("/api/v1/whoami");
        Assert.True(me.Ok, me.Body.ToJsonString());
        Assert.Equal("service", me.Text("kind"), ignoreCase: true);
        Assert.Equal(HttpStatusCode.Forbidden, (await SearchAsync(claimant)).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await claimant.ApiGetAsync("/api/v1/subjects")).Status);
    }

    [Fact]
    public async Task A_group_of_the_provider_gives_its_roles_for_as_long_as_a_token_says_so_and_by_its_bytes_only()
    {
        const string value = "6f1c0e2a-Viewers";
        await GroupAsync("federated", _peer.Issuer, value);
        await GroupAsync("elsewhere", "https://other.example", "elsewhere");
        var member = new JsonArray("a", value);

        Assert.True(await ReadsAsync("member", claims => claims["groups"] = member.DeepClone()));
        Assert.True(await ReadsAsync("alone", claims => claims["groups"] = value));
        var refused = new Dictionary<string, Action<JsonObject>>
        {
            ["small letters"] = claims => claims["groups"] = new JsonArray(value.ToLowerInvariant()),
            ["look-alike"] = claims => claims["groups"] = new JsonArray(value.Replace('e', '\u0435')),
            ["full width"] = claims => claims["groups"] = new JsonArray(value.Replace('V', '\uFF36')),
            ["blank"] = claims => claims["groups"] = new JsonArray(value + " "),
            ["zero width"] = claims => claims["groups"] = new JsonArray(value + "\u200b"),
            ["list in a text"] = claims => claims["groups"] = $"a,{value}",
            ["blanks in a text"] = claims => claims["groups"] = $"a {value}",
            ["JSON in a text"] = claims => claims["groups"] = $"[\"{value}\"]",
            ["nested"] = claims => claims["groups"] = new JsonArray(new JsonArray(value)),
            ["nested beside"] = claims => claims["groups"] = new JsonArray(value, new JsonArray("a")),
            ["number beside"] = claims => claims["groups"] = new JsonArray(value, 1),
            ["null beside"] = claims => claims["groups"] = new JsonArray(value, null),
            ["object"] = claims => claims["groups"] = new JsonObject { [value] = true },
            ["pattern"] = claims => claims["groups"] = new JsonArray("*"),
            ["other claim"] = claims => claims["roles"] = new JsonArray(value),
            ["claim in capitals"] = claims => claims["Groups"] = new JsonArray(value),
            ["group of another issuer"] = claims => claims["groups"] = new JsonArray("elsewhere"),
            ["name of the group"] = claims => claims["groups"] = new JsonArray("federated"),
            ["overage"] = claims =>
            {
                claims["groups"] = new JsonArray(value);
                claims["_claim_names"] = new JsonObject { ["groups"] = "src1" };
            },
            ["old token"] = claims =>
            {
                claims["groups"] = new JsonArray(value);
                claims["iat"] = Now - 7200;
            },
        };
        foreach (var (name, change) in refused)
        {
            Assert.False(await ReadsAsync($"not-{name}", change), name);
        }

        // The same login with a newer token that no longer names the group loses it at once.
        var older = Token(claims =>
        {
            claims["sub"] = "leaver";
            claims["groups"] = new JsonArray(value);
            claims["iat"] = Now - 60;
        });
        Assert.True((await SearchAsync(As(older))).Ok);
        var newer = Token(claims => claims["sub"] = "leaver");
        Assert.Equal(HttpStatusCode.Forbidden, (await SearchAsync(As(newer))).Status);
    }

    [Fact]
    public async Task A_login_is_the_same_only_by_the_bytes_of_its_name()
    {
        var ids = new List<string>();
        foreach (var subject in new[] { "anna", "Anna", "anna ", "аnna", "a\u030Anna", "\u00E5nna" })
        {
            ids.Add((await As(Token(claims => claims["sub"] = subject)).ApiGetAsync("/api/v1/whoami")).Text("id"));
        }

        Assert.Equal(6, ids.Distinct(StringComparer.Ordinal).Count());
        Assert.DoesNotContain("", ids);
    }

    [Fact]
    public async Task Keys_roll_over_and_a_provider_that_is_down_counts_for_a_bounded_time()
    {
        await using var peer = new OidcPeer(1);
        await peer.StartAsync();
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        using var tokens = Tokens(peer, clock);
        var first = LongLived(peer);
        Assert.NotNull(await ReadAsync(tokens, first));

        await peer.RollOverAsync("key-2");
        var second = LongLived(peer);
        Assert.Null(await ReadAsync(tokens, second)); // looked half a minute ago at most
        clock.Advance(TimeSpan.FromSeconds(31));
        Assert.NotNull(await ReadAsync(tokens, second));
        Assert.Null(await ReadAsync(tokens, first));

        await peer.StopAsync();
        clock.Advance(TimeSpan.FromHours(11));
        Assert.NotNull(await ReadAsync(tokens, second));
        clock.Advance(TimeSpan.FromHours(2));
        Assert.Null(await ReadAsync(tokens, second));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/other")]
    public async Task Metadata_that_names_another_issuer_counts_for_nothing(string suffix)
    {
        using var tokens = Tokens(_peer, TimeProvider.System, suffix);
        var token = Token(claims => claims["iss"] = _peer.Issuer + suffix);

        Assert.NotNull(tokens.IssuerOf(token));
        Assert.Null(await ReadAsync(tokens, token));
    }

    [Theory]
    [InlineData("https://localhost:1/keys")]
    [InlineData("http://localhost/keys")]
    [InlineData("https://evil.example/keys")]
    public async Task Nothing_but_the_configured_host_is_asked(string address)
    {
        using var client = AuthorityOnly.For(new ExternalIssuer { Name = "x", Authority = "https://localhost:2" });

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() =>
            client.GetAsync(new Uri(address), TestContext.Current.CancellationToken)
        );
        Assert.Contains("not configured", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sub", "RS256", "x", "y", "")]
    [InlineData("email", "RS256", "x", "y", "SubjectClaim")]
    [InlineData("preferred_username", "RS256", "x", "y", "SubjectClaim")]
    [InlineData("sub", "HS256", "x", "y", "Algorithms")]
    [InlineData("sub", "none", "x", "y", "Algorithms")]
    [InlineData("sub", "RS256", "", "", "ClientId")]
    [InlineData("sub", "RS256", "x", "x", "Audience must differ")]
    public void A_provider_is_configured_soundly_or_not_at_all(
        string subject,
        string algorithms,
        string client,
        string audience,
        string complaint
    )
    {
        var issuer = new ExternalIssuer
        {
            Name = "peer",
            Authority = "https://idp.example",
            SubjectClaim = subject,
            Algorithms = algorithms,
            ClientId = client,
            Audience = audience,
        };

        var problems = issuer.Validate(new System.ComponentModel.DataAnnotations.ValidationContext(issuer)).ToList();

        Assert.Equal(complaint.Length == 0, problems.Count == 0);
        Assert.Contains(complaint, string.Concat(problems), StringComparison.Ordinal);
    }

    private async Task GroupAsync(string name, string issuer, string value)
    {
        var admin = _gateway.As("admin");
        var made = await admin.ApiPostAsync(
            "/api/v1/groups",
            new JsonObject
            {
                ["name"] = name,
                ["external"] = new JsonObject
                {
                    ["issuer"] = issuer,
                    ["claim"] = "groups",
                    ["value"] = value,
                },
            }
        );
        Assert.True(made.Status is HttpStatusCode.Created or HttpStatusCode.OK, made.Body.ToJsonString());
        var granted = await admin.ApiPostAsync(
            "/api/v1/grants",
            new JsonObject { ["group"] = made.Text("id"), ["role"] = "viewer" }
        );
        Assert.True(granted.Status is HttpStatusCode.Created or HttpStatusCode.OK, granted.Body.ToJsonString());
    }

    private async Task<bool> ReadsAsync(string subject, Action<JsonObject> change)
    {
        var client = As(
            Token(claims =>
            {
                claims["sub"] = subject;
                change(claims);
            })
        );
        Assert.True((await client.ApiGetAsync("/api/v1/whoami")).Ok, subject);
        return (await SearchAsync(client)).Ok;
    }

    private static long Now => DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    private string Token(Action<JsonObject>? change = null, Action<JsonObject>? header = null)
    {
        var (head, claims) = (_peer.Header(), _peer.Claims());
        change?.Invoke(claims);
        header?.Invoke(head);
        return _peer.Sign(head.ToJsonString(), claims.ToJsonString());
    }

    private static string LongLived(OidcPeer peer)
    {
        var claims = peer.Claims();
        claims["exp"] = Now + 7 * 86_400;
        return peer.Sign(peer.Header().ToJsonString(), claims.ToJsonString());
    }

    private string Hs256()
    {
        var text =
            $"{OidcPeer.Encode("""{"alg":"HS256","typ":"at+jwt","kid":"key-1"}""")}.{OidcPeer.Encode(_peer.Claims().ToJsonString())}";
        var mac = HMACSHA256.HashData(
            Encoding.ASCII.GetBytes(_peer.Key.ExportSubjectPublicKeyInfoPem()),
            Encoding.ASCII.GetBytes(text)
        );
        return $"{text}.{System.Buffers.Text.Base64Url.EncodeToString(mac)}";
    }

    private string WithKey(ECDsa key)
    {
        var point = key.ExportParameters(false).Q;
        var header = _peer.Header();
        header["jwk"] = new JsonObject
        {
            ["kty"] = "EC",
            ["crv"] = "P-256",
            ["x"] = System.Buffers.Text.Base64Url.EncodeToString(point.X),
            ["y"] = System.Buffers.Text.Base64Url.EncodeToString(point.Y),
        };
        return header.ToJsonString();
    }

    private static string Payload(string token) =>
        Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(token.Split('.')[1]));

    private DemoClient As(string token)
    {
        var client = _gateway.Anonymous();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return new DemoClient(client);
    }

    private static Task<Answer> SearchAsync(DemoClient client) =>
        client.PostAsync("experiments/search", new JsonObject { ["max_results"] = 1 });

    private HttpClient Browser() => _peer.Client(_gateway.Services.GetRequiredService<ServerCertificates>().Authority);

    /// <summary>Goes where redirects of the provider lead until they come back to the gateway.</summary>
    private async Task<Uri> FollowAsync(HttpClient browser, Uri address)
    {
        for (var hops = 0; hops < 10; hops++)
        {
            using var answer = await browser.GetAsync(address, TestContext.Current.CancellationToken);
            var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.True(answer.Headers.Location is not null, $"{answer.StatusCode} {text}");
            address = new Uri(address, answer.Headers.Location);
            if (address.Authority == new Uri(_gateway.Url).Authority)
            {
                return address;
            }
        }

        throw new InvalidOperationException("It goes round in circles.");
    }

    private static IEnumerable<Uri> WrongAnswers(Uri callback, System.Collections.Specialized.NameValueCollection query)
    {
        foreach (
            var (name, value) in new[] { ("state", ""), ("state", "x"), ("iss", "https://evil.example"), ("iss", "") }
        )
        {
            var changed = HttpUtility.ParseQueryString(query.ToString()!);
            if (value.Length == 0)
            {
                changed.Remove(name);
            }
            else
            {
                changed[name] = value;
            }

            yield return new UriBuilder(callback) { Query = changed.ToString() }.Uri;
        }
    }

    private static ExternalTokens Tokens(OidcPeer peer, TimeProvider clock, string suffix = "") =>
        new(
            Options.Create(
                new IdentityOptions
                {
                    Issuers =
                    [
                        new ExternalIssuer
                        {
                            Name = "peer",
                            Authority = peer.Issuer + suffix,
                            AuthorityFile = peer.AuthorityFile,
                            Audience = OidcPeer.Audience,
                        },
                    ],
                }
            ),
            new PlatformOptions
            {
                DataDirectory = "",
                PoliciesDirectory = "",
                KeyFile = "",
                PublicUrl = "https://localhost",
            },
            clock,
            NullLogger<IssuerMetadata>.Instance
        );

    private static async Task<ExternalLogin?> ReadAsync(ExternalTokens tokens, string token) =>
        await tokens.ValidateAsync(tokens.IssuerOf(token)!, token, TestContext.Current.CancellationToken) is { } read
            ? read.Login
            : null;
}
