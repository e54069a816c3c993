using Governance.Kernel;
using Governance.Registry.Engine;

namespace Governance.Registry.Versions;

/// <summary>Failures that several slices report in the same words.</summary>
internal static class VersionErrors
{
    public static Failure NoModel(string name) =>
        Failure.NotFound(
            "registry.model_not_found",
            $"Registered Model with name={RegistryNames.Quote(name)} not found"
        );

    public static Failure NoVersion(ModelVersionRef version) =>
        Failure.NotFound(
            "registry.version_not_found",
            $"Model Version (name={RegistryNames.Quote(version.Model)}, version={version.Version}) not found"
        );

    public static Failure Twin(string name) =>
        new(
            FailureKind.Exists,
            "registry.model_exists",
            $"The name {RegistryNames.Quote(name)} differs only in letter case from the name of a model that is or was."
        );

    public static readonly Failure Quarantined = Failure.Conflict(
        "registry.quarantined",
        "The version is quarantined: stored bytes did not match their digest."
    );
}
