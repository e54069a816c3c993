using Governance.Lineage.Contracts;
using Governance.Lineage.Storage;
using Governance.Lineage.Walking;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Governance.Lineage;

/// <summary>The lineage graph: which data, runs and models stand behind which versions.</summary>
public static class LineageModule
{
    /// <summary>Adds the graph's tables, the port that records edges, and <see cref="ILineage"/>.</summary>
    public static IServiceCollection AddLineage(this IServiceCollection services)
    {
        services.AddSingleton<IModelContribution, LineageTables>();
        services.TryAddSingleton<IGraphWriter, GraphWriter>();
        services.TryAddSingleton<ILineage, LineageWalker>();
        services.TryAddSingleton(TimeProvider.System);
        return services;
    }
}
