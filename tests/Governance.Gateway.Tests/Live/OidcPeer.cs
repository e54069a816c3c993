using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Gateway.Hosting;
using Governance.Tests;

namespace Governance.Gateway.Tests.Live;

/// <summary>A stock OpenID Connect provider (npm oidc-provider) over TLS, in a process of its own, with keys that the test knows.</summary>
internal sealed class OidcPeer : IAsyncDisposable
{
    public const string Audience = "https://gateway.test";
    public const string ConsoleClient = "gateway-console";
    public const string Secret = "a-secret-of-the-tests-that-is-long-enough";
    private const string AppRedirect = "https://app.test/callback";
    private readonly string _directory = Directory.CreateTempSubdirectory("governance-oidc-").FullName;
    private readonly X509Certificate2 _authority;
    private readonly int _gatewayPort;
    private Process? _process;

    public OidcPeer(int gatewayPort)
    {
        _gatewayPort = gatewayPort;
        Port = FreePort.Find();
        Issuer = $"https://localhost:{Port}";
        _authority = MakeCertificates();
        File.WriteAllText(SecretFile, Secret + "\n");
    }

    public int Port { get; }

    public string Issuer { get; }

    public string AuthorityFile => Path.Combine(_directory, "ca.pem");

    public string SecretFile => Path.Combine(_directory, "secret");

    /// <summary>The key that its access tokens are signed with.</summary>
    public ECDsa Key { get; private set; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public string KeyId { get; private set; } = "key-1";

    public async Task StartAsync()
    {
        using var rsa = RSA.Create(2048);
        var settings = new JsonObject
        {
            ["issuer"] = Issuer,
            ["port"] = Port,
            ["key"] = Path.Combine(_directory, "server.key"),
            ["certificate"] = Path.Combine(_directory, "server.pem"),
            ["audience"] = Audience,
            ["jwks"] = new JsonObject { ["keys"] = new JsonArray(EcKey(), RsaKey(rsa)) },
            ["clients"] = new JsonArray(
                new JsonObject
                {
                    ["client_id"] = ConsoleClient,
                    ["client_secret"] = Secret,
                    ["redirect_uris"] = new JsonArray(
                        $"https://localhost:{_gatewayPort}/signin/external/peer/callback"
                    ),
                    ["post_logout_redirect_uris"] = new JsonArray(
                        $"https://localhost:{_gatewayPort}/signin/external/peer/signedout"
                    ),
                    ["token_endpoint_auth_method"] = "client_secret_post",
                },
                new JsonObject
                {
                    ["client_id"] = "app",
                    ["redirect_uris"] = new JsonArray(AppRedirect),
                    ["token_endpoint_auth_method"] = "none",
                },
                new JsonObject
                {
                    ["client_id"] = "robot",
                    ["client_secret"] = Secret,
                    ["grant_types"] = new JsonArray("client_credentials"),
                    ["response_types"] = new JsonArray(),
                    ["redirect_uris"] = new JsonArray(),
                    ["token_endpoint_auth_method"] = "client_secret_post",
                }
            ),
        };
        var file = Path.Combine(_directory, "settings.json");
        await File.WriteAllTextAsync(file, settings.ToJsonString());
        _process = Process.Start(
            new ProcessStartInfo(
                "node",
                [Path.Combine(Paths.Base, "tests", "peers", "oidc-provider", "serve.mjs"), file]
            )
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        Errors = _process.StandardError.ReadToEndAsync(CancellationToken.None);
        await ReadAsync("ready");
    }

    /// <summary>What the provider complained of, once it has ended.</summary>
    public Task<string> Errors { get; private set; } = Task.FromResult("");

    /// <summary>Says who signs in next, with which claims.</summary>
    public async Task NextLoginAsync(JsonObject login)
    {
        using var client = Client();
        using var content = new StringContent(login.ToJsonString());
        using var answer = await client.PostAsync(
            new Uri($"{Issuer}/next-login"),
            content,
            TestContext.Current.CancellationToken
        );
        answer.EnsureSuccessStatusCode();
    }

    public async Task StopAsync()
    {
        if (_process is { HasExited: false } running)
        {
            running.Kill();
            await running.WaitForExitAsync(CancellationToken.None);
        }

        _process?.Dispose();
        _process = null;
    }

    /// <summary>The same provider with another signing key.</summary>
    public async Task RollOverAsync(string keyId)
    {
        await StopAsync();
        Key.Dispose();
        (Key, KeyId) = (ECDsa.Create(ECCurve.NamedCurves.nistP256), keyId);
        await StartAsync();
    }

    /// <summary>An access token as the provider itself issues it to a client.</summary>
    public async Task<string> RobotTokenAsync(string resource = Audience)
    {
        using var client = Client();
        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["grant_type"] = "client_credentials",
                ["client_id"] = "robot",
                ["client_secret"] = Secret,
                ["scope"] = "api",
                ["resource"] = resource,
            }
        );
        using var answer = await client.PostAsync(new Uri($"{Issuer}/token"), form);
        var text = await answer.Content.ReadAsStringAsync();
        return JsonNode.Parse(text)!["access_token"]?.ToString() ?? throw new InvalidOperationException(text);
    }

    /// <summary>An access token as the provider itself issues it to an app of a person, who signs in for it.</summary>
    public async Task<string> PersonTokenAsync(JsonObject login)
    {
        await NextLoginAsync(login);
        using var browser = Client();
        var verifier = Convert.ToHexString(RandomNumberGenerator.GetBytes(32));
        var challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));
        var address = new Uri(
            $"{Issuer}/auth?client_id=app&response_type=code&scope=openid%20api&redirect_uri={Uri.EscapeDataString(AppRedirect)}"
                + $"&resource={Uri.EscapeDataString(Audience)}&code_challenge={challenge}&code_challenge_method=S256"
        );
        for (var hops = 0; address.Host != "app.test"; hops++)
        {
            using var step = await browser.GetAsync(address);
            address =
                hops < 10 && step.Headers.Location is { } next
                    ? new Uri(address, next)
                    : throw new InvalidOperationException(await step.Content.ReadAsStringAsync());
        }

        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["grant_type"] = "authorization_code",
                ["client_id"] = "app",
                ["code"] = System.Web.HttpUtility.ParseQueryString(address.Query)["code"] ?? "",
                ["code_verifier"] = verifier,
                ["redirect_uri"] = AppRedirect,
                ["resource"] = Audience,
            }
        );
        using var answer = await browser.PostAsync(new Uri($"{Issuer}/token"), form);
        var text = await answer.Content.ReadAsStringAsync();
        return JsonNode.Parse(text)!["access_token"]?.ToString() ?? throw new InvalidOperationException(text);
    }

    /// <summary>What a token of it says, as anybody may put it.</summary>
    public JsonObject Claims(string subject = "somebody")
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        return new JsonObject
        {
            ["iss"] = Issuer,
            ["sub"] = subject,
            ["aud"] = Audience,
            ["client_id"] = "robot",
            ["iat"] = now,
            ["exp"] = now + 600,
            ["jti"] = Convert.ToHexString(RandomNumberGenerator.GetBytes(8)),
        };
    }

    public JsonObject Header() =>
        new()
        {
            ["alg"] = "ES256",
            ["typ"] = "at+jwt",
            ["kid"] = KeyId,
        };

    /// <summary>Signs header and claims with the provider's own key.</summary>
    public string Sign(string header, string claims, ECDsa? key = null)
    {
        var text = $"{Encode(header)}.{Encode(claims)}";
        return $"{text}.{Base64Url.EncodeToString((key ?? Key).SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256))}";
    }

    public static string Encode(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    /// <summary>A browser for this provider and, with its authority, a gateway; follows nothing by itself.</summary>
    public HttpClient Client(X509Certificate2? also = null)
    {
        var handler = Loopback.Trusting(_authority);
        handler.UseCookies = true;
        handler.CookieContainer = new CookieContainer();
        if (also is not null)
        {
            handler.SslOptions.CertificateChainPolicy!.CustomTrustStore.Add(also);
        }

        return new HttpClient(handler);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Key.Dispose();
        _authority.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task ReadAsync(string word)
    {
        var line = await _process!.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
        if (line != word)
        {
            throw new InvalidOperationException($"{line} {await Errors} (npm ci in tests/peers/oidc-provider)");
        }
    }

    private JsonObject EcKey()
    {
        var key = Key.ExportParameters(true);
        return new JsonObject
        {
            ["kty"] = "EC",
            ["crv"] = "P-256",
            ["use"] = "sig",
            ["kid"] = KeyId,
            ["x"] = Base64Url.EncodeToString(key.Q.X),
            ["y"] = Base64Url.EncodeToString(key.Q.Y),
            ["d"] = Base64Url.EncodeToString(key.D),
        };
    }

    private JsonObject RsaKey(RSA rsa)
    {
        var key = rsa.ExportParameters(true);
        return new JsonObject
        {
            ["kty"] = "RSA",
            ["use"] = "sig",
            ["kid"] = $"{KeyId}-rsa",
            ["n"] = Base64Url.EncodeToString(key.Modulus),
            ["e"] = Base64Url.EncodeToString(key.Exponent),
            ["d"] = Base64Url.EncodeToString(key.D),
            ["p"] = Base64Url.EncodeToString(key.P),
            ["q"] = Base64Url.EncodeToString(key.Q),
            ["dp"] = Base64Url.EncodeToString(key.DP),
            ["dq"] = Base64Url.EncodeToString(key.DQ),
            ["qi"] = Base64Url.EncodeToString(key.InverseQ),
        };
    }

    private X509Certificate2 MakeCertificates()
    {
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = new CertificateRequest("CN=provider authority", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = DateTimeOffset.UtcNow;
        var root = authority.CreateSelfSigned(now.AddHours(-1), now.AddDays(2));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var server = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        server.CertificateExtensions.Add(names.Build());
        using var made = server.Create(root, now.AddHours(-1), now.AddDays(1), [1, 2, 3]);
        File.WriteAllText(AuthorityFile, root.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_directory, "server.pem"), made.ExportCertificatePem());
        File.WriteAllText(Path.Combine(_directory, "server.key"), key.ExportPkcs8PrivateKeyPem());
        return root;
    }
}
