using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Sbom.Contracts;
using Governance.Sbom.GenerateBom;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Governance.Sbom;

/// <summary>Bills of materials: reads dependency files and writes CycloneDX 1.7.</summary>
public static class SbomModule
{
    /// <summary>Version of the parsers and of the mapping; changes when the same input gives other bytes.</summary>
    public const string RulesVersion = "cyclonedx-1.7/1";

    /// <summary>Registers <see cref="IBomGenerator"/>.</summary>
    public static IServiceCollection AddSbom(this IServiceCollection services)
    {
        services.TryAddSingleton<IBomGenerator, BomGenerator>();
        return services;
    }

    /// <summary>
    /// Describes the files of a source without any services, for a bare folder. Codes: <c>sbom.bad_yaml</c>,
    /// <c>sbom.not_utf8</c>, <c>sbom.file_too_large</c>, <c>sbom.include_refused</c>, <c>sbom.include_cycle</c>,
    /// <c>sbom.include_depth</c>, <c>sbom.too_many_includes</c>, <c>sbom.too_many_requirements</c>.
    /// </summary>
    public static Task<Result<Bom>> GenerateAsync(
        BomSubject subject,
        IArtifactSource source,
        CancellationToken cancellationToken
    ) => new BomGenerator().GenerateAsync(subject, source, cancellationToken);
}
