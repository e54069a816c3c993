using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Platform.Web;
using Governance.Privacy.Contracts;
using Governance.Privacy.Storage;
using Governance.Privacy.UploadDataset;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;

namespace Governance.Privacy;

/// <summary>Finds the copy of a dataset that an actor means: one that they may know of, their own first.</summary>
internal sealed class DatasetAccess(IAccess access, IDbContextFactory<GovernanceDb> databases, IWriter writer)
{
    /// <summary>A copy on which the actor holds the permission. Unknown and invisible are the same; a refusal is logged.</summary>
    public async Task<Result<DatasetRow>> FindAsync(
        Actor actor,
        Digest sha256,
        Permission permission,
        string action,
        CancellationToken cancellationToken
    )
    {
        var rights = await access.RightsOfAsync(actor, cancellationToken);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var visible = (await db.CopiesAsync([sha256.Hex], cancellationToken))
            .Where(row => rights.Allows(permission, Target(row)) || rights.Allows(Permissions.DatasetRead, Target(row)))
            .OrderBy(row => !rights.Allows(permission, Target(row)))
            .ThenBy(row => row.OwnerId != actor.Id)
            .ToList();
        if (visible.Count == 0)
        {
            await Refusals.DenyAsync(writer, actor, action, Urn.Dataset(sha256), cancellationToken);
            return Refusals.NotFound;
        }

        return rights.Allows(permission, Target(visible[0]))
            ? visible[0]
            : await Refusals.DenyAsync(writer, actor, action, Urn.Dataset(sha256), cancellationToken);
    }

    /// <summary>
    /// Whether the caller may read findings of the dataset: kinds, counts, measures and reasons. If so, that is in the log
    /// before the first byte.
    /// </summary>
    public async Task<bool> BeginFindingReadAsync(HttpContext context, DatasetView view)
    {
        var actor = context.GetActor();
        var rights = await access.RightsOfAsync(actor, context.RequestAborted);
        if (!rights.Allows(Permissions.FindingRead, view.Target))
        {
            return false;
        }

        await context.BeginSensitiveReadAsync(
            writer,
            new LogEntry("privacy.finding_read", actor, Urn.Dataset(view.Sha256), LogOutcome.Begun)
        );
        return true;
    }

    public static AccessTarget Target(DatasetRow row) => AccessTarget.Dataset(row.Name, row.OwnerId);
}
