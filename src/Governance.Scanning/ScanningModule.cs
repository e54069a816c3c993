using Governance.Scanning.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Governance.Scanning;

/// <summary>Scans model artifacts without loading them.</summary>
public static class ScanningModule
{
    /// <summary>Adds <see cref="IArtifactScanner"/>; <see cref="ScanningOptions"/> may be bound by the host.</summary>
    public static IServiceCollection AddScanning(this IServiceCollection services)
    {
        services.AddOptions<ScanningOptions>().ValidateOnStart();
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<ScanningOptions>, ScanningOptionsValidator>()
        );
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IArtifactScanner, ArtifactScanner>();
        return services;
    }

    /// <summary>A scanner for programs without a container, such as the command line.</summary>
    public static IArtifactScanner CreateScanner(ScanningOptions? options = null) =>
        new ArtifactScanner(Options.Create(options ?? new ScanningOptions()), TimeProvider.System);
}
