using Governance.Gateway.Database.PostgreSql;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Governance.Gateway.Database;

/// <summary>Brings the database to the schema of this version, with the migrations of its kind.</summary>
internal static class Schema
{
    /// <summary>Applies what is missing. Gateways that start at once on one database wait for each other.</summary>
    public static async Task MigrateAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        await using var db = Open(services);
        await db.Database.MigrateAsync(cancellationToken);
        await services.GetRequiredService<MonthPartitions>().MakeAheadAsync(cancellationToken);
    }

    /// <summary>A context that knows the migrations of the configured database.</summary>
    public static GovernanceDb Open(IServiceProvider services)
    {
        var db = services.GetRequiredService<IDbContextFactory<GovernanceDb>>().CreateDbContext();
        if (!db.IsShared())
        {
            return db;
        }

        using (db)
        {
            return new PostgresGovernanceDb((DbContextOptions<GovernanceDb>)db.GetService<IDbContextOptions>());
        }
    }
}
