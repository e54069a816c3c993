using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Governance.Identity.Engine;

/// <summary>Public JSON web keys of clients (RFC 7517, RFC 7518 §6): what they sign with, and what they are called.</summary>
internal static class Jwk
{
    /// <summary>The algorithms of <see cref="Algorithms"/>, as a challenge names them.</summary>
    public const string AlgorithmNames = "ES256 ES384 PS256";

    /// <summary>Algorithms of client assertions and DPoP proofs: asymmetric, randomised or elliptic, no PKCS #1 v1.5.</summary>
    public static readonly string[] Algorithms = AlgorithmNames.Split(' ');

    private static readonly SearchValues<char> Base64UrlCharacters = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    );

    /// <summary>Whether the signature over these bytes is the key's, by this algorithm. A key of another kind is false.</summary>
    public static bool IsSigned(JsonObject key, string? algorithm, byte[] signed, byte[] signature)
    {
        try
        {
            using var ec = algorithm switch
            {
                "ES256" => Ec(key, "P-256"),
                "ES384" => Ec(key, "P-384"),
                _ => null,
            };
            using var rsa = algorithm == "PS256" ? Rsa(key) : null;
            var hash = algorithm == "ES384" ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256;
            return ec?.VerifyData(signed, signature, hash)
                ?? rsa?.VerifyData(signed, signature, hash, RSASignaturePadding.Pss)
                ?? false;
        }
        catch (CryptographicException)
        {
            return false; // a point off the curve, a modulus that is none
        }
    }

    /// <summary>Whether this is a public key that one of the algorithms takes.</summary>
    public static bool IsUsable(JsonObject key)
    {
        try
        {
            using var p256 = Ec(key, "P-256");
            using var p384 = Ec(key, "P-384");
            using var rsa = Rsa(key);
            return !HasPrivatePart(key) && (p256 is not null || p384 is not null || rsa is not null);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    public static bool HasPrivatePart(JsonObject key) =>
        key.Any(member => member.Key is "d" or "p" or "q" or "dp" or "dq" or "qi" or "oth" or "k");

    /// <summary>RFC 7638 §3: SHA-256 over the required members in lexicographic order, base64url. Their texts need no escaping.</summary>
    public static string ThumbprintOf(JsonObject key)
    {
        string[] members = TextOf(key, "kty") == "EC" ? ["crv", "kty", "x", "y"] : ["e", "kty", "n"];
        var text = string.Join(',', members.Select(name => $"\"{name}\":\"{TextOf(key, name)}\""));
        return Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes($"{{{text}}}")));
    }

    /// <summary>Bytes of a base64url text without padding (RFC 7515 §2), or null.</summary>
    public static byte[]? Bytes(string? text) =>
        text is { Length: > 0 } && !text.AsSpan().ContainsAnyExcept(Base64UrlCharacters) && Base64Url.IsValid(text)
            ? Base64Url.DecodeFromChars(text)
            : null;

    /// <summary>A member that is a string, or null.</summary>
    public static string? TextOf(JsonObject json, string name) =>
        json[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static ECDsa? Ec(JsonObject key, string curve)
    {
        var size = curve == "P-256" ? 32 : 48;
        return
            TextOf(key, "kty") == "EC"
            && TextOf(key, "crv") == curve
            && Bytes(TextOf(key, "x")) is { } x
            && Bytes(TextOf(key, "y")) is { } y
            && x.Length == size
            && y.Length == size
            ? ECDsa.Create(
                new ECParameters
                {
                    Curve = curve == "P-256" ? ECCurve.NamedCurves.nistP256 : ECCurve.NamedCurves.nistP384,
                    Q = new ECPoint { X = x, Y = y },
                }
            )
            : null;
    }

    private static RSA? Rsa(JsonObject key) =>
        TextOf(key, "kty") == "RSA"
        && TextOf(key, "e") == "AQAB"
        && Bytes(TextOf(key, "n")) is { Length: >= 256 and <= 512 } modulus
            ? RSA.Create(new RSAParameters { Modulus = modulus, Exponent = [1, 0, 1] })
            : null;
}
