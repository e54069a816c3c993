using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Storage;

/// <summary>The registry refers to what lies under a path, and to every file that a version ever froze, prompts included.</summary>
internal sealed class ArtifactReferences : IBlobReferences
{
    public async Task<IReadOnlyCollection<Digest>> UsedAsync(
        GovernanceDb db,
        IReadOnlyCollection<Digest> digests,
        CancellationToken cancellationToken
    )
    {
        var texts = digests.Select(digest => digest.Hex).ToList();
        var stored = await db.Set<ArtifactRow>()
            .Where(row => texts.Contains(row.Digest))
            .Select(row => row.Digest)
            .Distinct()
            .ToListAsync(cancellationToken);
        var frozen = await db.Set<ManifestFileRow>()
            .Where(row => texts.Contains(row.Digest))
            .Select(row => row.Digest)
            .Distinct()
            .ToListAsync(cancellationToken);
        return [.. stored.Union(frozen, StringComparer.Ordinal).Select(Digest.Parse)];
    }
}
