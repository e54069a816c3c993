using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using static Governance.Identity.Engine.Jwk;

namespace Governance.Identity.Engine;

/// <summary>The checks of RFC 9449 §4.3, under its numbers; the last of them has two parts.</summary>
internal enum DpopCheck
{
    OneHeader = 1,
    WellFormed,
    RequiredClaims,
    Type,
    Algorithm,
    Signature,
    NoPrivateKey,
    Method,
    Target,
    Nonce,
    Fresh,
    TokenHash,
    TokenKey,
}

/// <summary>The request that a proof came with, and what is asked of the proof.</summary>
/// <param name="Method">HTTP method.</param>
/// <param name="Targets">Address of the request without query, once per name that this server goes by.</param>
/// <param name="Now">The time of the server.</param>
/// <param name="Window">How far the proof's time may lie from it, in either direction.</param>
internal sealed record DpopRequest(string Method, IReadOnlyList<Uri> Targets, DateTimeOffset Now, TimeSpan Window)
{
    /// <summary>Whether a nonce is one of ours; null when none is asked for.</summary>
    public Func<string?, bool>? AcceptsNonce { get; init; }

    /// <summary>The access token that the proof accompanies; null at the token endpoint.</summary>
    public string? AccessToken { get; init; }

    /// <summary>The RFC 7638 thumbprint of the key that this token is bound to; null when the key is yet to be bound.</summary>
    public string? KeyThumbprint { get; init; }
}

/// <summary>A proof that passed every check, but may have been seen before: that, the caller asks the replay store.</summary>
/// <param name="KeyThumbprint">RFC 7638 thumbprint of its key, base64url of SHA-256.</param>
/// <param name="TokenId">Its <c>jti</c>, 1 to 256 characters.</param>
/// <param name="IssuedAt">Its <c>iat</c>.</param>
internal sealed record DpopProof(string KeyThumbprint, string TokenId, DateTimeOffset IssuedAt)
{
    private const int MaxLength = 8 * 1024;
    private const int MaxTokenId = 256;

    /// <summary>The checks that a parsed proof has to pass, in order.</summary>
    private static readonly (DpopCheck Check, Func<Parts, DpopRequest, bool> Holds)[] Checks =
    [
        (DpopCheck.RequiredClaims, HasRequiredClaims),
        (DpopCheck.Type, (proof, _) => TextOf(proof.Header, "typ") == "dpop+jwt"),
        (DpopCheck.Algorithm, (proof, _) => Jwk.Algorithms.Contains(TextOf(proof.Header, "alg"))),
        (
            DpopCheck.Signature,
            (proof, _) => Jwk.IsSigned(proof.Key, TextOf(proof.Header, "alg"), proof.Signed, proof.Signature)
        ),
        (DpopCheck.NoPrivateKey, (proof, _) => !Jwk.HasPrivatePart(proof.Key)),
        (DpopCheck.Method, (proof, request) => TextOf(proof.Claims, "htm") == request.Method),
        (DpopCheck.Target, (proof, request) => request.Targets.Any(target => IsSame(proof.Claims, target))),
        (DpopCheck.Nonce, (proof, request) => request.AcceptsNonce?.Invoke(TextOf(proof.Claims, "nonce")) ?? true),
        (DpopCheck.Fresh, (proof, request) => (proof.IssuedAt - request.Now).Duration() <= request.Window),
        (DpopCheck.TokenHash, (proof, request) => request.AccessToken is null || Hashes(proof, request.AccessToken)),
        (
            DpopCheck.TokenKey,
            (proof, request) => request.KeyThumbprint is null || IsEqual(proof.Thumbprint, request.KeyThumbprint)
        ),
    ];

    private sealed record Parts(JsonObject Header, JsonObject Claims, JsonObject Key, byte[] Signed, byte[] Signature)
    {
        public DateTimeOffset IssuedAt => DateTimeOffset.UnixEpoch.AddSeconds(SecondsOf(Claims, "iat") ?? 0);

        public string Thumbprint => Jwk.ThumbprintOf(Key);
    }

    /// <summary>The proof, or the first check that does not hold. Null and no check: there is no proof.</summary>
    public static (DpopProof? Proof, DpopCheck? Failed) Read(IReadOnlyList<string?> headers, DpopRequest request)
    {
        if (headers.Count != 1)
        {
            return (null, headers.Count == 0 ? null : DpopCheck.OneHeader);
        }

        if (Parse(headers[0] ?? "") is not { } parts)
        {
            return (null, DpopCheck.WellFormed);
        }

        foreach (var (check, holds) in Checks)
        {
            if (!holds(parts, request))
            {
                return (null, check);
            }
        }

        return (new DpopProof(parts.Thumbprint, TextOf(parts.Claims, "jti")!, parts.IssuedAt), null);
    }

    private static Parts? Parse(string text)
    {
        var parts = text.Length <= MaxLength ? text.Split('.') : [];
        return
            parts.Length == 3
            && Json(parts[0]) is { } header
            && !header.ContainsKey("crit") // no extension is understood, RFC 7515 §4.1.11
            && Json(parts[1]) is { } claims
            && header["jwk"] is JsonObject key
            && Bytes(parts[2]) is { } signature
            ? new Parts(header, claims, key, Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), signature)
            : null;
    }

    private static bool HasRequiredClaims(Parts proof, DpopRequest request) =>
        TextOf(proof.Claims, "jti") is { Length: > 0 and <= MaxTokenId }
        && TextOf(proof.Claims, "htm") is { Length: > 0 }
        && TextOf(proof.Claims, "htu") is { Length: > 0 }
        && SecondsOf(proof.Claims, "iat") is not null
        && (request.AccessToken is null || TextOf(proof.Claims, "ath") is { Length: > 0 });

    // RFC 9449 §4.3 asks for the normalisation of RFC 3986 §6.2.2 and §6.2.3: letter case of scheme and host, default port,
    // needless escapes. The address type does exactly that.
    private static bool IsSame(JsonObject claims, Uri target) =>
        Uri.TryCreate(TextOf(claims, "htu"), UriKind.Absolute, out var claimed)
        && claimed.UserInfo.Length == 0
        && claimed.GetLeftPart(UriPartial.Path) == target.GetLeftPart(UriPartial.Path);

    private static bool Hashes(Parts proof, string accessToken) =>
        IsEqual(
            TextOf(proof.Claims, "ath") ?? "",
            Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(accessToken)))
        );

    private static bool IsEqual(string left, string right) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(left), Encoding.UTF8.GetBytes(right));

    private static JsonObject? Json(string part) =>
        Bytes(part) is { } bytes ? CanonicalJson.TryParse(bytes) as JsonObject : null;

    private static double? SecondsOf(JsonObject json, string name) =>
        json[name] is JsonValue value && value.TryGetValue<double>(out var number) && number is > 0 and < 1e11
            ? number
            : null;
}
