namespace Governance.Identity.Access;

/// <summary>Names of the authentication schemes and of the built-in clients.</summary>
internal static class IdentitySchemes
{
    /// <summary>Cookie of the issuer: this browser proved a password.</summary>
    public const string SignIn = "sign-in";

    /// <summary>Cookie of the pages: this browser went through OpenID Connect.</summary>
    public const string Session = "session";

    /// <summary>The OpenID Connect client of the pages.</summary>
    public const string OpenIdConnect = "oidc";

    public const string ConsoleClient = "governance-console";

    public const string CliClient = "governance-cli";

    /// <summary>Audience of every access token.</summary>
    public const string Audience = "governance";
}
