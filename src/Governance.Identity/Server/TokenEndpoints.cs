using System.Collections.Immutable;
using System.Globalization;
using System.Security.Claims;
using Governance.Identity.Access;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.Server;

/// <summary>
/// The two decisions that the protocol leaves to us: whose code is it, and is that subject still welcome. The library has
/// already checked client, secret, redirect address, code, verifier and replay when these run.
/// </summary>
internal static class TokenEndpoints
{
    private const string Scheme = OpenIddictServerAspNetCoreDefaults.AuthenticationScheme;

    /// <summary>GET /connect/authorize: a fresh enough sign-in of an enabled person yields a code, else the sign-in page.</summary>
    public static async Task<IResult> AuthorizeAsync(
        HttpContext context,
        SubjectReader subjects,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        var request = context.GetOpenIddictServerRequest() ?? throw new InvalidOperationException("Not a request.");
        var cookie = await context.AuthenticateAsync(IdentitySchemes.SignIn);
        var id = cookie.Principal?.GetClaim(Claims.Subject) ?? "";
        var at = cookie.Principal?.GetClaim(Claims.AuthenticationTime) ?? "";
        if (
            !cookie.Succeeded
            || request.HasPromptValue(PromptValues.Login)
            || IsTooOld(at, request.MaxAge, clock)
            || await subjects.NowAsync(id, cancellationToken) is not { Kind: ActorKind.Person }
        )
        {
            return request.HasPromptValue(PromptValues.None)
                ? Refuse(Errors.LoginRequired, "Nobody is signed in.")
                : Results.Redirect("/signin" + QueryString.Create("returnUrl", ReturnAddress(context.Request)));
        }

        var identity = NewIdentity(id);
        identity.SetClaim(Claims.AuthenticationTime, long.Parse(at, CultureInfo.InvariantCulture));
        identity.SetClaims(
            Claims.AuthenticationMethodReference,
            cookie.Principal!.GetClaims(Claims.AuthenticationMethodReference)
        );
        identity.SetClaim(SignInMethods.SessionId, cookie.Principal!.GetClaim(SignInMethods.SessionId));
        identity.SetScopes(request.GetScopes());
        identity.SetDestinations(_ => [Destinations.AccessToken, Destinations.IdentityToken]);
        return Results.SignIn(new ClaimsPrincipal(identity), authenticationScheme: Scheme);
    }

    /// <summary>POST /connect/token.</summary>
    public static async Task<IResult> ExchangeAsync(
        HttpContext context,
        SubjectReader subjects,
        SessionStore sessions,
        IDbContextFactory<GovernanceDb> databases,
        CancellationToken cancellationToken
    )
    {
        var request = context.GetOpenIddictServerRequest() ?? throw new InvalidOperationException("Not a request.");
        if (request.IsClientCredentialsGrantType())
        {
            await using var db = await databases.CreateDbContextAsync(cancellationToken);
            var id = await db.Set<SubjectRow>()
                .Where(row => row.Name == request.ClientId && row.Kind == ActorKind.Service && row.Enabled)
                .Select(row => row.Id)
                .FirstOrDefaultAsync(cancellationToken);
            return id is null
                ? Refuse(Errors.InvalidClient, "The service is disabled.")
                : Results.SignIn(new ClaimsPrincipal(NewIdentity(id)), authenticationScheme: Scheme);
        }

        var granted = await context.AuthenticateAsync(Scheme);
        return
            granted.Principal is { } principal
            && await subjects.NowAsync(principal.GetClaim(Claims.Subject) ?? "", cancellationToken) is not null
            && (
                !SignInMethods.IsInteractive(principal)
                || await sessions.MayUseTokensAsync(principal, cancellationToken)
            )
            ? Results.SignIn(principal, authenticationScheme: Scheme)
            : Refuse(Errors.InvalidGrant, "The account is disabled, or was signed out everywhere.");
    }

    private static ClaimsIdentity NewIdentity(string subject)
    {
        var identity = new ClaimsIdentity("governance", Claims.Name, Claims.Role);
        identity.SetClaim(Claims.Subject, subject);
        identity.SetResources(IdentitySchemes.Audience);
        identity.SetDestinations(_ => [Destinations.AccessToken]);
        return identity;
    }

    private static bool IsTooOld(string at, long? maxAge, TimeProvider clock) =>
        !long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
        || (maxAge is { } limit && clock.GetUtcNow().ToUnixTimeSeconds() - seconds > limit);

    // Without its prompt, or signing in would ask for signing in again.
    private static string ReturnAddress(HttpRequest request) =>
        request.Path + QueryString.Create(request.Query.Where(pair => pair.Key != "prompt"));

    private static IResult Refuse(string error, string description) =>
        Results.Forbid(
            new AuthenticationProperties(
                new Dictionary<string, string?>(StringComparer.Ordinal)
                {
                    [OpenIddictServerAspNetCoreConstants.Properties.Error] = error,
                    [OpenIddictServerAspNetCoreConstants.Properties.ErrorDescription] = description,
                }
            ),
            [Scheme]
        );
}
