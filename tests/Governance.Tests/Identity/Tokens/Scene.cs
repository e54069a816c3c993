using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Identity.Server;
using Governance.Identity.Services;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Identity.Tokens;

/// <summary>A gateway with good tokens of every kind, and the issuer's real key, so that only what a recipe changes is wrong.</summary>
internal sealed class Scene : IAsyncDisposable
{
    private readonly ClientKey _foreign = new();
    private readonly Dictionary<string, ClientKey> _keys = new()
    {
        ["mine"] = new ClientKey(),
        ["other"] = new ClientKey(),
        ["p384"] = new ClientKey("ES384"),
        ["rsa"] = new ClientKey("PS256"),
    };
    private readonly Dictionary<string, string> _others = [];
    private Dictionary<string, string> _values = [];
    private ECDsa _issuerKey = null!;

    private Scene(IdentityHost host) => Host = host;

    public IdentityHost Host { get; }

    /// <summary>A service's bearer token.</summary>
    public string Token { get; private set; } = "";

    public string TlsToken { get; private set; } = "";

    public string UsedProof { get; private set; } = "";

    public X509Certificate2 Certificate { get; } = ClientKey.Certificate();

    public static async Task<Scene> StartAsync()
    {
        var scene = new Scene(
            await IdentityHost.StartAsync(options =>
            {
                options.SigningKeyLeadMinutes = 0;
                options.AccessTokenMinutes = 120;
            })
        );
        await scene.PrepareAsync();
        return scene;
    }

    /// <summary>The token that the recipes call by this name.</summary>
    public string Other(string name) => _others[name];

    public ClientKey ProofKey(string? name) => _keys[name ?? "mine"];

    /// <summary>A good token bound to this key. The key <c>other</c> is nobody's: the token is then bound to mine.</summary>
    public string BoundTo(string? key) => _others[key is "p384" or "rsa" ? $"bound-{key}" : "bound"];

    /// <summary>Puts the values of the scene into a recipe's text, the longest names first.</summary>
    public string Fill(string text)
    {
        foreach (var (name, value) in _values.OrderByDescending(pair => pair.Key.Length))
        {
            text = text.Replace($"${name}", value, StringComparison.Ordinal);
        }

        return text;
    }

    public string Sign(string how, string header, string claims, string original)
    {
        var signed = Encoding.ASCII.GetBytes($"{header}.{claims}");
        var real = _issuerKey.SignData(signed, HashAlgorithmName.SHA256);
        var bytes = how switch
        {
            "real" => real,
            "empty" or "cut" => [],
            "keep" => Decode(original),
            "foreign" => Decode(_foreign.SignText($"{header}.{claims}")),
            "p384" => Decode(_keys["p384"].SignText($"{header}.{claims}")),
            "rsa-pss" => Decode(_keys["rsa"].SignText($"{header}.{claims}")),
            "rsa" or "certificate" => ByCertificate(signed),
            "hmac-pem" => HMACSHA256.HashData(Encoding.ASCII.GetBytes(Pem), signed),
            "hmac384-pem" => HMACSHA384.HashData(Encoding.ASCII.GetBytes(Pem), signed),
            "hmac512-pem" => HMACSHA512.HashData(Encoding.ASCII.GetBytes(Pem), signed),
            "hmac-der" => HMACSHA256.HashData(_issuerKey.ExportSubjectPublicKeyInfo(), signed),
            "hmac-jwk" => HMACSHA256.HashData(Encoding.ASCII.GetBytes(_values["ours"]), signed),
            "hmac-kid" => HMACSHA256.HashData(Encoding.ASCII.GetBytes(_values["kid"]), signed),
            "hmac-xy" => HMACSHA256.HashData(Point(), signed),
            "hmac-empty" => HMACSHA256.HashData(Array.Empty<byte>(), signed),
            "hmac-zero" => HMACSHA256.HashData(new byte[3], signed),
            "zero64" => new byte[64],
            "zero63" => new byte[63],
            "random64" => RandomNumberGenerator.GetBytes(64),
            "hash" => SHA256.HashData(signed),
            "flip-first" => Changed(real, 0),
            "flip-last" => Changed(real, 63),
            "short" => real[..63],
            "longer" => [.. real, 0],
            "der" => _issuerKey.SignData(signed, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence),
            "r0" => [.. new byte[32], .. real[32..]],
            "s0" => [.. real[..32], .. new byte[32]],
            "rn" => [.. Order, .. real[32..]],
            "sn" => [.. real[..32], .. Order],
            "swap-rs" => [.. real[32..], .. real[..32]],
            "other" => Decode(_others["person"].Split('.')[2]),
            "over-claims" => _issuerKey.SignData(Encoding.ASCII.GetBytes(claims), HashAlgorithmName.SHA256),
            "over-nodot" => _issuerKey.SignData(Encoding.ASCII.GetBytes(header + claims), HashAlgorithmName.SHA256),
            _ => throw new InvalidOperationException($"No such signature: {how}."),
        };
        return ClientKey.Encode(bytes);
    }

    public async ValueTask DisposeAsync()
    {
        _foreign.Dispose();
        foreach (var key in _keys.Values)
        {
            key.Dispose();
        }

        Certificate.Dispose();
        await Host.DisposeAsync();
    }

    private static byte[] Order =>
        Convert.FromHexString("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");

    private string Pem => _issuerKey.ExportSubjectPublicKeyInfoPem();

    private async Task PrepareAsync()
    {
        var keys = Host.Services.GetRequiredService<ServerKeys>();
        _others["older"] = await Host.ServiceTokenAsync("older-bot");
        await keys.RotateAsync(Actor.System, TestContext.Current.CancellationToken);
        _issuerKey = keys.InUse[0].Signing.ECDsa;
        var (id, secret) = await Host.EnrolServiceAsync("token-bot", "viewer");
        Token = await IssueAsync("token-bot", secret);
        _others["newer"] = await IssueAsync("token-bot", secret);
        await BindAsync(secret);
        await PersonAsync();
        await RevokeAsync(secret);
        await using (var other = await IdentityHost.StartAsync())
        {
            _others["other"] = await other.ServiceTokenAsync("token-bot");
        }

        _others["secret"] = secret;
        _others["assertion"] = _foreign.Assertion("token-bot", Host.Url);
        _others["proof"] = UsedProof;
        _others["nested"] =
            $"{ClientKey.Encode(Encoding.ASCII.GetBytes("""{"alg":"ES256","cty":"JWT"}"""))}.{ClientKey.Encode(Encoding.ASCII.GetBytes(Token))}.AAAA";
        _others["jwe"] =
            $"{ClientKey.Encode(Encoding.ASCII.GetBytes("""{"alg":"dir","enc":"A256GCM"}"""))}..AAAA.AAAA.AAAA";
        _values["id"] = id;
    }

    private async Task BindAsync(string secret)
    {
        foreach (var (name, key) in _keys.Where(pair => pair.Key != "other"))
        {
            UsedProof = key.Proof("POST", $"{Host.Url}/connect/token");
            using var client = Host.Client();
            client.DefaultRequestHeaders.Add("DPoP", UsedProof);
            _others[name == "mine" ? "bound" : $"bound-{name}"] = await IssueAsync("token-bot", secret, client);
        }

        using var mutual = Host.Client(Certificate);
        TlsToken = await IssueAsync("token-bot", secret, mutual);
    }

    private async Task PersonAsync()
    {
        _values["person"] = await Host.EnrolPersonAsync("maria", "viewer");
        using var browser = Host.Client();
        var (verifier, challenge) = IdentityHost.Proof();
        var code = await Host.CodeAsync(browser, "maria", challenge);
        var (_, tokens) = await Host.TokenAsync(IdentityHost.CodeExchange(code, verifier));
        _others["person"] = Text(tokens, "access_token");
        _others["id"] = Text(tokens, "id_token");
        _others["refresh"] = Text(tokens, "refresh_token");
        var (_, refreshed) = await Host.TokenAsync(Refresh(tokens));
        _others["refreshed"] = Text(refreshed, "access_token");
        using (var another = Host.Client())
        {
            (_, challenge) = IdentityHost.Proof();
            _others["code"] = await Host.CodeAsync(another, "maria", challenge);
        }

        _others["cookie"] = "CfDJ8" + ClientKey.Encode(RandomNumberGenerator.GetBytes(60));
        var (_, device) = await Host.PostFormAsync("/connect/device", new() { ["client_id"] = "governance-cli" });
        _others["device"] = Text(device, "device_code");
        _others["user"] = Text(device, "user_code");
        _others["device-access"] = _others["person"];
        var (_, pushed) = await Host.PostFormAsync(
            "/connect/par",
            new()
            {
                ["client_id"] = "governance-cli",
                ["response_type"] = "code",
                ["redirect_uri"] = "http://127.0.0.1:7777/callback",
                ["code_challenge"] = challenge,
                ["code_challenge_method"] = "S256",
            }
        );
        _others["par"] = Text(pushed, "request_uri").Split(':')[^1];
    }

    private async Task RevokeAsync(string secret)
    {
        _others["revoked"] = await IssueAsync("token-bot", secret);
        await Host.PostFormAsync(
            "/connect/revoke",
            new()
            {
                ["client_id"] = "token-bot",
                ["client_secret"] = secret,
                ["token"] = _others["revoked"],
            }
        );
        var (disabled, disabledSecret) = await Host.EnrolServiceAsync("disabled-bot", "viewer");
        _others["disabled"] = await IssueAsync("disabled-bot", disabledSecret);
        await Host
            .Services.GetRequiredService<SubjectStore>()
            .SetEnabledAsync(Actor.System, disabled, false, TestContext.Current.CancellationToken);
        var (replaced, replacedSecret) = await Host.EnrolServiceAsync("replaced-bot", "viewer");
        _others["replaced"] = await IssueAsync("replaced-bot", replacedSecret);
        await Host
            .Services.GetRequiredService<ServiceStore>()
            .ReplaceSecretAsync(Actor.System, replaced, 0, TestContext.Current.CancellationToken);
        await Host.EnrolPersonAsync("rosa", "viewer");
        using (var browser = Host.Client())
        {
            var (verifier, challenge) = IdentityHost.Proof();
            var code = await Host.CodeAsync(browser, "rosa", challenge);
            var (_, tokens) = await Host.TokenAsync(IdentityHost.CodeExchange(code, verifier));
            await Host.TokenAsync(IdentityHost.CodeExchange(code, verifier));
            _others["reusedcode"] = Text(tokens, "access_token");
        }

        var first = await Host.PersonTokensAsync("rosa");
        var (_, second) = await Host.TokenAsync(Refresh(first));
        await Host.TokenAsync(Refresh(first));
        _others["reusedrefresh"] = Text(second, "access_token");
        Values(disabled);
    }

    private void Values(string disabled)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var parts = Token.Split('.').Select(part => Encoding.UTF8.GetString(Decode(part))).Take(2).ToList();
        var header = JsonNode.Parse(parts[0])!;
        var claims = JsonNode.Parse(parts[1])!;
        var kid = Text(header, "kid");
        var mine = _keys["mine"].Public;
        var bound = _others["bound"];
        var ath = ClientKey.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(bound)));
        var address = new Uri(Host.Url);
        var order = new JsonObject();
        foreach (var (name, value) in mine.Reverse())
        {
            order[name] = value!.DeepClone();
        }

        var ours = new JsonObject
        {
            ["kty"] = "EC",
            ["crv"] = "P-256",
            ["x"] = ClientKey.Encode(Point()[..32]),
            ["y"] = ClientKey.Encode(Point()[32..]),
        };
        var more = mine.DeepClone().AsObject();
        more["use"] = "sig";
        more["kid"] = "x";
        var named = _foreign.Public;
        named["kid"] = kid;
        var revoked = JsonNode.Parse(Decode(_others["revoked"].Split('.')[1]))!;
        _values = new Dictionary<string, string>(_values)
        {
            ["url"] = Host.Url,
            ["URL"] = Host.Url.ToUpperInvariant(),
            ["host"] = address.Authority,
            ["port"] = $"{address.Port}",
            ["kid"] = kid,
            ["KID"] = kid.Any(char.IsLower) ? kid.ToUpperInvariant() : kid.ToLowerInvariant(),
            ["ours"] = ours.ToJsonString(),
            ["foreign"] = _foreign.Public.ToJsonString(),
            ["foreign+kid"] = named.ToJsonString(),
            ["mine"] = mine.ToJsonString(),
            ["mine+"] = more.ToJsonString(),
            ["mine-"] = order.ToJsonString(),
            ["private"] = _keys["mine"].Private.ToJsonString(),
            ["x5c"] = $"[\"{Convert.ToBase64String(Certificate.RawData)}\"]",
            ["thumb"] = ClientKey.Encode(SHA256.HashData(Certificate.RawData)),
            ["sub"] = Text(claims, "sub"),
            ["disabledsub"] = disabled,
            ["revokedentry"] = revoked["oi_tkn_id"]?.ToJsonString() ?? "\"x\"",
            ["now"] = $"{now}",
            ["nowtext"] = $"{now}",
            ["past"] = $"{now - 100_000}",
            ["justpast"] = $"{now - 1}",
            ["halfago"] = $"{now - 15}",
            ["halfahead"] = $"{now + 45}",
            ["future"] = $"{now + 7_000}",
            ["far"] = $"{now + 100_000}",
            ["long"] = new string('x', 1000),
            ["idlong"] = new string('x', 240) + RandomNumberGenerator.GetHexString(16),
            ["rnd"] = RandomNumberGenerator.GetHexString(16),
            ["five"] = new string('x', 4500),
            ["huge"] = new string('x', 6000),
            ["nine"] = new string('x', 9000),
            ["dots"] = string.Concat(Enumerable.Repeat("a.", 1000)),
            ["deep"] = new string('[', 100) + new string(']', 100),
            ["twenty"] = new string('[', 20) + new string(']', 20),
            ["token"] = Token,
            ["plus"] = Token.Replace('-', '+').Replace('_', '/') + "+",
            ["tabbed"] = Token.Replace(".", ".\t", StringComparison.Ordinal),
            ["percent"] = Token.Replace(".", "%2E", StringComparison.Ordinal),
            ["twice"] = Convert.ToBase64String(Encoding.ASCII.GetBytes(Token)),
            ["json"] = $"{{\"access_token\":\"{Token}\"}}",
            ["ath"] = ath,
            ["athhex"] = Convert.ToHexStringLower(Decode(ath)),
        };
    }

    private async Task<string> IssueAsync(string name, string secret, HttpClient? through = null)
    {
        using var client = through is null ? Host.Client() : null;
        using var response = await (through ?? client!).PostAsync(
            "/connect/token",
            new FormUrlEncodedContent(IdentityHost.ClientCredentials(name, secret))
        );
        return Text((await response.Content.ReadFromJsonAsync<JsonNode>())!, "access_token");
    }

    private static Dictionary<string, string> Refresh(JsonNode tokens) =>
        new()
        {
            ["grant_type"] = "refresh_token",
            ["client_id"] = "governance-cli",
            ["refresh_token"] = Text(tokens, "refresh_token"),
        };

    private static string Text(JsonNode json, string name) =>
        json[name]?.GetValue<string>() ?? throw new InvalidOperationException($"No {name} in {json.ToJsonString()}");

    private byte[] Point()
    {
        var point = _issuerKey.ExportParameters(false).Q;
        return [.. point.X!, .. point.Y!];
    }

    private byte[] ByCertificate(byte[] signed)
    {
        using var key = Certificate.GetECDsaPrivateKey()!;
        return key.SignData(signed, HashAlgorithmName.SHA256);
    }

    private static byte[] Changed(byte[] bytes, int at)
    {
        bytes[at] ^= 1;
        return bytes;
    }

    private static byte[] Decode(string text)
    {
        text = text.Replace('-', '+').Replace('_', '/');
        return Convert.FromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='));
    }
}
