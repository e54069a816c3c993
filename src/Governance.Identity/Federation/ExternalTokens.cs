using System.Collections.Frozen;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Platform;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Governance.Identity.Federation;

/// <summary>Access tokens of configured providers (RFC 9068, RFC 8725). Nothing in a token chooses where keys come from.</summary>
internal sealed class ExternalTokens : IDisposable
{
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(30);
    private static readonly string[] Steering = ["jku", "jwk", "x5u", "x5c", "crit", "zip", "b64", "enc"];
    private static readonly string[] ClientNames = ["client_id", "azp"];
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false };
    private readonly FrozenDictionary<string, IssuerMetadata> _issuers;
    private readonly TimeProvider _clock;

    public ExternalTokens(
        IOptions<IdentityOptions> options,
        PlatformOptions platform,
        TimeProvider clock,
        ILogger<IssuerMetadata> logger
    )
    {
        _clock = clock;
        if (options.Value.Issuers.Exists(issuer => issuer.Authority.TrimEnd('/') == platform.PublicUrl))
        {
            throw new InvalidOperationException("Governance:Identity:Issuers names the gateway itself.");
        }

        _issuers = options.Value.Issuers.ToFrozenDictionary(
            issuer => issuer.Authority,
            issuer => new IssuerMetadata(issuer, clock, logger),
            StringComparer.Ordinal
        );
    }

    /// <summary>The configured providers.</summary>
    public IEnumerable<IssuerMetadata> Issuers => _issuers.Values;

    /// <summary>The provider whose token this claims to be, or null; nothing is believed yet.</summary>
    public IssuerMetadata? IssuerOf(string token) =>
        _issuers.Count > 0
        && token.Split('.') is [_, { } payload, _]
        && StrictJson.Part(payload)?.Text("iss") is { } issuer
        && _issuers.TryGetValue(issuer, out var known)
        && known.Issuer.Audience.Length > 0
            ? known
            : null;

    /// <summary>The login that a token of this provider proves and when it ends, or null.</summary>
    public async Task<(ExternalLogin Login, DateTimeOffset Expires)?> ValidateAsync(
        IssuerMetadata provider,
        string token,
        CancellationToken cancellationToken
    )
    {
        var issuer = provider.Issuer;
        var parts = token.Split('.');
        if (
            parts.Length != 3
            || StrictJson.Part(parts[0]) is not { } header
            || StrictJson.Part(parts[1]) is not { } claims
            || !IsSound(issuer, header)
            || await provider.KeyAsync(header.Text("kid")!, cancellationToken) is not { } key
        )
        {
            return null;
        }

        var now = _clock.GetUtcNow();
        var checkedToken = await _handler.ValidateTokenAsync(
            token,
            new TokenValidationParameters
            {
                ValidIssuer = issuer.Authority,
                ValidAudience = issuer.Audience,
                ValidAlgorithms = ExternalIssuer.Parts(issuer.Algorithms),
                IssuerSigningKey = key,
                TryAllIssuerSigningKeys = false,
                RequireSignedTokens = true,
                RequireExpirationTime = true,
                LifetimeValidator = (from, to, _, _) => IsAlive(from, to, now),
            }
        );
        return
            checkedToken.IsValid
            && claims.Time("exp") is { } expires
            && LoginClaims.Read(issuer, claims, now) is { } login
            ? (
                IsOfTrusted(issuer, claims) ? login : login with { AuthenticatedAt = null, MultiFactor = false },
                expires
            )
            : null;
    }

    // RFC 9068 §2.2 and OpenID Connect: to whom the token was given. All that is said has to be in the list.
    private static bool IsOfTrusted(ExternalIssuer issuer, JsonObject claims)
    {
        string[] named = [.. ClientNames.Where(claims.ContainsKey)];
        return named.Length > 0
            && Array.TrueForAll(
                named,
                name => ExternalIssuer.Parts(issuer.Clients).Contains(claims.Text(name), StringComparer.Ordinal)
            );
    }

    public void Dispose()
    {
        foreach (var issuer in Issuers)
        {
            issuer.Dispose();
        }
    }

    private static bool IsSound(ExternalIssuer issuer, JsonObject header) =>
        header.Text("kid") is { Length: > 0 and <= 256 }
        && header.Text("alg") is { } algorithm
        && ExternalIssuer.Parts(issuer.Algorithms).Contains(algorithm, StringComparer.Ordinal)
        && ExternalIssuer.Parts(issuer.TokenTypes).Contains(TypeOf(header), StringComparer.OrdinalIgnoreCase)
        && !Steering.Any(header.ContainsKey);

    // RFC 7515 §4.1.9: "application/" may be left out.
    private static string TypeOf(JsonObject header)
    {
        var type = header.Text("typ") ?? "";
        const string prefix = "application/";
        return type.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) ? type[prefix.Length..] : type;
    }

    private static bool IsAlive(DateTime? from, DateTime? to, DateTimeOffset now) =>
        to is { } end
        && now < new DateTimeOffset(end, TimeSpan.Zero) + Skew
        && (from is not { } start || now >= new DateTimeOffset(start, TimeSpan.Zero) - Skew);
}
