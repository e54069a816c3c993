using Governance.Gateway.Database.PostgreSql;
using Governance.Gateway.Hosting;
using Governance.Platform;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Governance.Gateway.Database;

/// <summary>The composed model on SQLite for <c>dotnet ef migrations add --context GovernanceDb</c>; opens no database.</summary>
internal sealed class DesignTime : IDesignTimeDbContextFactory<GovernanceDb>
{
    public GovernanceDb CreateDbContext(string[] args) => Open(new DatabaseOptions());

    internal static GovernanceDb Open(DatabaseOptions database)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(
            new PlatformOptions
            {
                DataDirectory = Path.GetTempPath(),
                KeyFile = Path.Combine(Path.GetTempPath(), "design-time.kek"),
                MigrationsAssembly = typeof(DesignTime).Assembly.GetName().Name!,
            }
        );
        services.AddSingleton(database);
        GatewayHost.AddModules(services);
        return Schema.Open(services.BuildServiceProvider());
    }
}

/// <summary>The same on PostgreSQL: <c>dotnet ef migrations add --context PostgresGovernanceDb</c>.</summary>
internal sealed class PostgresDesignTime : IDesignTimeDbContextFactory<PostgresGovernanceDb>
{
    public PostgresGovernanceDb CreateDbContext(string[] args) =>
        (PostgresGovernanceDb)
            DesignTime.Open(
                new DatabaseOptions { Provider = DatabaseOptions.PostgreSql, ConnectionString = "Host=/nowhere" }
            );
}
