using System.Collections.Immutable;
using System.Globalization;
using System.Security.Claims;
using Governance.Identity.Access;
using Governance.Identity.Sessions;
using Governance.Identity.SignIn;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Governance.Identity.Server;

/// <summary>
/// The two decisions that the protocol leaves to us: whose code is it, and is that subject still welcome. The library has
/// already checked client, secret, redirect address, code, verifier and replay when these run.
/// </summary>
internal static class TokenEndpoints
{
    /// <summary>RFC 9449 §10: the key that a code is asked for, and the private claim that keeps it.</summary>
    public const string KeyParameter = "dpop_jkt";

    /// <summary>The private claim of a service's token with <see cref="ClientRegistration.Stamp"/>.</summary>
    public const string StampClaim = "stamp";

    private const string Scheme = OpenIddictServerAspNetCoreDefaults.AuthenticationScheme;

    /// <summary>
    /// GET and POST /connect/authorize: a fresh enough sign-in of an enabled person yields a code, else the sign-in page; for the
    /// command line only after the person said so.
    /// </summary>
    public static async Task<IResult> AuthorizeAsync(
        HttpContext context,
        IAntiforgery forgery,
        IWriter writer,
        SubjectReader subjects,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        var request = context.GetOpenIddictServerRequest() ?? throw new InvalidOperationException("Not a request.");
        var signedIn = await SignedInAsync(context, subjects, cancellationToken);
        if (signedIn is null || IsTooOld(context, request, signedIn.GetClaim(Claims.AuthenticationTime), clock))
        {
            return request.HasPromptValue(PromptValues.None)
                ? Refuse(Errors.LoginRequired, "Nobody is signed in.")
                : Results.Redirect(
                    "/signin" + QueryString.Create("returnUrl", ReturnAddress(context.Request, request.ClientId!))
                );
        }

        if (
            request.ClientId != IdentitySchemes.ConsoleClient
            && await ProgramPage.AskAsync(context, forgery, writer, request, signedIn) is { } asked
        )
        {
            return asked;
        }

        var identity = PersonIdentity(signedIn, request.GetScopes());
        if ((string?)request[KeyParameter] is { Length: > 0 } key)
        {
            identity.SetClaim(KeyParameter, key);
        }

        return Results.SignIn(new ClaimsPrincipal(identity), authenticationScheme: Scheme);
    }

    /// <summary>Who is signed in at the pages of the issuer: an enabled person, or null.</summary>
    public static async Task<ClaimsPrincipal?> SignedInAsync(
        HttpContext context,
        SubjectReader subjects,
        CancellationToken cancellationToken
    )
    {
        var cookie = await context.AuthenticateAsync(IdentitySchemes.SignIn);
        var id = cookie.Principal?.GetClaim(Claims.Subject) ?? "";
        return cookie.Succeeded && await subjects.NowAsync(id, cancellationToken) is { Kind: ActorKind.Person }
            ? cookie.Principal
            : null;
    }

    /// <summary>What tokens say about a person who signed in: nothing but who, when, how and in which session.</summary>
    public static ClaimsIdentity PersonIdentity(ClaimsPrincipal signedIn, ImmutableArray<string> scopes)
    {
        var identity = NewIdentity(signedIn.GetClaim(Claims.Subject)!);
        identity.SetClaim(
            Claims.AuthenticationTime,
            long.Parse(signedIn.GetClaim(Claims.AuthenticationTime)!, CultureInfo.InvariantCulture)
        );
        identity.SetClaims(
            Claims.AuthenticationMethodReference,
            signedIn.GetClaims(Claims.AuthenticationMethodReference)
        );
        identity.SetClaim(SignInMethods.SessionId, signedIn.GetClaim(SignInMethods.SessionId));
        identity.SetScopes(scopes);
        identity.SetDestinations(_ => [Destinations.AccessToken, Destinations.IdentityToken]);
        return identity;
    }

    /// <summary>POST /connect/token.</summary>
    public static async Task<IResult> ExchangeAsync(
        HttpContext context,
        SubjectReader subjects,
        SessionStore sessions,
        IDbContextFactory<GovernanceDb> databases,
        DpopGuard guard,
        IOpenIddictApplicationManager clients,
        CancellationToken cancellationToken
    )
    {
        var request = context.GetOpenIddictServerRequest() ?? throw new InvalidOperationException("Not a request.");
        var granted = request.IsClientCredentialsGrantType()
            ? null
            : (await context.AuthenticateAsync(Scheme)).Principal;
        if (await BindAsync(context, request, granted, guard, (ClientManager)clients) is { } refused)
        {
            return refused;
        }

        if (request.IsClientCredentialsGrantType())
        {
            await using var db = await databases.CreateDbContextAsync(cancellationToken);
            var id = await db.Set<SubjectRow>()
                .Where(row => row.Name == request.ClientId && row.Kind == ActorKind.Service && row.Enabled)
                .Select(row => row.Id)
                .FirstOrDefaultAsync(cancellationToken);
            return id is null
                ? Refuse(Errors.InvalidClient, "The service is disabled.")
                : Results.SignIn(
                    await ServiceAsync(id, request, (ClientManager)clients, cancellationToken),
                    authenticationScheme: Scheme
                );
        }

        return
            granted is not null
            && await subjects.NowAsync(granted.GetClaim(Claims.Subject) ?? "", cancellationToken) is not null
            && (!SignInMethods.IsInteractive(granted) || await sessions.MayUseTokensAsync(granted, cancellationToken))
            ? Results.SignIn(granted, authenticationScheme: Scheme)
            : Refuse(Errors.InvalidGrant, "The account is disabled, or was signed out everywhere.");
    }

    // The registration as this request knows it since the library read it to check the secret: never a newer one.
    private static async Task<ClaimsPrincipal> ServiceAsync(
        string id,
        OpenIddictRequest request,
        ClientManager clients,
        CancellationToken cancellationToken
    )
    {
        var registration = await clients.RegistrationOfAsync(request, cancellationToken);
        var identity = NewIdentity(id);
        if (registration.Stamp.Length > 0)
        {
            identity.SetClaim(StampClaim, registration.Stamp);
            identity.SetDestinations(_ => [Destinations.AccessToken]);
        }

        return new ClaimsPrincipal(identity);
    }

    // What the request proves to hold is what the tokens will be bound to, and must be what the grant is bound to already.
    private static async Task<IResult?> BindAsync(
        HttpContext context,
        OpenIddictRequest request,
        ClaimsPrincipal? granted,
        DpopGuard guard,
        ClientManager clients
    )
    {
        TokenConfirmation? confirmation = null;
        if (DpopGuard.IsPresent(context))
        {
            var (key, problem) = await guard.CheckAsync(context);
            if (problem is not null)
            {
                return Refuse(problem.Error, problem.Description);
            }

            confirmation = TokenConfirmation.OfKey(key!);
        }
        else if (await context.Connection.GetClientCertificateAsync(context.RequestAborted) is { } certificate)
        {
            confirmation = TokenConfirmation.Of(certificate);
        }

        var registration = await clients.RegistrationOfAsync(request, context.RequestAborted);
        var bound = registration.Binding switch
        {
            ClientRegistration.None => true,
            ClientRegistration.DpopBinding => confirmation?.Key is not null,
            ClientRegistration.MutualTlsBinding => confirmation?.Certificate is not null,
            _ => confirmation is not null,
        };
        if (!bound)
        {
            return Refuse(Errors.InvalidRequest, $"This client must bind its tokens: {registration.Binding}.");
        }

        if (
            !TokenConfirmation.TryParse(granted?.GetClaim(TokenConfirmation.Claim), out var before)
            || (before is not null && before != confirmation)
            || (granted?.GetClaim(KeyParameter) is { } asked && asked != confirmation?.Key)
        )
        {
            return Refuse(Errors.InvalidGrant, "The grant is bound to another key or certificate.");
        }

        if (confirmation is not null)
        {
            BindTokens.Remember(Transaction(context), confirmation, registration.Method == ClientRegistration.None);
        }

        return null;
    }

    private static OpenIddictServerTransaction Transaction(HttpContext context) =>
        context.Features.Get<OpenIddictServerAspNetCoreFeature>()?.Transaction
        ?? throw new InvalidOperationException("Not a request of the protocol.");

    private static ClaimsIdentity NewIdentity(string subject)
    {
        var identity = new ClaimsIdentity("governance", Claims.Name, Claims.Role);
        identity.SetClaim(Claims.Subject, subject);
        identity.SetResources(IdentitySchemes.Audience);
        identity.SetDestinations(_ => [Destinations.AccessToken]);
        return identity;
    }

    private static bool IsTooOld(HttpContext context, OpenIddictRequest request, string? at, TimeProvider clock)
    {
        if (!long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
        {
            return true;
        }

        // A pushed request keeps its prompt for ever, so signing in after it was pushed is what answers it.
        var pushed = Transaction(context)
            .GetProperty<ProcessAuthenticationContext>(typeof(ProcessAuthenticationContext).FullName!)
            ?.RequestTokenPrincipal?.GetCreationDate();
        return (request.HasPromptValue(PromptValues.Login) && !(pushed?.ToUnixTimeSeconds() <= seconds))
            || (request.MaxAge is { } limit && clock.GetUtcNow().ToUnixTimeSeconds() - seconds > limit);
    }

    /// <summary>The reference of the pushed request, as the browser brought it.</summary>
    public static string PushedReference(HttpRequest request) =>
        (HttpMethods.IsPost(request.Method) ? request.Form["request_uri"] : request.Query["request_uri"]).ToString();

    // Without a prompt, or signing in would ask for signing in again: every client pushes its request.
    private static string ReturnAddress(HttpRequest request, string clientId) =>
        request.Path
        + QueryString.Create([
            new KeyValuePair<string, string?>("client_id", clientId),
            new KeyValuePair<string, string?>("request_uri", PushedReference(request)),
        ]);

    public static IResult Refuse(string error, string description) =>
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
