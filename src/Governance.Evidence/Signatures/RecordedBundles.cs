using Governance.Evidence.Contracts;
using Governance.Evidence.Storage;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Registry.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Evidence.Signatures;

/// <summary>Signatures that versions already have, whether they count at present or not.</summary>
internal sealed class RecordedBundles(IDbContextFactory<GovernanceDb> databases, IBlobStore blobs)
{
    /// <summary>The newest signature of a version over the files that it has, or null.</summary>
    public async Task<byte[]?> FindAsync(VersionView version, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var document = await db.Set<EvidenceRow>()
            .AsNoTracking()
            .Where(row =>
                row.ModelId == version.ModelId
                && row.Version == version.Ref.Version
                && row.Kind == EvidenceKind.Signature
                && row.Subject == version.ManifestDigest
                && row.Document != null
            )
            .OrderByDescending(row => row.Id)
            .Select(row => row.Document)
            .FirstOrDefaultAsync(cancellationToken);
        return document is { } digest ? await EvidenceDocuments.ReadAsync(blobs, digest, cancellationToken) : null;
    }
}
