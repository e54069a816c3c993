using System.Text.Json.Nodes;
using Governance.Kernel;
using static Governance.Identity.Engine.Jwk;

namespace Governance.Identity.Engine;

/// <summary>
/// The form of our access tokens, read strictly before the library reads them leniently: what two readers could take for
/// two things is no token. Its end counts as it is signed: the library takes that of its row instead. Signature, issuer,
/// audience, type and revocation are the library's to check.
/// </summary>
internal static class TokenForm
{
    // By it the library finds the row that says whether the token was revoked; without one it would not ask.
    private const string EntryClaim = "oi_tkn_id";

    /// <summary>The claims, or null: not three parts, a member named twice, an unknown extension, a claim missing or of the wrong kind, not valid yet or no longer.</summary>
    public static JsonObject? Claims(string token, DateTimeOffset now)
    {
        var parts = token.Split('.');
        return
            parts.Length == 3
            && Json(parts[0]) is { } header
            && !header.ContainsKey("crit") // RFC 7515 §4.1.11: no extension is understood
            && Json(parts[1]) is { } claims
            && TextOf(claims, "iss") is { Length: > 0 }
            && TextOf(claims, "sub") is { Length: > 0 }
            && TextOf(claims, EntryClaim) is { Length: > 0 }
            && IsAudience(claims["aud"])
            && SecondsOf(claims["exp"]) > now.ToUnixTimeSeconds()
            && (!claims.ContainsKey("nbf") || SecondsOf(claims["nbf"]) <= now.ToUnixTimeSeconds() + 1)
            && (!claims.ContainsKey("cnf") || claims["cnf"] is JsonObject)
            ? claims
            : null;
    }

    /// <summary>
    /// Whether a token of another issuer names a confirmation, or may name one: what is not checked here must not pass as a bearer token.
    /// </summary>
    public static bool MayBeBound(string token) =>
        token.Split('.') is not [_, var claims, _] || Json(claims) is not { } read || read.ContainsKey("cnf");

    /// <summary>The key that a token in order says it was signed with; null when it says none.</summary>
    public static string? KeyId(string token) => Json(token.Split('.')[0]) is { } header ? TextOf(header, "kid") : null;

    private static bool IsAudience(JsonNode? audience) =>
        audience is JsonArray { Count: > 0 } many ? many.All(IsText) : IsText(audience);

    private static bool IsText(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out _);

    private static double? SecondsOf(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<double>(out var seconds) && seconds is >= 0 and < 1e11
            ? seconds
            : null;

    private static JsonObject? Json(string part) =>
        Bytes(part) is { } bytes ? CanonicalJson.TryParse(bytes) as JsonObject : null;
}
