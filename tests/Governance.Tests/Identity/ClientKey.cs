using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;

namespace Governance.Tests.Identity;

/// <summary>A key of a client: signs DPoP proofs and client assertions.</summary>
public sealed class ClientKey : IDisposable
{
    private readonly string _algorithm;
    private readonly ECDsa? _ec;
    private readonly RSA? _rsa;

    public ClientKey(string algorithm = "ES256")
    {
        _algorithm = algorithm;
        _rsa = algorithm == "PS256" ? RSA.Create(2048) : null;
        _ec =
            algorithm == "ES384" ? ECDsa.Create(ECCurve.NamedCurves.nistP384)
            : algorithm == "ES256" ? ECDsa.Create(ECCurve.NamedCurves.nistP256)
            : null;
    }

    public JsonObject Public
    {
        get
        {
            if (_rsa is not null)
            {
                return new JsonObject
                {
                    ["kty"] = "RSA",
                    ["e"] = "AQAB",
                    ["n"] = Encode(_rsa.ExportParameters(false).Modulus!),
                };
            }

            var point = _ec!.ExportParameters(false).Q;
            return new JsonObject
            {
                ["kty"] = "EC",
                ["crv"] = _algorithm == "ES384" ? "P-384" : "P-256",
                ["x"] = Encode(point.X!),
                ["y"] = Encode(point.Y!),
            };
        }
    }

    /// <summary>The same with its private part.</summary>
    public JsonObject Private
    {
        get
        {
            var key = Public;
            key["d"] = Encode(_ec!.ExportParameters(true).D!);
            return key;
        }
    }

    public string Thumbprint
    {
        get
        {
            var key = Public;
            var text = _rsa is null
                ? $$"""{"crv":"{{key["crv"]}}","kty":"EC","x":"{{key["x"]}}","y":"{{key["y"]}}"}"""
                : $$"""{"e":"AQAB","kty":"RSA","n":"{{key["n"]}}"}""";
            return Encode(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        }
    }

    /// <summary>A signed JWT of this header and these claims.</summary>
    public string Sign(JsonObject header, JsonObject claims)
    {
        var text = $"{Encode(header)}.{Encode(claims)}";
        return $"{text}.{SignText(text)}";
    }

    /// <summary>The signature over a text, base64url.</summary>
    public string SignText(string text)
    {
        var bytes = Encoding.ASCII.GetBytes(text);
        var hash = _algorithm == "ES384" ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256;
        return Encode(_ec?.SignData(bytes, hash) ?? _rsa!.SignData(bytes, hash, RSASignaturePadding.Pss));
    }

    /// <summary>Header and claims of a good DPoP proof.</summary>
    public (JsonObject Header, JsonObject Claims) Parts(string method, string url, string? accessToken)
    {
        var header = new JsonObject
        {
            ["typ"] = "dpop+jwt",
            ["alg"] = _algorithm,
            ["jwk"] = Public,
        };
        var claims = new JsonObject
        {
            ["jti"] = Encode(RandomNumberGenerator.GetBytes(16)),
            ["htm"] = method,
            ["htu"] = url,
            ["iat"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds(),
        };
        if (accessToken is not null)
        {
            claims["ath"] = Encode(SHA256.HashData(Encoding.ASCII.GetBytes(accessToken)));
        }

        return (header, claims);
    }

    /// <summary>A good DPoP proof, or a changed one.</summary>
    public string Proof(
        string method,
        string url,
        string? accessToken = null,
        string? nonce = null,
        Action<JsonObject, JsonObject>? change = null
    )
    {
        var (header, claims) = Parts(method, url, accessToken);
        if (nonce is not null)
        {
            claims["nonce"] = nonce;
        }

        change?.Invoke(header, claims);
        return Sign(header, claims);
    }

    /// <summary>A client assertion (RFC 7523) for this issuer.</summary>
    public string Assertion(string clientId, string issuer, Action<JsonObject, JsonObject>? change = null)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var header = new JsonObject { ["alg"] = "ES256" };
        var claims = new JsonObject
        {
            ["iss"] = clientId,
            ["sub"] = clientId,
            ["aud"] = issuer,
            ["jti"] = Encode(RandomNumberGenerator.GetBytes(16)),
            ["iat"] = now,
            ["exp"] = now + 60,
        };
        change?.Invoke(header, claims);
        return Sign(header, claims);
    }

    /// <summary>A self-signed certificate for client authentication.</summary>
    public static X509Certificate2 Certificate(bool rsa = false, TimeSpan? ended = null)
    {
        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = RSA.Create(2048);
        var request = rsa
            ? new CertificateRequest("CN=client", other, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest("CN=client", ec, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
        var end = DateTimeOffset.UtcNow + (ended is { } ago ? -ago : TimeSpan.FromDays(1));
        using var made = request.CreateSelfSigned(end - TimeSpan.FromDays(2), end);
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }

    public static string Encode(JsonObject json) => Encode(Encoding.UTF8.GetBytes(json.ToJsonString()));

    public static string Encode(byte[] bytes) =>
        Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    public void Dispose()
    {
        _ec?.Dispose();
        _rsa?.Dispose();
    }
}
