using Governance.Kernel;

namespace Governance.Compliance.Contracts;

/// <summary>A signed in-toto statement about a version.</summary>
/// <param name="Id"><c>provenance</c>, <c>privacy</c>, <c>sbom</c>, <c>scan</c>, <c>signature</c>, or <c>promotion-</c> and the id of its receipt.</param>
/// <param name="PredicateType">What kind of statement.</param>
/// <param name="Sha256">Digest of the bundle's bytes.</param>
/// <param name="MadeAt">UTC.</param>
/// <param name="EntryId">Log entry that recorded it.</param>
public sealed record AttestationView(
    string Id,
    string PredicateType,
    Digest Sha256,
    DateTimeOffset MadeAt,
    Guid EntryId
);

/// <summary>What is stated about a version and signed, each as a Sigstore bundle. Checks no permission: callers do.</summary>
public interface IAttestations
{
    /// <summary>By predicate type, promotions newest first and at most 200; empty when the version is unknown.</summary>
    Task<IReadOnlyList<AttestationView>> OfAsync(ModelVersionRef version, CancellationToken cancellationToken);

    /// <summary>The bundle, or null when there is none under that id now.</summary>
    Task<byte[]?> BundleAsync(ModelVersionRef version, string id, CancellationToken cancellationToken);
}
