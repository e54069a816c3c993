using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Governance.Platform.Database;

/// <summary>What contexts have in common on every database.</summary>
internal static class Composition
{
    public static DbContextOptionsBuilder<GovernanceDb> Composed(
        this DbContextOptionsBuilder<GovernanceDb> builder,
        IServiceProvider services
    ) =>
        builder
            .UseApplicationServiceProvider(services)
            .ReplaceService<IModelCacheKeyFactory, ComposedModelCacheKey>()
            .UseQueryTrackingBehavior(QueryTrackingBehavior.TrackAll);

    // Two hosts in one process (tests) may compose different modules: the model cache must tell them apart.
    private sealed class ComposedModelCacheKey : IModelCacheKeyFactory
    {
        public object Create(DbContext context, bool designTime) =>
            (
                context.GetType(),
                designTime,
                string.Join(';', GovernanceDb.ContributionsOf(context).Select(part => part.GetType().FullName))
            );
    }
}
