using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Contracts;

namespace Governance.Evidence.Contracts;

/// <summary>Kinds of evidence a version has.</summary>
public enum EvidenceKind
{
    /// <summary>Artifact scan; subject is the manifest digest.</summary>
    Scan,

    /// <summary>CycloneDX bill of materials.</summary>
    Sbom,

    /// <summary>OpenSSF Model Signing bundle.</summary>
    Signature,

    /// <summary>Lineage recorded: run, inputs, logged model.</summary>
    Lineage,

    /// <summary>Privacy verdict over the input datasets; subject is the evidence subject.</summary>
    Privacy,
}

/// <summary>How evidence came out.</summary>
public enum EvidenceOutcome
{
    /// <summary>Not there yet, or of an older subject or rules version.</summary>
    Missing,

    /// <summary>Produced, and it supports the version.</summary>
    Passed,

    /// <summary>Produced, but something is not known.</summary>
    Incomplete,

    /// <summary>Produced, and it speaks against the version.</summary>
    Failed,

    /// <summary>Could not be produced.</summary>
    Error,
}

/// <summary>One piece of evidence.</summary>
public sealed record EvidenceItem
{
    /// <summary>Kind.</summary>
    public required EvidenceKind Kind { get; init; }

    /// <summary>Outcome for the current subject.</summary>
    public required EvidenceOutcome Outcome { get; init; }

    /// <summary>What exactly was examined: manifest digest or evidence subject.</summary>
    public required Digest Subject { get; init; }

    /// <summary>Version of the rules that examined it.</summary>
    public required string RulesVersion { get; init; }

    /// <summary>Class word, e.g. the scan class <c>clean</c> or the privacy outcome <c>pass</c>.</summary>
    public required string Class { get; init; }

    /// <summary>One line for people.</summary>
    public required string Summary { get; init; }

    /// <summary>Reasons, one sentence each; no personal data.</summary>
    public required IReadOnlyList<string> Reasons { get; init; }

    /// <summary>Digest of the stored document (report, SBOM, bundle), or null.</summary>
    public required Digest? Document { get; init; }

    /// <summary>Digest of the signed in-toto statement of it (Sigstore bundle), or null when there is none.</summary>
    public Digest? Attestation { get; init; }

    /// <summary>UTC.</summary>
    public required DateTimeOffset ProducedAt { get; init; }

    /// <summary>Log entry that recorded it.</summary>
    public required Guid EntryId { get; init; }
}

/// <summary>All evidence of one version.</summary>
/// <param name="Version">Version.</param>
/// <param name="Subject">Current evidence subject.</param>
/// <param name="Manifest">Manifest digest.</param>
/// <param name="Items">One per kind, missing ones included.</param>
/// <param name="Digest">SHA-256 of the canonical JSON of all items: what approvals and decisions bind.</param>
public sealed record VersionEvidence(
    ModelVersionRef Version,
    Digest Subject,
    Digest Manifest,
    IReadOnlyList<EvidenceItem> Items,
    Digest Digest
)
{
    /// <summary>The item of a kind.</summary>
    public EvidenceItem this[EvidenceKind kind] => Items.First(item => item.Kind == kind);
}

/// <summary>Reading evidence. Checks no permission: callers do.</summary>
public interface IEvidence
{
    /// <summary>Evidence of a version, or null when the version is unknown.</summary>
    Task<VersionEvidence?> OfAsync(ModelVersionRef version, CancellationToken cancellationToken);

    /// <summary>Evidence of many versions in one round.</summary>
    Task<IReadOnlyDictionary<ModelVersionRef, VersionEvidence>> OfManyAsync(
        IReadOnlyCollection<ModelVersionRef> versions,
        CancellationToken cancellationToken
    );

    /// <summary>
    /// The evidence digest as the transaction sees it, for the compare-and-swap of a move: it differs as soon as anything changed.
    /// </summary>
    Task<Digest> DigestAsync(WriteSession session, VersionView version, CancellationToken cancellationToken);

    /// <summary>The stored document of a kind (scan report JSON, CycloneDX, bundle, privacy report), or null.</summary>
    Task<byte[]?> DocumentAsync(ModelVersionRef version, EvidenceKind kind, CancellationToken cancellationToken);

    /// <summary>The signed in-toto statement of a kind (Sigstore bundle v0.3), or null.</summary>
    Task<byte[]?> AttestationAsync(ModelVersionRef version, EvidenceKind kind, CancellationToken cancellationToken);
}
