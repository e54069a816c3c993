namespace Governance.Signing.Contracts;

/// <summary>Whom a certificate names.</summary>
/// <param name="Subject">The one alternative name of the certificate: an address or an e-mail address. Of people registered here a pseudonym.</param>
/// <param name="Issuer">Who vouched for it: address of an OpenID Connect issuer.</param>
public sealed record SignerIdentity(string Subject, string Issuer);

/// <summary>Whom a verifier wants to have signed; null asks for anybody. Compared to the letter.</summary>
/// <param name="Subject">The certificate's alternative name, or null.</param>
/// <param name="Issuer">The certificate's issuer of identities, or null.</param>
public sealed record SignerPolicy(string? Subject, string? Issuer)
{
    /// <summary>Anybody that the trusted root vouches for, a key included.</summary>
    public static SignerPolicy Anybody { get; } = new(null, null);
}
