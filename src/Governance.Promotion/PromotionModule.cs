using Governance.Platform.Database;
using Governance.Promotion.Contracts;
using Governance.Promotion.Gate;
using Governance.Promotion.Receipts;
using Governance.Promotion.Requests;
using Governance.Promotion.Storage;
using Governance.Registry.Contracts;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Governance.Promotion;

/// <summary>Wires the choke point, requests, approvals and receipts.</summary>
public static class PromotionModule
{
    /// <summary>Adds the module's services and its implementations of the registry's ports.</summary>
    public static IServiceCollection AddPromotion(this IServiceCollection services)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IModelContribution, PromotionModel>());
        services.TryAddSingleton<MoveContexts>();
        services.TryAddSingleton<FactsBuilder>();
        services.TryAddSingleton<OpenRequests>();
        services.TryAddSingleton<BindingCheck>();
        services.TryAddSingleton<ReceiptWriter>();
        services.TryAddSingleton<IMoveGate, MoveGate>();
        services.TryAddSingleton<IDecisionLedger, DecisionLedger>();
        services.TryAddSingleton<IPromotions, Promotions>();
        return services;
    }

    /// <summary>Maps the receipts.</summary>
    public static void MapPromotion(this IEndpointRouteBuilder routes) => ReceiptEndpoints.Map(routes);
}
