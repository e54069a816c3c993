using Governance.Evidence.Contracts;
using Governance.Evidence.Produce;
using Governance.Evidence.Storage;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Privacy.Contracts;
using Governance.Registry.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Evidence;

/// <summary>Enqueues the jobs of a version; the signature follows a scan that let it through.</summary>
internal sealed class VersionIntake : IVersionIntake
{
    private static readonly EvidenceKind[] First =
    [
        EvidenceKind.Scan,
        EvidenceKind.Sbom,
        EvidenceKind.Lineage,
        EvidenceKind.Privacy,
    ];

    public Task OnSubjectChangedAsync(
        WriteSession session,
        IReadOnlyCollection<VersionView> versions,
        CancellationToken cancellationToken
    ) =>
        session.EnqueueAsync(
            [.. versions.SelectMany(version => First.Select(kind => EvidenceJob.Of(version).Request(kind)))],
            cancellationToken
        );
}

/// <summary>When a dataset's verdict changes, the privacy evidence of what was trained on it stops counting in the same transaction.</summary>
internal sealed class DatasetWatch(IRegistryReader registry) : IDatasetWatch
{
    private const int Batch = 500;

    public async Task OnChangedAsync(WriteSession session, Digest sha256, CancellationToken cancellationToken)
    {
        var refs = await registry.VersionsTrainedOnAsync(sha256, cancellationToken);
        foreach (var batch in refs.Chunk(Batch))
        {
            var versions = (await registry.FindVersionsAsync(batch, cancellationToken)).Values.ToList();
            // A subject belongs to one version alone, and one it had before never comes back: inputs are only added.
            var subjects = versions.ConvertAll(version => version.EvidenceSubject);
            await session
                .Db.Set<EvidenceRow>()
                .Where(row => subjects.Contains(row.Subject) && row.Kind == EvidenceKind.Privacy && !row.Stale)
                .ExecuteUpdateAsync(set => set.SetProperty(row => row.Stale, true), cancellationToken);
            await session.EnqueueAsync(
                versions.ConvertAll(version => EvidenceJob.Of(version).Request(EvidenceKind.Privacy)),
                cancellationToken
            );
        }
    }
}

/// <summary>Lets a run name a dataset as input only when the caller may read it.</summary>
internal sealed class InputDatasets(IDatasets datasets, IAccess access) : IInputDatasets
{
    public async Task<bool> MayUseAsync(Actor actor, Digest sha256, CancellationToken cancellationToken)
    {
        var rights = await access.RightsOfAsync(actor, cancellationToken);
        return await datasets.FindVisibleAsync(
            sha256,
            target => rights.Allows(Permissions.DatasetRead, target),
            cancellationToken
        )
            is not null;
    }
}
