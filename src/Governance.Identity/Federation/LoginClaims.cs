using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Contracts;

namespace Governance.Identity.Federation;

/// <summary>Reads a login from the claims of a token whose signature, issuer, audience and life were checked.</summary>
internal static class LoginClaims
{
    private const int MaxId = 256;
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(30);

    /// <summary>The login, or null when the claims do not name one exactly.</summary>
    public static ExternalLogin? Read(ExternalIssuer issuer, JsonObject claims, DateTimeOffset now)
    {
        var id = claims.Text(issuer.SubjectClaim);
        var issued = claims.Time("iat");
        return
            id is { Length: > 0 and <= MaxId }
            && !id.Any(char.IsControl)
            && issued is { } at
            && at <= now + Skew
            && claims.Text("iss") == issuer.Authority
            ? new ExternalLogin(
                issuer.Authority,
                id,
                at,
                Interactive(issuer, claims, now),
                Methods(claims).Contains(SignInMethods.Multiple, StringComparer.Ordinal),
                claims
            )
            : null;
    }

    private static DateTimeOffset? Interactive(ExternalIssuer issuer, JsonObject claims, DateTimeOffset now) =>
        claims.Time("auth_time") is { } at
        && at <= now + Skew
        && now - at < TimeSpan.FromMinutes(issuer.InteractiveMinutes)
        && (
            ExternalIssuer.Parts(issuer.InteractiveAcr).Contains(claims.Text("acr"), StringComparer.Ordinal)
            || ExternalIssuer.Parts(issuer.InteractiveAmr).Intersect(Methods(claims), StringComparer.Ordinal).Any()
        )
            ? at
            : null;

    // RFC 8176 §2: an array of texts and nothing else.
    private static IEnumerable<string> Methods(JsonObject claims) =>
        claims["amr"] is JsonArray { Count: <= 32 } methods
        && methods.All(method => method?.GetValueKind() == JsonValueKind.String)
            ? methods.Select(method => method!.GetValue<string>())
            : [];
}
