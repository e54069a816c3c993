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
        await using var db = await OpenAsync(services, cancellationToken);
        await db.Database.MigrateAsync(cancellationToken);
        await services.GetRequiredService<MonthPartitions>().MakeAheadAsync(cancellationToken);
    }

    /// <summary>A context that knows the migrations of the configured database.</summary>
    public static async Task<GovernanceDb> OpenAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var db = await services
            .GetRequiredService<IDbContextFactory<GovernanceDb>>()
            .CreateDbContextAsync(cancellationToken);
        if (!db.IsShared())
        {
            return db;
        }

        await using (db)
        {
            return new PostgresGovernanceDb((DbContextOptions<GovernanceDb>)db.GetService<IDbContextOptions>());
        }
    }
}
