using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;
using Microsoft.IdentityModel.Tokens;

namespace Governance.Identity.Contracts;

/// <summary>
/// An OpenID Connect provider whose logins and tokens count here. Bound from <c>Governance:Identity:Issuers:&lt;n&gt;</c>. The host
/// makes paths absolute.
/// </summary>
public sealed partial class ExternalIssuer : IValidatableObject
{
    private static readonly string[] Mutable =
    [
        "email",
        "name",
        "nickname",
        "preferred_username",
        "unique_name",
        "upn",
        "phone_number",
    ];

    private static readonly string[] Signatures =
    [
        SecurityAlgorithms.RsaSha256,
        SecurityAlgorithms.RsaSha384,
        SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256,
        SecurityAlgorithms.RsaSsaPssSha384,
        SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256,
        SecurityAlgorithms.EcdsaSha384,
        SecurityAlgorithms.EcdsaSha512,
    ];

    /// <summary>Name in addresses: 1–32 of a-z, 0-9 and hyphen. For good: it is part of the redirect address.</summary>
    public string Name { get; set; } = "";

    /// <summary>Name for people on the sign-in page, at most 64 characters. Default: <see cref="Name"/>.</summary>
    public string DisplayName { get; set; } = "";

    /// <summary>Issuer identifier, an https address, exactly as the provider writes it into <c>iss</c>.</summary>
    public string Authority { get; set; } = "";

    /// <summary>PEM file of the authority behind the provider's certificate. Default: those of the system.</summary>
    public string AuthorityFile { get; set; } = "";

    /// <summary>Hosts besides that of <see cref="Authority"/> to which its metadata may lead, comma-separated, as <c>host</c> or <c>host:port</c>. Default none.</summary>
    public string Hosts { get; set; } = "";

    /// <summary>Client id for signing in to the pages. Default none: the provider is not offered there.</summary>
    public string ClientId { get; set; } = "";

    /// <summary>File with the client secret and nothing else. Default none: a public client, with PKCE.</summary>
    public string ClientSecretFile { get; set; } = "";

    /// <summary>Scopes to ask for at sign-in, separated by blanks. Default <c>openid</c>.</summary>
    public string Scopes { get; set; } = "openid";

    /// <summary>What <c>aud</c> of an access token must name. Default none: its access tokens are not accepted.</summary>
    public string Audience { get; set; } = "";

    /// <summary>
    /// Clients of the provider whose access tokens act as the person who is linked, comma-separated: any client that a person once
    /// signed in to holds tokens for <see cref="Audience"/>, be it only a game. Default none: with access tokens every login is a service.
    /// </summary>
    public string Clients { get; set; } = "";

    /// <summary>Values of <c>typ</c> that its access tokens may have, comma-separated. Default <c>at+jwt</c> (RFC 9068).</summary>
    public string TokenTypes { get; set; } = "at+jwt";

    /// <summary>Signature algorithms that it may use, comma-separated; none with a shared secret. Default <c>RS256,PS256,ES256</c>.</summary>
    public string Algorithms { get; set; } = "RS256,PS256,ES256";

    /// <summary>The claim that names a login for good. Default <c>sub</c>; never a name, an e-mail address or a telephone number.</summary>
    public string SubjectClaim { get; set; } = "sub";

    /// <summary>
    /// Values of <c>acr</c> of which any proves that a person was there, comma-separated. With this and
    /// <see cref="InteractiveAmr"/> empty nothing does, and every login is a service.
    /// </summary>
    public string InteractiveAcr { get; set; } = "";

    /// <summary>Values of <c>amr</c> of which any proves that a person was there, comma-separated.</summary>
    public string InteractiveAmr { get; set; } = "";

    /// <summary>How long after <c>auth_time</c> that holds, in minutes, 1–1440. Default 480.</summary>
    [Range(1, 1440)]
    public int InteractiveMinutes { get; set; } = 480;

    /// <summary>How long keys count that the provider no longer answers for, in hours, 1–168; after that nothing of it is accepted. Default 12.</summary>
    [Range(1, 168)]
    public int KeysHours { get; set; } = 12;

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!NameForm().IsMatch(Name))
        {
            yield return Wrong("Name must be 1-32 of a-z, 0-9 and hyphen.");
        }

        if (
            !Uri.TryCreate(Authority, UriKind.Absolute, out var address)
            || address is not { Scheme: "https", Query: "", Fragment: "", UserInfo: "" }
            || Authority.Length > 256
        )
        {
            yield return Wrong("Authority must be an https address without query, of at most 256 characters.");
        }

        if (Parts(Algorithms).Except(Signatures).Any() || Parts(Algorithms).Count == 0)
        {
            yield return Wrong($"Algorithms must be some of {string.Join(", ", Signatures)}.");
        }

        if (SubjectClaim.Length is 0 or > 64 || Mutable.Contains(SubjectClaim, StringComparer.OrdinalIgnoreCase))
        {
            yield return Wrong("SubjectClaim must be a claim that nobody can change or inherit, such as sub or oid.");
        }

        if (ClientId.Length + Audience.Length == 0)
        {
            yield return Wrong("ClientId, Audience or both must be set.");
        }

        if (ClientId.Length > 0 && string.Equals(ClientId, Audience, StringComparison.Ordinal))
        {
            yield return Wrong("Audience must differ from ClientId, or an ID token could pass for an access token.");
        }

        if (ClientId.Length > 0 && !Scopes.Split(' ').Contains("openid", StringComparer.Ordinal))
        {
            yield return Wrong("Scopes must contain openid.");
        }

        if (DisplayName.Length > 64)
        {
            yield return Wrong("DisplayName must be at most 64 characters.");
        }
    }

    /// <summary>The parts of a comma-separated setting.</summary>
    internal static IReadOnlyList<string> Parts(string list) =>
        list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private ValidationResult Wrong(string what) => new($"Governance:Identity:Issuers ({Name}): {what}");

    [GeneratedRegex(@"\A[a-z0-9-]{1,32}\z", RegexOptions.None, 1000)]
    private static partial Regex NameForm();
}
