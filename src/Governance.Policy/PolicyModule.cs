using Governance.Platform.Database;
using Governance.Policy.Change;
using Governance.Policy.Contracts;
using Governance.Policy.Engine;
using Governance.Policy.Storage;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Governance.Policy;

/// <summary>Wires policies, their changes and the decision engine.</summary>
public static class PolicyModule
{
    /// <summary>Adds the module's services; the host runs <see cref="PolicySeed"/> before serving.</summary>
    public static IServiceCollection AddPolicy(this IServiceCollection services)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IModelContribution, PolicyModel>());
        services.TryAddSingleton<IPolicies, ActivePolicies>();
        services.TryAddSingleton<IDecisionCodec, DecisionCodec>();
        services.TryAddSingleton<PolicySeed>();
        services.TryAddSingleton<Proposals>();
        return services;
    }

    /// <summary>Maps <c>/api/v1/policies</c>.</summary>
    public static void MapPolicy(this IEndpointRouteBuilder routes) => PolicyEndpoints.Map(routes);

    /// <summary>Parses a promotion policy text; for the CLI and tests. Throws <see cref="PolicySyntaxException"/> with line and column.</summary>
    public static IPromotionPolicy ParsePromotion(string text)
    {
        PolicyYaml.RefuseHidden(text);
        return new PromotionPolicy(PromotionRulesReader.Read(text), Kernel.Digest.Of(text), Kernel.Actor.System.Id);
    }

    /// <summary>Parses a signer policy text; for the CLI and tests. Throws <see cref="PolicySyntaxException"/> with line and column.</summary>
    public static SignersPolicy ParseSigners(string text) => SignersReader.Read(text);
}
