using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Governance.Gateway.Hosting;

/// <summary>Health and metrics.</summary>
internal static class Operations
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes
            .MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = static _ => false })
            .RequirePermission(Permissions.Public);
        routes
            .MapHealthChecks(
                "/health/ready",
                new HealthCheckOptions { Predicate = static check => check.Tags.Contains("ready") }
            )
            .RequirePermission(Permissions.Public);
        routes.MapPrometheusScrapingEndpoint("/metrics").RequirePermission(Permissions.MetricsRead, everywhere: true);
    }
}

/// <summary>
/// Ready when the database answers and the log has a signed checkpoint to extend; degraded, which is ready too, while a witness
/// is behind. Which one, metrics and the log say.
/// </summary>
internal sealed class ReadyCheck(IDbContextFactory<GovernanceDb> databases, IAuditLog log) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context,
        CancellationToken cancellationToken = default
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (
            !await db.Database.CanConnectAsync(cancellationToken)
            || await log.CheckpointAsync(cancellationToken) is null
        )
        {
            return HealthCheckResult.Unhealthy();
        }

        var witnesses = await log.WitnessesAsync(cancellationToken);
        return witnesses.Any(witness => witness.IsBehind) ? HealthCheckResult.Degraded() : HealthCheckResult.Healthy();
    }
}
