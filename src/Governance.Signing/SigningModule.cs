using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Web;
using Governance.Signing.Change;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;
using Governance.Signing.Keys;
using Governance.Signing.Storage;
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
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IModelContribution, SigningModel>());
        services.TryAddSingleton<KeyCatalogue>();
        services.TryAddSingleton<KeyChanges>();
        services.TryAddSingleton<ISignatureJournal, SignatureJournal>();
        return services;
    }

    /// <summary>
    /// Throws <see cref="KeyUnavailableException"/>, which says what is missing, unless every key that is to sign now
    /// does and those to come can be made where the settings say.
    /// </summary>
    public static void CheckKeys(IServiceProvider services)
    {
        services.GetRequiredService<PrivateKeys>().Check();
        services.GetRequiredService<KeyCatalogue>().Check();
    }

    /// <summary>Maps <c>/.well-known/governance/…</c>, public, and <c>/api/v1/keys</c>.</summary>
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
        KeyEndpoints.Map(routes);
        return routes;
    }
}
