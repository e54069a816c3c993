using Governance.Kernel;
using Governance.Platform.Blobs;

namespace Governance.Sbom.Contracts;

/// <summary>What a bill of materials describes. Everything here is recorded fact; nothing is guessed.</summary>
public sealed record BomSubject
{
    /// <summary>Registered model name.</summary>
    public required string Model { get; init; }

    /// <summary>Version number, or folder version text for the CLI.</summary>
    public required string Version { get; init; }

    /// <summary>Free text description, or empty.</summary>
    public string Description { get; init; } = "";

    /// <summary>Base address of the registry, for the purl qualifier <c>repository_url</c>; empty for a bare folder.</summary>
    public string RepositoryUrl { get; init; } = "";

    /// <summary>Run id, or null.</summary>
    public string? RunId { get; init; }

    /// <summary>When the version was registered, UTC; also the metadata timestamp, so that the document is deterministic.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Evidence subject or manifest digest, from which the serial number is derived.</summary>
    public required Digest Subject { get; init; }

    /// <summary>Run parameters.</summary>
    public IReadOnlyDictionary<string, string> Params { get; init; } = new Dictionary<string, string>();

    /// <summary>Run metrics.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Tags of the version, such as licence or task.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();

    /// <summary>Input datasets.</summary>
    public IReadOnlyList<BomDataset> Datasets { get; init; } = [];
}

/// <summary>A dataset the model was trained or tested on.</summary>
/// <param name="Name">Name.</param>
/// <param name="Sha256">Content digest, or null when only MLflow's short digest is known.</param>
/// <param name="MlflowDigest">MLflow's short digest, or null.</param>
/// <param name="Context">training, eval, …; or empty.</param>
/// <param name="Sensitive">Kinds of personal data found, e.g. <c>EMAIL</c>; empty when none or unknown.</param>
/// <param name="Classification">e.g. <c>personal data</c>, <c>no personal data found</c>, <c>not assessed</c>.</param>
public sealed record BomDataset(
    string Name,
    Digest? Sha256,
    string? MlflowDigest,
    string Context,
    IReadOnlyList<string> Sensitive,
    string Classification
);

/// <summary>A finished bill of materials.</summary>
/// <param name="Json">CycloneDX 1.7 JSON, UTF-8, deterministic.</param>
/// <param name="Components">Number of components.</param>
/// <param name="Findings">Disagreements and risks met while parsing, e.g. conflicting versions, extra indexes.</param>
public sealed record Bom(byte[] Json, int Components, IReadOnlyList<string> Findings);

/// <summary>Generates CycloneDX 1.7 documents.</summary>
public interface IBomGenerator
{
    /// <summary>Version of the mapping.</summary>
    string RulesVersion { get; }

    /// <summary>Reads the dependency files of the source and writes the document. Unparsable inputs: <c>sbom.*</c>.</summary>
    Task<Result<Bom>> GenerateAsync(BomSubject subject, IArtifactSource source, CancellationToken cancellationToken);
}
