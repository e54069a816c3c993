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

    public async Task OnSubjectChangedAsync(
        WriteSession session,
        VersionView version,
        CancellationToken cancellationToken
    )
    {
        foreach (var kind in First)
        {
            await session.EnqueueAsync(EvidenceJob.Of(version).Request(kind), cancellationToken);
        }
    }
}

/// <summary>When a dataset's verdict changes, the privacy evidence of what was trained on it stops counting in the same transaction.</summary>
internal sealed class DatasetWatch(IRegistryReader registry) : IDatasetWatch
{
    public async Task OnChangedAsync(WriteSession session, Digest sha256, CancellationToken cancellationToken)
    {
        var refs = await registry.VersionsTrainedOnAsync(sha256, cancellationToken);
        foreach (var version in (await registry.FindVersionsAsync(refs, cancellationToken)).Values)
        {
            await session
                .Db.Set<EvidenceRow>()
                .Where(row =>
                    row.ModelId == version.ModelId
                    && row.Version == version.Ref.Version
                    && row.Kind == EvidenceKind.Privacy
                    && !row.Stale
                )
                .ExecuteUpdateAsync(set => set.SetProperty(row => row.Stale, true), cancellationToken);
            await session.EnqueueAsync(EvidenceJob.Of(version).Request(EvidenceKind.Privacy), cancellationToken);
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
