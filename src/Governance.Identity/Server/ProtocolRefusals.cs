using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Governance.Identity.Server;

/// <summary>
/// Puts on record what the issuer refuses before it says so: secrets, assertions and certificates of clients, codes and refresh tokens.
/// A client is told apart by the SHA-256 of the id that it gave, which may be anything; a device that is told to wait is no refusal.
/// </summary>
internal sealed class ProtocolRefusals(IWriter writer, AddressNames addresses)
    : IOpenIddictServerHandler<ApplyTokenResponseContext>,
        IOpenIddictServerHandler<ApplyIntrospectionResponseContext>,
        IOpenIddictServerHandler<ApplyRevocationResponseContext>,
        IOpenIddictServerHandler<ApplyPushedAuthorizationResponseContext>,
        IOpenIddictServerHandler<ApplyDeviceAuthorizationResponseContext>
{
    public ValueTask HandleAsync(ApplyTokenResponseContext context) => LogAsync(context, context.Error);

    public ValueTask HandleAsync(ApplyIntrospectionResponseContext context) => LogAsync(context, context.Error);

    public ValueTask HandleAsync(ApplyRevocationResponseContext context) => LogAsync(context, context.Error);

    public ValueTask HandleAsync(ApplyPushedAuthorizationResponseContext context) => LogAsync(context, context.Error);

    public ValueTask HandleAsync(ApplyDeviceAuthorizationResponseContext context) => LogAsync(context, context.Error);

    private async ValueTask LogAsync(BaseRequestContext context, string? error)
    {
        if (
            error is null or "" or Errors.AuthorizationPending or Errors.SlowDown
            || context.Transaction.GetHttpRequest()?.HttpContext is not { } http
        )
        {
            return;
        }

        var entry = new LogEntry("access.client_refused", Actor.Anonymous, "", LogOutcome.Refused)
        {
            Details = new JsonObject
            {
                ["route"] = http.Request.Path.Value,
                ["code"] = error,
                ["clientSha256"] = context.Transaction.Request?.ClientId is { } client ? Digest.Of(client).Hex : null,
                ["address"] = addresses.Of(http),
            },
        };
        await writer.LogAsync(entry, CancellationToken.None);
    }
}
