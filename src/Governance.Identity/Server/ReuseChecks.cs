using Governance.Identity.Access;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Governance.Identity.Server;

/// <summary>Codes and refresh tokens count once, whoever is quicker.</summary>
internal static class ReuseChecks
{
    /// <summary>One that was used before ends its family; the library then refuses it.</summary>
    internal sealed class Used(IOpenIddictTokenManager tokens, TokenFamily family)
        : IOpenIddictServerHandler<ValidateTokenContext>
    {
        public async ValueTask HandleAsync(ValidateTokenContext context)
        {
            if (
                context.Principal is { } principal
                && context.TokenId is { Length: > 0 } id
                && (
                    principal.HasTokenType(TokenTypeIdentifiers.RefreshToken)
                    || principal.HasTokenType(TokenTypeIdentifiers.Private.AuthorizationCode)
                )
                && await tokens.FindByIdAsync(id) is { } token
                && await tokens.HasStatusAsync(token, Statuses.Redeemed)
            )
            {
                await family.EndAsync(principal);
            }
        }
    }

    /// <summary>Two who use one refresh token at the same moment: the library lets both through, the database only the first.</summary>
    internal sealed class Raced(ReplayStore replays, TokenFamily family)
        : IOpenIddictServerHandler<ProcessSignInContext>
    {
        public async ValueTask HandleAsync(ProcessSignInContext context)
        {
            var used = context.Transaction.GetProperty<ProcessAuthenticationContext>(
                typeof(ProcessAuthenticationContext).FullName!
            );
            if (
                context.EndpointType != OpenIddictServerEndpointType.Token
                || used?.RefreshTokenPrincipal is not { } principal
                || principal.GetTokenId() is not { } id
                || await replays.UseOnceAsync(
                    "refresh",
                    id,
                    principal.GetExpirationDate() ?? DateTimeOffset.MaxValue.AddSeconds(-1)
                )
            )
            {
                return;
            }

            await family.EndAsync(principal);
            context.Reject(Errors.InvalidGrant, "The refresh token was used before.");
        }
    }
}
