using System.Security.Claims;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.Server;

/// <summary>Everything that grew from one sign-in: its code, its access tokens, its refresh tokens.</summary>
internal sealed class TokenFamily(
    IOpenIddictTokenManager tokens,
    IOpenIddictAuthorizationManager authorizations,
    IWriter writer
)
{
    /// <summary>
    /// Ends a family because one of its codes or refresh tokens came back, which means that somebody else has it (RFC 9700
    /// §4.14.2). On record first. The authorization ends as well, so that what is being issued at this moment is dead too.
    /// </summary>
    public async Task EndAsync(ClaimsPrincipal principal)
    {
        var subject = principal.GetClaim(Claims.Subject) ?? "";
        await writer.LogAsync(
            new LogEntry("identity.token_reused", Actor.Anonymous, $"subject:{subject}", LogOutcome.Refused),
            CancellationToken.None
        );
        if (principal.GetAuthorizationId() is not { Length: > 0 } id)
        {
            return;
        }

        if (await authorizations.FindByIdAsync(id) is { } authorization)
        {
            await authorizations.TryRevokeAsync(authorization);
        }

        await tokens.RevokeByAuthorizationIdAsync(id);
    }
}
