using Governance.Kernel;
using Governance.Platform.Web;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;
using Governance.Signing.Keys;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Governance.Signing;

/// <summary>Signing and verifying models and statements, and the trust root they are verified by.</summary>
public static class SigningModule
{
    /// <summary>Adds signer and verifier; needs the audit module for the two logs. The host provides <see cref="SigningOptions"/>.</summary>
    public static IServiceCollection AddSigning(this IServiceCollection services)
    {
        services.TryAddSingleton<SigningOptions>();
        services.TryAddSingleton<Authorities>();
        services.TryAddSingleton<GatewaySigner>();
        services.TryAddSingleton<ISigner>(provider => provider.GetRequiredService<GatewaySigner>());
        services.TryAddSingleton<IVerifier, OfflineVerifier>();
        return services;
    }

    /// <summary>Maps <c>/.well-known/governance/…</c>, public.</summary>
    public static IEndpointRouteBuilder MapSigning(this IEndpointRouteBuilder routes)
    {
        var trust = routes.MapGroup("").WithTags("Trust");
        trust
            .MapGet(
                "/.well-known/governance/trusted_root.json",
                (GatewaySigner signer) => Results.Bytes(signer.TrustedRoot, "application/json")
            )
            .RequirePermission(Permissions.Public);
        trust
            .MapGet(
                "/.well-known/governance/client_trust_config.json",
                (GatewaySigner signer) => Results.Bytes(signer.ClientTrustConfig, "application/json")
            )
            .RequirePermission(Permissions.Public);
        trust
            .MapGet(
                TrustedRootDocument.KeysPath,
                (GatewaySigner signer) => Results.Text(signer.PublicKeyPem, "application/x-pem-file")
            )
            .RequirePermission(Permissions.Public);
        return routes;
    }
}
