using System.Globalization;
using System.Security.Claims;
using Governance.Identity.Contracts;
using Governance.Identity.Federation;
using Governance.Identity.Sessions;
using Governance.Kernel;
using Governance.Platform;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using OpenIddict.Abstractions;
using OpenIddict.Validation.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.Access;

/// <summary>Who a request comes from: a bearer token, or the page session where the route takes one.</summary>
internal sealed class ActorReader(
    SubjectReader subjects,
    ExternalSubjects external,
    SessionStore sessions,
    TimeProvider clock,
    IOptions<IdentityOptions> options,
    PlatformOptions platform
)
{
    private const int MaxToken = 8 * 1024;
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(4);

    // Keyed by hash, so that a memory dump of the cache holds no tokens.
    private readonly ExpiringCache<Digest, Proof> _tokens = new(clock, Life, 10_000);
    private readonly ExpiringCache<Digest, bool> _familiar = new(clock, TimeSpan.FromMinutes(10), 10_000);
    private readonly string _origin = new Uri(platform.PublicUrl).GetLeftPart(UriPartial.Authority);

    private sealed record Proof(string SubjectId, bool Interactive, DateTimeOffset? AuthenticatedAt)
    {
        public bool MultiFactor { get; init; }
    }

    /// <summary>The actor; anonymous without credentials, null when the credentials presented are no good.</summary>
    public async ValueTask<Actor?> ReadAsync(HttpContext context, SessionMetadata? session)
    {
        var header = context.Request.Headers.Authorization;
        if (header.Count > 0)
        {
            return Bearer(header) is { } token && await TokenAsync(context, token) is { } bearer
                ? await ActorAsync(bearer, context.RequestAborted)
                : null;
        }

        if (session is null || (!session.Page && !IsOwnOrigin(context.Request)))
        {
            return Actor.Anonymous;
        }

        var cookie = await context.AuthenticateAsync(IdentitySchemes.Session);
        return cookie.Succeeded && ProofOf(cookie.Principal) is { } proof
            ? await ActorAsync(proof, context.RequestAborted) ?? Actor.Anonymous
            : Actor.Anonymous;
    }

    /// <summary>Whether the request presents a token that was never valid here, or not lately.</summary>
    public bool IsStranger(HttpContext context)
    {
        var header = context.Request.Headers.Authorization;
        return header.Count > 0 && !(Bearer(header) is { } token && _familiar.TryGet(Digest.Of(token), out _));
    }

    private static string? Bearer(StringValues header) =>
        header is [{ Length: <= MaxToken } value] && value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            ? value["Bearer ".Length..].Trim()
            : null;

    private async ValueTask<Proof?> TokenAsync(HttpContext context, string token)
    {
        var key = Digest.Of(token);
        if (_tokens.TryGet(key, out var known))
        {
            return known;
        }

        var generation = _tokens.Generation;
        if (external.Owns(token))
        {
            if (await external.ReadAsync(token, context.RequestAborted) is not { } login)
            {
                return null;
            }

            return Remember(key, new Proof(login.Id, false, null), generation, login.Expires - clock.GetUtcNow());
        }

        var result = await context.AuthenticateAsync(OpenIddictValidationAspNetCoreDefaults.AuthenticationScheme);
        if (
            !result.Succeeded
            || ProofOf(result.Principal) is not { } proof
            || (proof.Interactive && !await sessions.MayUseTokensAsync(result.Principal, context.RequestAborted))
        )
        {
            return null;
        }

        var expires = result.Principal.GetExpirationDate();
        return Remember(key, proof, generation, expires - clock.GetUtcNow() ?? TimeSpan.Zero);
    }

    private Proof Remember(Digest key, Proof proof, long generation, TimeSpan left)
    {
        _tokens.Set(key, proof, generation, left);
        _familiar.Set(key, true, _familiar.Generation, left);
        return proof;
    }

    private static Proof? ProofOf(ClaimsPrincipal principal)
    {
        if (principal.GetClaim(Claims.Subject) is not { Length: > 0 } id)
        {
            return null;
        }

        var at = long.TryParse(
            principal.GetClaim(Claims.AuthenticationTime),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out var seconds
        )
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : (DateTimeOffset?)null;
        var interactive = at is not null && SignInMethods.IsInteractive(principal);
        return new Proof(id, interactive, interactive ? at : null)
        {
            MultiFactor = interactive && SignInMethods.IsMultiple(principal),
        };
    }

    private async ValueTask<Actor?> ActorAsync(Proof proof, CancellationToken cancellationToken)
    {
        var subject = await subjects.RecentAsync(proof.SubjectId, cancellationToken);
        return subject switch
        {
            null => null,
            { Kind: ActorKind.Person } when proof.Interactive => new Actor(ActorKind.Person, proof.SubjectId)
            {
                AuthenticatedAt = options.Value.Demo ? clock.GetUtcNow() : proof.AuthenticatedAt,
                MultiFactor = options.Value.Demo || proof.MultiFactor,
            },
            _ => new Actor(ActorKind.Service, proof.SubjectId),
        };
    }

    // Browsers set both headers themselves; a page of another site can't.
    private bool IsOwnOrigin(HttpRequest request) =>
        request.Headers.TryGetValue("Sec-Fetch-Site", out var site)
            ? site == "same-origin"
            : request.Headers.Origin == _origin;
}
