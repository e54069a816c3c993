using Governance.Gateway.Hosting;
using Governance.Platform;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Governance.Gateway.Database;

/// <summary>The composed model for <c>dotnet ef migrations add</c>; opens no database.</summary>
internal sealed class DesignTime : IDesignTimeDbContextFactory<GovernanceDb>
{
    public GovernanceDb CreateDbContext(string[] args)
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
        GatewayHost.AddModules(services);
        return services.BuildServiceProvider().GetRequiredService<IDbContextFactory<GovernanceDb>>().CreateDbContext();
    }
}
