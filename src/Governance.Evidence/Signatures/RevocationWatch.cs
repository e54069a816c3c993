using Governance.Evidence.Contracts;
using Governance.Evidence.Produce;
using Governance.Evidence.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Evidence.Signatures;

/// <summary>When a key is revoked, the signature evidence that it vouched for stops counting in the same transaction and is judged again.</summary>
internal sealed class RevocationWatch(IRegistryReader registry) : IRevocationWatch
{
    public async Task OnRevokedAsync(
        WriteSession session,
        IReadOnlyCollection<Digest> bundles,
        CancellationToken cancellationToken
    )
    {
        var documents = bundles.Select(bundle => (Digest?)bundle).ToList();
        var rows = session
            .Db.Set<EvidenceRow>()
            .Where(row => row.Kind == EvidenceKind.Signature && documents.Contains(row.Document));
        var versions = await rows.Select(row => new { row.ModelId, row.Version })
            .Distinct()
            .ToListAsync(cancellationToken);
        await rows.Where(row => !row.Stale)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Stale, true), cancellationToken);
        var jobs = new List<JobRequest>();
        foreach (var version in versions)
        {
            if (await registry.FindVersionByIdAsync(version.ModelId, version.Version, cancellationToken) is { } view)
            {
                jobs.Add(EvidenceJob.Of(view).Request(EvidenceKind.Signature));
            }
        }

        await session.EnqueueAsync(jobs, cancellationToken);
    }
}
