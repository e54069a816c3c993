using Governance.Audit.Contracts;
using Governance.Audit.Keys;
using Governance.Audit.ReadLog;
using Governance.Audit.Sequencing;
using Governance.Audit.Signatures;
using Governance.Audit.Storage;
using Governance.Audit.Witnessing;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Governance.Audit;

/// <summary>The tamper-evident log: appending, sequencing, checkpoints, proofs and tiles.</summary>
public static class AuditModule
{
    /// <summary>Adds the log. The host provides <see cref="AuditOptions"/> and <see cref="ILogReaders"/>; the schema must exist before hosted services start.</summary>
    public static IServiceCollection AddAudit(this IServiceCollection services)
    {
        services.TryAddSingleton<AuditOptions>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IModelContribution, AuditModel>());
        services.TryAddSingleton<LogState>();
        services.TryAddSingleton<ILogAppender, LogAppender>();
        services.TryAddSingleton<EntrySalts>();
        services.TryAddSingleton<LogKey>();
        services.TryAddSingleton<ILogKey>(provider => provider.GetRequiredService<LogKey>());
        services.TryAddSingleton<IAuditLog, AuditLog>();
        services.TryAddSingleton<ILogVerifier, LogVerifier>();
        services.TryAddSingleton<SignatureLogSigner>();
        services.TryAddSingleton<ISignatureLog, SignatureLog>();
        services.TryAddSingleton<CheckSignatureLog>();
        services.TryAddSingleton<ILogReaders, NoLogReaders>();
        services.TryAddSingleton<CheckLog>();
        services.TryAddSingleton<SequenceEntries>();
        services.TryAddSingleton<ReadEntries>();
        services.TryAddSingleton<CheckBothLogs>();
        services.TryAddSingleton<CheckpointFiles>();
        services.TryAddSingleton<AskWitness>();
        services.AddHostedService<Sequencer>();
        services.AddHostedService<CheckAgain>();
        services.AddHostedService<WitnessRounds>();
        services.AddHostedService<ExportCheckpoints>();
        return services;
    }

    /// <summary>Maps <c>/log/…</c> (public) and <c>/api/v1/audit/…</c>.</summary>
    public static IEndpointRouteBuilder MapAudit(this IEndpointRouteBuilder routes)
    {
        var log = routes.MapGroup("/log").WithTags("Audit log");
        log.MapGet("/checkpoint", LogEndpoints.CheckpointAsync).RequirePermission(Permissions.Public);
        log.MapGet("/checkpoint/cosigned", LogEndpoints.CosignedAsync).RequirePermission(Permissions.Public);
        log.MapGet("/tile/{level}/{**rest}", LogEndpoints.TileAsync).RequirePermission(Permissions.Public);

        var api = routes.MapGroup("/api/v1/audit").WithTags("Audit log");
        api.MapGet("/entries", LogEndpoints.EntriesAsync).RequirePermission(Permissions.AuditRead);
        api.MapGet("/entries/{id:guid}/proof", LogEndpoints.ProofAsync).RequirePermission(Permissions.AuditRead);
        api.MapGet("/proofs/consistency", LogEndpoints.ConsistencyAsync).RequirePermission(Permissions.Public);
        return routes;
    }
}
