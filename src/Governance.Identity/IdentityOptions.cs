using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography.X509Certificates;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Microsoft.Extensions.Options;

namespace Governance.Identity;

/// <summary>Settings of identity. Bound from the section <c>Governance:Identity</c>.</summary>
public sealed class IdentityOptions : IValidatableObject
{
    /// <summary>Life of an access token in minutes, 1–720. Default 10; the demo asks for 720.</summary>
    [Range(1, 720)]
    public int AccessTokenMinutes { get; set; } = 10;

    /// <summary>Life of a refresh token in hours, 1–168. Default 12.</summary>
    [Range(1, 168)]
    public int RefreshTokenHours { get; set; } = 12;

    /// <summary>Life of a sign-in and of a page session in hours, 1–24, without renewal. Default 8.</summary>
    [Range(1, 24)]
    public int SessionHours { get; set; } = 8;

    /// <summary>Wrong attempts for a name that shut out the browser or address that they came from, 1–20; ten times as many shut out all strangers. Default 5.</summary>
    [Range(1, 20)]
    public int LockoutAttempts { get; set; } = 5;

    /// <summary>How long they are shut out, in minutes, 1–1440. Default 15.</summary>
    [Range(1, 1440)]
    public int LockoutMinutes { get; set; } = 15;

    /// <summary>Requests to the sign-in, enrolment and set-up pages per client address and minute, 1–10000. Default 30.</summary>
    [Range(1, 10_000)]
    public int SignInPerMinute { get; set; } = 30;

    /// <summary>Requests to the token, introspection and revocation endpoints per client address and minute, 1–100000. Default 120.</summary>
    [Range(1, 100_000)]
    public int TokensPerMinute { get; set; } = 120;

    /// <summary>How far the time of a DPoP proof may lie from ours, in seconds, 5–300. Default 60.</summary>
    [Range(5, 300)]
    public int DpopWindowSeconds { get; set; } = 60;

    /// <summary>Whether DPoP proofs must carry a nonce of ours (RFC 9449 §8, §9). Default false.</summary>
    public bool DpopNonce { get; set; }

    /// <summary>Age at which the issuer's signing key is replaced, in days, 1–730. Default 90.</summary>
    [Range(1, 730)]
    public int SigningKeyDays { get; set; } = 90;

    /// <summary>How long a new signing key is published before it signs, in minutes, 0–1440. Default 60.</summary>
    [Range(0, 1440)]
    public int SigningKeyLeadMinutes { get; set; } = 60;

    /// <summary>Public address of the mutual-TLS listener, no trailing slash; empty without one. Set by the host, never by configuration.</summary>
    public string MutualTlsUrl { get; set; } = "";

    /// <summary>Authorities whose certificates prove clients of the method <c>tls_client_auth</c>. Set by the host.</summary>
    public X509Certificate2Collection ClientAuthorities { get; } = [];

    /// <summary>How recent a sign-in has to be for approvals and changes of persons, roles and credentials, in minutes, 1–480. Default 15.</summary>
    [Range(1, 480)]
    public int RecentSignInMinutes { get; set; } = 15;

    /// <summary>Whether approvals and changes of persons and roles need a sign-in with more than a password. Default false.</summary>
    public bool RequireSecondFactor { get; set; }

    /// <summary>
    /// Permissions that only a token bound to a key or certificate (DPoP or mutual TLS) may use, comma-separated. A session of
    /// the pages is not bound, so people use these with a token too. Default none.
    /// </summary>
    public string BoundPermissions { get; set; } = "";

    /// <summary>The parts of <see cref="BoundPermissions"/>.</summary>
    internal IReadOnlyList<string> Bound => ExternalIssuer.Parts(BoundPermissions);

    /// <summary>How long a second administrator can confirm a privileged change, in hours, 1–720. Default 72.</summary>
    [Range(1, 720)]
    public int ConfirmationHours { get; set; } = 72;

    /// <summary>How long the one-time code of a new or reset person works, in hours, 1–168. Default 48.</summary>
    [Range(1, 168)]
    public int EnrolmentHours { get; set; } = 48;

    /// <summary>
    /// Requests answered 401 per client address and minute, 10–100000, after which a token that was not valid here within the
    /// last ten minutes is answered 429 unread. Default 600.
    /// </summary>
    [Range(10, 100_000)]
    public int StrangersPerMinute { get; set; } = 600;

    /// <summary>Providers whose logins and tokens count here besides the embedded issuer's, at most 32. Default none.</summary>
    [MaxLength(32)]
    [ValidateEnumeratedItems]
    public List<ExternalIssuer> Issuers { get; set; } = [];

    /// <summary>
    /// Demo accounts exist: no set-up code is offered, and a person's token counts as freshly authenticated. Set by the demo
    /// only, never by configuration.
    /// </summary>
    public bool Demo { get; set; }

    /// <summary>Makes the handler through which the pages reach the issuer; the host supplies one that trusts its own CA.</summary>
    public Func<HttpMessageHandler>? Backchannel { get; set; }

    /// <inheritdoc />
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (
            Issuers.DistinctBy(issuer => issuer.Name).Count() != Issuers.Count
            || Issuers.DistinctBy(issuer => issuer.Authority).Count() != Issuers.Count
        )
        {
            yield return new ValidationResult("Governance:Identity:Issuers must differ in Name and in Authority.");
        }

        foreach (var name in Bound.Where(name => !RoleFile.Grantable.Contains(name)))
        {
            yield return new ValidationResult(
                $"Governance:Identity:BoundPermissions: there is no permission '{name}'."
            );
        }
    }
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
internal sealed partial class IdentityOptionsValidator : IValidateOptions<IdentityOptions>;
