using System.Buffers;
using System.Globalization;
using System.Security.Claims;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Identity.Federation;
using Governance.Identity.Server;
using Governance.Identity.Sessions;
using Governance.Kernel;
using Governance.Platform;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using OpenIddict.Abstractions;
using OpenIddict.Validation.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.Access;

/// <summary>Who a request comes from.</summary>
/// <param name="Actor">The actor; anonymous without credentials of ours, null when those presented are no good.</param>
/// <param name="Problem">What is wrong with them.</param>
/// <param name="Proof">What showed who it is, if anybody.</param>
internal readonly record struct Reading(Actor? Actor, TokenProblem? Problem = null, Proof? Proof = null);

/// <summary>What a token or cookie proved.</summary>
/// <param name="SubjectId">Whose it is.</param>
/// <param name="Interactive">Whether the person was there.</param>
/// <param name="AuthenticatedAt">When they were.</param>
internal sealed record Proof(string SubjectId, bool Interactive, DateTimeOffset? AuthenticatedAt)
{
    /// <summary>The key or certificate that the token is bound to.</summary>
    public TokenConfirmation? Confirmation { get; init; }

    /// <summary>Whether more than one factor was used.</summary>
    public bool MultiFactor { get; init; }

    /// <summary>The session that it came of; null for a service and for a token of another issuer.</summary>
    public string? Session { get; init; }

    /// <summary>The stamp of a service's tokens, and the id of the token; empty for what is no token of ours.</summary>
    public string Stamp { get; init; } = "";

    /// <summary>Id of the token's row; null for what is no token of ours.</summary>
    public string? TokenId { get; init; }

    /// <summary>Id of the key that signed the token; null for what is no token of ours.</summary>
    public string? KeyId { get; init; }
}

/// <summary>Reads who a request comes from: a bearer or DPoP token, or the page session where the route takes one.</summary>
internal sealed class ActorReader(
    SubjectReader subjects,
    ExternalSubjects external,
    DpopGuard guard,
    SessionStore sessions,
    ServerKeys keys,
    TimeProvider clock,
    IOptions<IdentityOptions> options,
    PlatformOptions platform,
    IServiceScopeFactory scopes
)
{
    private const string DpopScheme = "DPoP";
    private const int MaxToken = 8 * 1024;
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(3.5);
    private static readonly SearchValues<char> TokenCharacters = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="
    );

    // Keyed by hash, so that a memory dump of the cache holds no tokens.
    private readonly ExpiringCache<Digest, Proof> _tokens = new(clock, Life, 10_000);
    private readonly ExpiringCache<Digest, bool> _familiar = new(clock, TimeSpan.FromMinutes(10), 10_000);
    private readonly string _origin = new Uri(platform.PublicUrl).GetLeftPart(UriPartial.Authority);

    private sealed record Presented(string Token, bool Dpop);

    public async ValueTask<Reading> ReadAsync(HttpContext context, SessionMetadata? session)
    {
        var header = context.Request.Headers.Authorization;
        if (header.Count > 0)
        {
            return await TokenAsync(context, header);
        }

        if (session is null || (!session.Page && !IsOwnOrigin(context.Request)))
        {
            return new Reading(Actor.Anonymous);
        }

        var cookie = await context.AuthenticateAsync(IdentitySchemes.Session);
        return
            cookie.Succeeded
            && ProofOf(cookie.Principal) is { } proof
            && await ActorAsync(proof, context.RequestAborted) is { } actor
            ? new Reading(actor, null, proof)
            : new Reading(Actor.Anonymous);
    }

    /// <summary>
    /// Whether the account, and the session or token that a request came with, or the token's key, were not taken away since. Its age
    /// does not count: what began in time may end.
    /// </summary>
    public async Task<bool> StillCountsAsync(Proof proof, CancellationToken cancellationToken)
    {
        if (await subjects.RecentAsync(proof.SubjectId, cancellationToken) is null)
        {
            return false;
        }

        if (proof.TokenId is null)
        {
            return proof.Session is null
                || await sessions.MayUseTokensAsync(proof.SubjectId, proof.Session, cancellationToken);
        }

        if (proof.KeyId is not { } key || !keys.Counts(key))
        {
            return false;
        }

        // The request's own services are in use by its handler.
        await using var scope = scopes.CreateAsyncScope();
        var tokens = scope.ServiceProvider.GetRequiredService<IOpenIddictTokenManager>();
        return await tokens.FindByIdAsync(proof.TokenId, cancellationToken) is { } token
            && await tokens.HasStatusAsync(token, Statuses.Valid, cancellationToken)
            && await CountsAsync(proof, cancellationToken);
    }

    /// <summary>Believes no token that it did not look at anew.</summary>
    public void ForgetTokens() => _tokens.Clear();

    /// <summary>Whether the request presents a token that was never valid here, or not lately.</summary>
    public bool IsStranger(HttpContext context)
    {
        var header = context.Request.Headers.Authorization;
        return header.Count > 0
            && !(Parse(header) is { } presented && _familiar.TryGet(Digest.Of(presented.Token), out _));
    }

    private async ValueTask<Reading> TokenAsync(HttpContext context, StringValues header)
    {
        if (header is [{ } only] && !IsOurs(only, "Bearer") && !IsOurs(only, DpopScheme))
        {
            return new Reading(Actor.Anonymous); // another scheme: no token was sent
        }

        if (Parse(header) is not { } presented)
        {
            return new Reading(null, TokenProblem.Invalid(IsOurs(header[0] ?? "", DpopScheme)));
        }

        if (await ProofAsync(context, presented) is not { } proof)
        {
            return new Reading(null, TokenProblem.Invalid(presented.Dpop));
        }

        if (await UnboundAsync(context, presented, proof.Confirmation) is { } problem)
        {
            return new Reading(null, problem);
        }

        return await ActorAsync(proof, context.RequestAborted) is { } actor
            ? new Reading(actor with { SenderConstrained = proof.Confirmation is not null }, null, proof)
            : new Reading(null, TokenProblem.Invalid(presented.Dpop));
    }

    // RFC 9110 §11.4: the scheme in any letter case, spaces, a token68; RFC 6750 §2.1 allows no more than that.
    private static Presented? Parse(StringValues header)
    {
        if (header is not [{ Length: <= MaxToken } value])
        {
            return null;
        }

        var space = value.IndexOf(' ', StringComparison.Ordinal);
        var token = space < 0 ? "" : value[space..].Trim(' ');
        return token.Length > 0 && !token.AsSpan().ContainsAnyExcept(TokenCharacters)
            ? new Presented(token, IsOurs(value, DpopScheme))
            : null;
    }

    private static bool IsOurs(string header, string scheme) =>
        header.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)
        && (header.Length == scheme.Length || header[scheme.Length] == ' ');

    private async ValueTask<Proof?> ProofAsync(HttpContext context, Presented presented)
    {
        var key = Digest.Of(presented.Token);
        if (_tokens.TryGet(key, out var known))
        {
            return known;
        }

        var generation = _tokens.Generation;
        if (external.Owns(presented.Token))
        {
            if (
                TokenForm.MayBeBound(presented.Token)
                || await external.ReadAsync(presented.Token, context.RequestAborted) is not { } login
            )
            {
                return null;
            }

            var who = new Proof(login.Who.Id, login.Who.AuthenticatedAt is not null, login.Who.AuthenticatedAt)
            {
                MultiFactor = login.Who.MultiFactor,
            };
            return Remember(key, who, generation, login.Expires - clock.GetUtcNow());
        }

        if (TokenForm.Claims(presented.Token, clock.GetUtcNow()) is not { } claims)
        {
            return null;
        }

        // The library reads this header itself, and knows one scheme and one space.
        context.Request.Headers.Authorization = $"Bearer {presented.Token}";
        var result = await context.AuthenticateAsync(OpenIddictValidationAspNetCoreDefaults.AuthenticationScheme);
        if (
            !result.Succeeded
            || ProofOf(result.Principal) is not { } proof
            || !await CountsAsync(proof, context.RequestAborted)
            || !TokenConfirmation.TryParse(claims[TokenConfirmation.Claim]?.ToJsonString(), out var confirmation)
        )
        {
            return null;
        }

        proof = proof with { Confirmation = confirmation, KeyId = TokenForm.KeyId(presented.Token) };
        var expires = result.Principal.GetExpirationDate();
        return Remember(key, proof, generation, expires - clock.GetUtcNow() ?? TimeSpan.Zero);
    }

    private Task<bool> CountsAsync(Proof proof, CancellationToken cancellationToken) =>
        proof.Interactive
            ? sessions.MayUseTokensAsync(proof.SubjectId, proof.Session, cancellationToken)
            : sessions.MayUseServiceTokensAsync(proof.SubjectId, proof.Stamp, cancellationToken);

    private Proof Remember(Digest key, Proof proof, long generation, TimeSpan left)
    {
        _tokens.Set(key, proof, generation, left);
        _familiar.Set(key, true, _familiar.Generation, left);
        return proof;
    }

    // A bound token counts with the proof of its key or certificate only, and never as the kind of token that it is not.
    private async ValueTask<TokenProblem?> UnboundAsync(
        HttpContext context,
        Presented presented,
        TokenConfirmation? confirmation
    )
    {
        if (confirmation?.Key is { } key)
        {
            return presented.Dpop
                ? (await guard.CheckAsync(context, presented.Token, key)).Problem
                : new TokenProblem(true, TokenProblem.InvalidToken, "The token is bound to a key: send it as DPoP.");
        }

        if (presented.Dpop)
        {
            return new TokenProblem(true, TokenProblem.InvalidToken, "The token is bound to no key.");
        }

        if (confirmation is null)
        {
            return null;
        }

        var certificate = await context.Connection.GetClientCertificateAsync(context.RequestAborted);
        return certificate is not null && TokenConfirmation.Of(certificate) == confirmation
            ? null
            : new TokenProblem(false, TokenProblem.InvalidToken, "The token is bound to another client certificate.");
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
            Session = principal.GetClaim(SignInMethods.SessionId),
            Stamp = principal.GetClaim(TokenEndpoints.StampClaim) ?? "",
            TokenId = principal.GetTokenId(),
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
