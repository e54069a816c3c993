using System.Text;
using Governance.Identity.Access;
using Governance.Identity.Contracts;
using Governance.Identity.Sessions;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using OpenIddict.Abstractions;

namespace Governance.Identity.Federation;

/// <summary>
/// Signing in to the pages at a configured provider: one scheme and one redirect address each, so that an answer of one is never
/// taken for another's (RFC 9700 §4.4). Authorization code with PKCE, state and nonce; pushed where the provider takes that.
/// </summary>
internal sealed class ExternalSignIn(ExternalTokens tokens, ExternalSubjects subjects, TimeProvider clock)
    : IConfigureNamedOptions<OpenIdConnectOptions>
{
    private const string Prefix = "external:";
    private const int MaxSecret = 4096;

    public static string SchemeOf(ExternalIssuer issuer) => Prefix + issuer.Name;

    /// <summary>The providers that people may sign in with.</summary>
    public IEnumerable<ExternalIssuer> Offered =>
        tokens.Issuers.Select(provider => provider.Issuer).Where(issuer => issuer.ClientId.Length > 0);

    /// <summary>The provider of this name, if it is offered and ends sessions at the wish of a browser.</summary>
    public async Task<ExternalIssuer?> EndingAsync(string? name, CancellationToken cancellationToken)
    {
        var provider = tokens.Issuers.FirstOrDefault(one => one.Issuer.Name == name && one.Issuer.ClientId.Length > 0);
        return
            provider is not null && await provider.CurrentAsync(cancellationToken) is { EndSessionEndpoint.Length: > 0 }
            ? provider.Issuer
            : null;
    }

    /// <summary>Adds their schemes; before the first request.</summary>
    public void Register(IAuthenticationSchemeProvider schemes)
    {
        foreach (var issuer in Offered)
        {
            schemes.AddScheme(
                new AuthenticationScheme(SchemeOf(issuer), issuer.DisplayName, typeof(OpenIdConnectHandler))
            );
        }
    }

    public void Configure(OpenIdConnectOptions options) { }

    public void Configure(string? name, OpenIdConnectOptions options)
    {
        var provider = tokens.Issuers.FirstOrDefault(one => SchemeOf(one.Issuer) == name);
        if (provider is null)
        {
            return;
        }

        var issuer = provider.Issuer;
        options.Authority = issuer.Authority;
        options.ConfigurationManager = provider;
        options.Backchannel = provider.Client;
        options.ClientId = issuer.ClientId;
        options.ClientSecret = issuer.ClientSecretFile.Length > 0 ? ReadSecret(issuer.ClientSecretFile) : null;
        options.CallbackPath = $"/signin/external/{issuer.Name}/callback";
        options.SignedOutCallbackPath = $"/signin/external/{issuer.Name}/signedout";
        options.RemoteSignOutPath = default; // nobody signs our users out from elsewhere
        options.SignInScheme = IdentitySchemes.SignIn;
        options.MaxAge = TimeSpan.FromMinutes(issuer.InteractiveMinutes); // so that there is an auth_time to believe
        options.ResponseType = OpenIdConnectResponseType.Code;
        options.ResponseMode = OpenIdConnectResponseMode.Query; // a cross-site form post would need weaker cookies
        options.UsePkce = true;
        options.PushedAuthorizationBehavior = PushedAuthorizationBehavior.UseIfAvailable;
        options.MapInboundClaims = false;
        options.SaveTokens = false;
        options.GetClaimsFromUserInfoEndpoint = false;
        options.DisableTelemetry = true;
        options.Scope.Clear();
        foreach (var scope in issuer.Scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            options.Scope.Add(scope);
        }

        options.TokenValidationParameters.ValidIssuer = issuer.Authority;
        options.TokenValidationParameters.ValidAudience = issuer.ClientId;
        options.TokenValidationParameters.ValidAlgorithms = ExternalIssuer.Parts(issuer.Algorithms);
        options.TokenValidationParameters.TryAllIssuerSigningKeys = false;
        options.TokenValidationParameters.ClockSkew = TimeSpan.FromSeconds(30);
        SignInCookies.Harden(options);
        options.Events.OnRedirectToIdentityProvider = leaving =>
        {
            var wanted = ExternalIssuer.Parts(issuer.InteractiveAcr);
            leaving.ProtocolMessage.AcrValues = wanted.Count == 0 ? null : string.Join(' ', wanted);
            return Task.CompletedTask;
        };
        options.Events.OnRedirectToIdentityProviderForSignOut = leaving =>
        {
            // Instead of the ID token, which is not kept: it names the person.
            leaving.ProtocolMessage.ClientId = issuer.ClientId;
            return Task.CompletedTask;
        };
        options.Events.OnMessageReceived = received => CheckIssuerAsync(received, issuer);
        options.Events.OnTokenValidated = validated => FinishAsync(validated, issuer);
        options.Events.OnRemoteFailure = FailedSignIn.OfProviderAsync;
    }

    // RFC 9207: whose answer this is, said by the provider itself; required of those that announce it.
    private static async Task CheckIssuerAsync(MessageReceivedContext received, ExternalIssuer issuer)
    {
        var configuration = await received.Options.ConfigurationManager!.GetConfigurationAsync(
            received.HttpContext.RequestAborted
        );
        var named = received.ProtocolMessage.Iss;
        if (
            named is null
                ? configuration.AuthorizationResponseIssParameterSupported
                : !string.Equals(named, issuer.Authority, StringComparison.Ordinal)
        )
        {
            received.Fail("The answer comes from another issuer.");
        }
    }

    private async Task FinishAsync(TokenValidatedContext validated, ExternalIssuer issuer)
    {
        if (
            validated.TokenEndpointResponse?.IdToken?.Split('.') is not [_, { } payload, _]
            || StrictJson.Part(payload) is not { } claims
            || LoginClaims.Read(issuer, claims, clock.GetUtcNow()) is not { } login
        )
        {
            validated.Fail("The ID token names no login.");
            return;
        }

        var before = await validated.HttpContext.AuthenticateAsync(IdentitySchemes.SignIn);
        var principal = await subjects.SignInAsync(
            issuer,
            login,
            DeviceName.Of(validated.HttpContext.Request.Headers.UserAgent),
            before.Principal?.GetClaim(SignInMethods.SessionId),
            validated.HttpContext.RequestAborted
        );
        if (principal is null)
        {
            validated.HttpContext.Features.Set(new RefusedLogin(login.Issuer, login.ExternalId));
            validated.Fail("The login is nobody here.");
            return;
        }

        validated.Principal = principal;
    }

    private static string ReadSecret(string path)
    {
        using var file = File.OpenRead(path);
        var bytes = new byte[Math.Min(file.Length, MaxSecret)];
        file.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes).Trim();
    }
}
