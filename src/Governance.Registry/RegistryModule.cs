using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Web;
using Governance.Registry.Artifacts;
using Governance.Registry.Contracts;
using Governance.Registry.Experiments;
using Governance.Registry.Imports;
using Governance.Registry.LoggedModels;
using Governance.Registry.Models;
using Governance.Registry.Moves;
using Governance.Registry.Remote;
using Governance.Registry.Runs;
using Governance.Registry.Storage;
using Governance.Registry.Traces;
using Governance.Registry.Upstream;
using Governance.Registry.Versions;
using Governance.Registry.Webhooks;
using Governance.Registry.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Governance.Registry;

/// <summary>The model registry: a tracking and registry server to stock MLflow clients.</summary>
public static class RegistryModule
{
    /// <summary>The MLflow version whose contract is served.</summary>
    public const string MlflowVersion = "3.5.2";

    private static readonly string[] Prefixes = ["/api/2.0", "/ajax-api/2.0"];
    private static readonly string[] NewerPrefixes = ["/api/3.0", "/ajax-api/3.0"];

    // Newer clients ask before they send what only some stores keep.
    private static readonly MlflowRoute ServerInfo = new(
        "GET",
        "server-info",
        Permissions.Self,
        _ =>
            Task.FromResult<Result<JsonObject>>(
                new JsonObject { ["store_type"] = "SqlStore", ["workspaces_enabled"] = false }
            )
    );

    /// <summary>
    /// Adds the registry. The host also provides platform, identity, and the ports <see cref="IMoveGate"/>,
    /// <see cref="IDecisionLedger"/>, <see cref="IVersionIntake"/> and <see cref="IInputDatasets"/>.
    /// </summary>
    public static IServiceCollection AddRegistry(this IServiceCollection services)
    {
        services.AddOptions<RegistryOptions>().ValidateOnStart();
        services.AddSingleton<IValidateOptions<RegistryOptions>, RegistryOptionsValidator>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<IModelContribution, RegistryModel>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IBlobReferences, ArtifactReferences>());
        services.TryAddSingleton<IRegistryReader, RegistryReader>();
        services.TryAddSingleton<IVersionStatus, VersionStatusWriter>();
        services.TryAddSingleton<IMover, Mover>();
        services.AddSingleton<IValidateOptions<RegistryOptions>, WebhookOptionsValidator>();
        services.TryAddSingleton<WebhookSender>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IJobHandler, DeliverWebhook>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IJobHandler, ImportJob>());
        services.AddSingleton<IValidateOptions<RegistryOptions>, ImportOptionsValidator>();
        services.AddHttpForwarder();
        services.TryAddSingleton<UpstreamClient>();
        services.TryAddSingleton<LaneLocks>();
        services.TryAddSingleton<ModelLane>();
        services.TryAddSingleton<LaneWork>();
        services.TryAddSingleton<UpstreamObjects>();
        services.TryAddSingleton<UpstreamFiles>();
        services.TryAddSingleton<Mirror>();
        services.TryAddSingleton<TrackingAdoption>();
        services.TryAddSingleton<ModelAdoption>();
        services.TryAddSingleton<DriftDetector>();
        services.TryAddSingleton<FileCheck>();
        services.TryAddSingleton<Latecomers>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, FoldNames>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, MirrorPump>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, UpstreamSweeps>());
        services.TryAddSingleton<RegistryPorts>();
        return services;
    }

    /// <summary>Maps MLflow's routes under <c>/api</c> and <c>/ajax-api</c>, and those that it keeps at the root.</summary>
    public static IEndpointRouteBuilder MapRegistry(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        var table = ExperimentRoutes
            .All.Concat(RunRoutes.All)
            .Concat(LoggedModelRoutes.All)
            .Concat(ModelRoutes.All)
            .Concat(VersionRoutes.All)
            .Concat(ArtifactRoutes.Lists)
            .Concat(ArtifactRoutes.Presigned)
            .Concat(TraceRoutes.Old)
            .Concat(WebhookRoutes.All)
            .ToList();
        foreach (var prefix in Prefixes)
        {
            Dispatcher.Map(routes, $"{prefix}/mlflow", table);
            ArtifactRoutes.Map(routes, $"{prefix}/mlflow-artifacts");
            ArtifactDownloads.Map(routes, $"{prefix}/mlflow");
            Dispatcher.Map(routes, $"{prefix}mlflow", [SearchDatasets.Route]);
        }

        foreach (var prefix in NewerPrefixes)
        {
            Dispatcher.Map(routes, $"{prefix}/mlflow", [ServerInfo, .. TraceRoutes.New]);
        }

        ArtifactDownloads.MapRoot(routes);
        OtlpRoute.Map(routes);
        ImportEndpoints.Map(routes);
        DriftRoutes.Map(routes);

        routes
            .MapGet("/version", () => Results.Text(MlflowVersion, "text/plain", Encoding.UTF8))
            .RequirePermission(Permissions.Public);
        routes
            .MapGet("/health", () => Results.Text("OK", "text/plain", Encoding.UTF8))
            .RequirePermission(Permissions.Public);
        return routes;
    }
}
