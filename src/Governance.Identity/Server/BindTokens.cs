using OpenIddict.Abstractions;
using OpenIddict.Server;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Governance.Identity.Server;

/// <summary>Writes the confirmation that the token endpoint established into what is issued.</summary>
internal static class BindTokens
{
    private const string Property = "governance:confirmation";
    private const string PublicProperty = "governance:public";

    /// <summary>Hands the confirmation of this request to the handlers below.</summary>
    public static void Remember(OpenIddictServerTransaction transaction, TokenConfirmation confirmation, bool isPublic)
    {
        transaction.SetProperty(Property, confirmation);
        transaction.SetProperty(PublicProperty, isPublic ? confirmation : null);
    }

    private static TokenConfirmation? Of(BaseContext context) =>
        context.Transaction.GetProperty<TokenConfirmation>(Property);

    /// <summary>RFC 9449 §6, RFC 8705 §3: access tokens of every client.</summary>
    internal sealed class Access : IOpenIddictServerHandler<ProcessSignInContext>
    {
        public ValueTask HandleAsync(ProcessSignInContext context)
        {
            if (Of(context) is { } confirmation)
            {
                context.AccessTokenPrincipal?.SetClaim(TokenConfirmation.Claim, confirmation.ToJson());
            }

            return ValueTask.CompletedTask;
        }
    }

    /// <summary>RFC 9449 §5, RFC 8705 §7.1: refresh tokens of clients that prove themselves in no other way.</summary>
    internal sealed class Refresh : IOpenIddictServerHandler<ProcessSignInContext>
    {
        public ValueTask HandleAsync(ProcessSignInContext context)
        {
            if (context.Transaction.GetProperty<TokenConfirmation>(PublicProperty) is { } confirmation)
            {
                context.RefreshTokenPrincipal?.SetClaim(TokenConfirmation.Claim, confirmation.ToJson());
            }

            return ValueTask.CompletedTask;
        }
    }

    /// <summary>RFC 9449 §5: what is bound to a key is not a bearer token, and the answer says so.</summary>
    internal sealed class Name : IOpenIddictServerHandler<ProcessSignInContext>
    {
        public ValueTask HandleAsync(ProcessSignInContext context)
        {
            if (Of(context) is { Key: not null } && context.Response.AccessToken is not null)
            {
                context.Response.TokenType = "DPoP";
            }

            return ValueTask.CompletedTask;
        }
    }

    /// <summary>RFC 9449 §6.2: introspection names the type of a bound token, which the library leaves out.</summary>
    internal sealed class Describe : IOpenIddictServerHandler<HandleIntrospectionRequestContext>
    {
        public ValueTask HandleAsync(HandleIntrospectionRequestContext context)
        {
            if (context.Confirmation is { } confirmation)
            {
                context.TokenType = confirmation.ContainsKey("jkt") ? "DPoP" : "Bearer";
            }

            return ValueTask.CompletedTask;
        }
    }
}
