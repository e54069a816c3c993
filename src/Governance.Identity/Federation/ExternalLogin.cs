using System.Text.Json.Nodes;

namespace Governance.Identity.Federation;

/// <summary>Who a provider says is there.</summary>
/// <param name="Issuer">Issuer identifier.</param>
/// <param name="ExternalId">The provider's name for the login, from its immutable claim. Personal data: never logged.</param>
/// <param name="IssuedAt">When it said so.</param>
/// <param name="AuthenticatedAt">When a person proved who they are, as far as this provider's settings believe it; else null.</param>
/// <param name="MultiFactor">Whether the provider says that this took more than one factor.</param>
/// <param name="Claims">All claims of the validated token.</param>
internal sealed record ExternalLogin(
    string Issuer,
    string ExternalId,
    DateTimeOffset IssuedAt,
    DateTimeOffset? AuthenticatedAt,
    bool MultiFactor,
    JsonObject Claims
);
