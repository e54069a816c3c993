namespace Governance.Identity.Contracts;

/// <summary>What binds a group to an external identity provider. Compared by its bytes: no case folding, no normalisation, no pattern.</summary>
/// <param name="Issuer">The <c>iss</c> of the token, an https address of at most 256 characters.</param>
/// <param name="Claim">A claim that its holder cannot change, such as <c>groups</c> with the provider's object ids.</param>
/// <param name="Value">The value, or one member of the claim's array; at most 256 characters.</param>
public sealed record ExternalClaim(string Issuer, string Claim, string Value);
