using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Compliance.Storage;

/// <summary>A report refers to its four forms.</summary>
internal sealed class ReportReferences : IBlobReferences
{
    public async Task<IReadOnlyCollection<Digest>> UsedAsync(
        GovernanceDb db,
        IReadOnlyCollection<Digest> digests,
        CancellationToken cancellationToken
    )
    {
        var rows = await db.Set<ReportRow>()
            .Where(row =>
                digests.Contains(row.Json)
                || digests.Contains(row.Csv)
                || digests.Contains(row.Pdf)
                || digests.Contains(row.Bundle)
            )
            .Select(row => new
            {
                row.Json,
                row.Csv,
                row.Pdf,
                row.Bundle,
            })
            .ToListAsync(cancellationToken);
        return [.. rows.SelectMany(row => new[] { row.Json, row.Csv, row.Pdf, row.Bundle }).Distinct()];
    }
}
