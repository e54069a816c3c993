using System.Collections.Immutable;
using Governance.Identity.Engine;
using Microsoft.Extensions.Options;
using OpenIddict.Server;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace Governance.Identity.Server;

/// <summary>What the discovery document says beyond the library's part: RFC 9449 §5.1, RFC 8705 §3.3, RFC 8414 §2.</summary>
internal sealed class ServerMetadata(IOptions<IdentityOptions> options)
    : IOpenIddictServerHandler<HandleConfigurationRequestContext>
{
    public ValueTask HandleAsync(HandleConfigurationRequestContext context)
    {
        var algorithms = ImmutableArray.Create<string?>(Jwk.Algorithms);
        context.TlsClientCertificateBoundAccessTokens = options.Value.MutualTlsUrl.Length > 0;
        context.Metadata["dpop_signing_alg_values_supported"] = algorithms;
        foreach (var endpoint in (string[])["token", "introspection", "revocation"])
        {
            context.Metadata[$"{endpoint}_endpoint_auth_signing_alg_values_supported"] = algorithms;
        }

        return ValueTask.CompletedTask;
    }
}
