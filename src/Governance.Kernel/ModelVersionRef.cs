namespace Governance.Kernel;

/// <summary>Names one version of a registered model.</summary>
/// <param name="Model">Registered model name.</param>
/// <param name="Version">Version number, from 1, never reused.</param>
public readonly record struct ModelVersionRef(string Model, int Version)
{
    /// <summary>MLflow's URI, <c>models:/name/1</c>.</summary>
    public override string ToString() => $"models:/{Model}/{Version}";
}
