using System.Security.Claims;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.Access;

/// <summary>
/// How a person proved who they are, in the words of RFC 8176 where it has one. Nothing but our own sign-in page, and the
/// return from a provider to it, puts them into cookies and tokens.
/// </summary>
internal static class SignInMethods
{
    public const string Password = "pwd";

    /// <summary>A code of an authenticator app, or a recovery code.</summary>
    public const string OneTime = "otp";

    /// <summary>A passkey. The authenticator is not asked to attest itself, so the key counts as one in software.</summary>
    public const string Passkey = "swk";

    /// <summary>More than one factor: a passkey that verified its user, or a password and something more.</summary>
    public const string Multiple = "mfa";

    /// <summary>At an external provider, to which the login of the person is linked.</summary>
    public const string External = "external";

    /// <summary>The claim of the sign-in cookie with the name of that provider.</summary>
    public const string Provider = "provider";

    /// <summary>The claim with the session that cookies and tokens came of.</summary>
    public const string SessionId = "sid";

    /// <summary>Whether a person was there.</summary>
    public static bool IsInteractive(ClaimsPrincipal principal) =>
        principal.HasClaim(Claims.AuthenticationMethodReference, Password)
        || principal.HasClaim(Claims.AuthenticationMethodReference, Passkey)
        || principal.HasClaim(Claims.AuthenticationMethodReference, External);

    /// <summary>Whether the person showed more than one factor.</summary>
    public static bool IsMultiple(ClaimsPrincipal principal) =>
        principal.HasClaim(Claims.AuthenticationMethodReference, Multiple);
}
