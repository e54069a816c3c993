using Governance.Registry.Contracts;

namespace Governance.Evidence.Produce;

/// <summary>The run behind a version.</summary>
internal static class RunOf
{
    /// <summary>The run, or null when the version names none.</summary>
    public static async Task<RunView?> RunOfAsync(
        this IRegistryReader registry,
        VersionView version,
        CancellationToken cancellationToken
    ) =>
        version.RunId is { } runId
            ? (await registry.FindRunsAsync([runId], cancellationToken)).GetValueOrDefault(runId)
            : null;
}
