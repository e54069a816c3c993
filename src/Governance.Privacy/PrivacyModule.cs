using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Web;
using Governance.Privacy.AnonymiseDataset;
using Governance.Privacy.Contracts;
using Governance.Privacy.DeclareDataset;
using Governance.Privacy.DeriveDataset;
using Governance.Privacy.ScanDataset;
using Governance.Privacy.Storage;
using Governance.Privacy.UploadDataset;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Governance.Privacy;

/// <summary>Wires the privacy module.</summary>
public static class PrivacyModule
{
    /// <summary>
    /// Adds datasets, scans and verdicts. Needs the platform, <c>IAccess</c>, a log and a graph. The host may add a
    /// <see cref="PrivacyOptions"/> and an <see cref="IPrivacyPolicySource"/> first; without the latter the file <c>privacy.yaml</c> is read.
    /// </summary>
    public static IServiceCollection AddPrivacy(this IServiceCollection services)
    {
        services.TryAddSingleton<PrivacyOptions>();
        services.TryAddSingleton<IPrivacyPolicySource, FilePolicySource>();
        services.TryAddSingleton<ActivePolicy>();
        services.TryAddSingleton<DatasetVault>();
        services.TryAddSingleton<DatasetAccess>();
        services.TryAddSingleton<Descendants>();
        services.TryAddSingleton<ScanJob>();
        services.TryAddSingleton<UploadHandler>();
        services.TryAddSingleton<DeclareHandler>();
        services.TryAddSingleton<AnonymiseTools>();
        services.TryAddSingleton<AnonymiseHandler>();
        services.TryAddSingleton<DeriveHandler>();
        services.TryAddSingleton<Datasets>();
        services.TryAddSingleton<IDatasets>(provider => provider.GetRequiredService<Datasets>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IModelContribution, PrivacyModel>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IJobHandler, ScanJob>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, PrivacyStart>());
        return services;
    }

    /// <summary>Maps the routes under <c>/api/v1/datasets</c>.</summary>
    public static IEndpointRouteBuilder MapPrivacy(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/api/v1/datasets").WithTags("Datasets");
        group.MapPost("", PrivacyEndpoints.UploadAsync).RequirePermission(Permissions.DatasetWrite);
        group.MapGet("{sha256}", PrivacyEndpoints.GetAsync).RequirePermission(Permissions.DatasetRead);
        group.MapGet("{sha256}/content", PrivacyEndpoints.ContentAsync).RequirePermission(Permissions.DatasetReadRaw);
        group
            .MapPost("{sha256}/declarations", PrivacyEndpoints.DeclareAsync)
            .RequirePermission(Permissions.DatasetDeclare);
        group
            .MapPost("{sha256}/anonymise", PrivacyEndpoints.AnonymiseAsync)
            .RequirePermission(Permissions.DatasetWrite);
        return routes;
    }
}

/// <summary>At start: reads the policy, removes what cut-off uploads left, and has stale datasets scanned again.</summary>
internal sealed class PrivacyStart(
    ActivePolicy policies,
    DatasetVault vault,
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer
) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var policy = await policies.NowAsync(cancellationToken);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var files = await db.Set<DatasetRow>()
            .AsNoTracking()
            .Where(row => row.WrappedKey != null)
            .Select(row => new
            {
                row.Id,
                row.FileId,
                row.RulesVersion,
                row.ScanState,
            })
            .ToListAsync(cancellationToken);
        vault.Sweep(files.Select(row => row.FileId).ToHashSet());
        var stale = files
            .Where(row => row.ScanState == ScanStates.Scanned && row.RulesVersion != policy.Version)
            .Select(row => row.Id)
            .ToList();
        if (stale.Count > 0)
        {
            await writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    foreach (var id in stale)
                    {
                        await session.EnqueueAsync(ScanJob.For(id), token);
                    }

                    return default(Unit);
                },
                cancellationToken
            );
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
