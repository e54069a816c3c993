using Governance.Compliance.Contracts;
using Governance.Compliance.Offline;
using Governance.Compliance.Reports;
using Governance.Compliance.Storage;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Governance.Compliance;

/// <summary>Controls and reports: what evidence says about a version under a regulation, signed and exportable.</summary>
public static class ComplianceModule
{
    /// <summary>Adds the module. The host may register <see cref="ComplianceOptions"/> before.</summary>
    public static IServiceCollection AddCompliance(this IServiceCollection services)
    {
        services.TryAddSingleton<ComplianceOptions>();
        services.TryAddSingleton(provider => new Catalogues(
            provider.GetRequiredService<Platform.PlatformOptions>(),
            provider.GetRequiredService<ComplianceOptions>()
        ));
        services.TryAddSingleton<DataFacts>();
        services.TryAddSingleton<SignatureFacts>();
        services.TryAddSingleton<DecisionFacts>();
        services.TryAddSingleton<LogReading>();
        services.TryAddSingleton<FactGatherer>();
        services.TryAddSingleton<ReportAccess>();
        services.TryAddSingleton<ReportArchive>();
        services.TryAddSingleton<ReportReader>();
        services.TryAddSingleton<IReports, ReportService>();
        services.TryAddSingleton<OfflineAccess>();
        services.TryAddSingleton<KitWriter>();
        services.TryAddSingleton<Attestations>();
        services.TryAddSingleton<IAttestations>(provider => provider.GetRequiredService<Attestations>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IModelContribution, ComplianceModel>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IBlobReferences, ReportReferences>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, CatalogueStartupCheck>());
        return services;
    }

    /// <summary>Maps <c>/api/v1/reports</c>, and what is taken along of a version.</summary>
    public static RouteGroupBuilder MapCompliance(this IEndpointRouteBuilder routes)
    {
        OfflineEndpoints.Map(routes);
        var group = routes.MapGroup("/api/v1/reports").WithTags("Reports");
        group.MapPost("", ReportEndpoints.CreateAsync).RequirePermission(Permissions.ReportCreate);
        group.MapGet("", ReportEndpoints.ListAsync).RequirePermission(Permissions.ReportRead);
        group.MapGet("/{id}", ReportEndpoints.ReadAsync).RequirePermission(Permissions.ReportRead);
        return group;
    }
}
