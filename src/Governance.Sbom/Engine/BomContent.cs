using Governance.Kernel;

namespace Governance.Sbom.Engine;

/// <summary>Everything that goes into a document besides the subject, in order.</summary>
internal sealed record BomContent
{
    public required Manifest Manifest { get; init; }

    public required MlModel Model { get; init; }

    public required IReadOnlyList<Library> Libraries { get; init; }

    public required IReadOnlyList<PythonMention> PythonMentions { get; init; }

    public required string? Python { get; init; }
}
