using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Evidence.Storage;

/// <summary>Evidence refers to its documents: reports of scans, bills of materials, signatures, and the statements of them.</summary>
internal sealed class DocumentReferences : IBlobReferences
{
    public async Task<IReadOnlyCollection<Digest>> UsedAsync(
        GovernanceDb db,
        IReadOnlyCollection<Digest> digests,
        CancellationToken cancellationToken
    )
    {
        var wanted = digests.Select(digest => (Digest?)digest).ToList();
        var documents = await db.Set<EvidenceRow>()
            .Where(row => wanted.Contains(row.Document))
            .Select(row => row.Document!.Value)
            .Distinct()
            .ToListAsync(cancellationToken);
        var attestations = await db.Set<EvidenceRow>()
            .Where(row => wanted.Contains(row.Attestation))
            .Select(row => row.Attestation!.Value)
            .Distinct()
            .ToListAsync(cancellationToken);
        return [.. documents.Union(attestations)];
    }
}
