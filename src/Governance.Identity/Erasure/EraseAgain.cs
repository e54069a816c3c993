using System.Text.Json.Nodes;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Keys;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Governance.Identity.Erasure;

/// <summary>
/// Before a gateway serves: whoever the key store says was erased is erased in the database too, which may be a backup from
/// before; what was begun is ended; and every person has a key before the first entry about them.
/// </summary>
internal sealed partial class EraseAgain(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    BeginErasure begin,
    EraseJob job,
    SubjectKeys keys,
    ILogger<EraseAgain> logger
)
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var erasure in await keys.ErasuresAsync(cancellationToken))
        {
            var begun = await writer.WriteAsync<bool>(
                (session, token) => BeginAsync(session, erasure, token),
                cancellationToken
            );
            if (begun.Value)
            {
                Replayed(logger, erasure.Subject);
            }
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var open = await db.Set<ErasureRow>()
            .Where(row => row.State != ErasureState.Done)
            .Select(row => row.SubjectId)
            .ToListAsync(cancellationToken);
        foreach (var subject in open)
        {
            try
            {
                await job.RunAsync(subject, cancellationToken);
            }
            catch (JobPostponedException)
            {
                // Somebody reads; its durable job goes on with it.
            }
        }

        var persons = await db.Set<SubjectRow>()
            .Where(row => row.Kind == ActorKind.Person && !db.Set<ErasureRow>().Any(gone => gone.SubjectId == row.Id))
            .Select(row => row.Id)
            .ToListAsync(cancellationToken);
        foreach (var person in persons)
        {
            await keys.GetOrCreateAsync(person, cancellationToken);
        }
    }

    private async Task<Result<bool>> BeginAsync(WriteSession session, SubjectErasure erasure, CancellationToken token)
    {
        var subject = erasure.Subject;
        if (
            await session.Db.Set<ErasureRow>().AnyAsync(row => row.SubjectId == subject, token)
            || !await session.Db.Set<SubjectRow>().AnyAsync(row => row.Id == subject, token)
        )
        {
            return false;
        }

        var details = new JsonObject { ["erasedBy"] = erasure.EntryId.ToString(), ["replayed"] = true };
        await begin.RunAsync(session, Actor.System, subject, details, token);
        return true;
    }

    [LoggerMessage(
        3011,
        LogLevel.Warning,
        "{Subject} was erased after this database was backed up, and is erased in it again"
    )]
    private static partial void Replayed(ILogger logger, string subject);
}
