using System.ComponentModel.DataAnnotations;
using Governance.Identity.Contracts;
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

    /// <summary>Wrong passwords in a row that lock an account, 1–20. Default 5.</summary>
    [Range(1, 20)]
    public int LockoutAttempts { get; set; } = 5;

    /// <summary>How long an account stays locked, in minutes, 1–1440. Default 15.</summary>
    [Range(1, 1440)]
    public int LockoutMinutes { get; set; } = 15;

    /// <summary>Requests to the sign-in and set-up pages per client address and minute, 1–10000; per user name a third of it. Default 30.</summary>
    [Range(1, 10_000)]
    public int SignInPerMinute { get; set; } = 30;

    /// <summary>Requests to the token, introspection and revocation endpoints per client address and minute, 1–100000. Default 120.</summary>
    [Range(1, 100_000)]
    public int TokensPerMinute { get; set; } = 120;

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
    }
}

/// <summary>Checks the settings at start.</summary>
[OptionsValidator]
internal sealed partial class IdentityOptionsValidator : IValidateOptions<IdentityOptions>;
