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
/// Before a gateway serves, and in front of its own key store only: whoever the store says was erased is erased in the database
/// too, which may be a backup from before; whoever the database says was erased has no key, though the store may be one;
/// what was begun is ended; and every person has a key before the first entry about them.
/// </summary>
internal sealed partial class EraseAgain(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    BeginErasure begin,
    EraseJob job,
    SubjectKeyHome home,
    SubjectKeys keys,
    ILogger<EraseAgain> logger
)
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await OpenAsync(cancellationToken);
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
        var done = await db.Set<ErasureRow>()
            .Where(row => row.State == ErasureState.Done)
            .Select(row => row.SubjectId)
            .ToListAsync(cancellationToken);
        foreach (var subject in done)
        {
            if (await keys.FindAsync(subject, cancellationToken) is not { Erased: not null })
            {
                await ReopenAsync(subject, cancellationToken);
            }
        }

        var open = await db.Set<ErasureRow>()
            .Where(row => row.State != ErasureState.Done)
            .Select(row => row.SubjectId)
            .ToListAsync(cancellationToken);
        foreach (var subject in open)
        {
            await GoOnAsync(subject, cancellationToken);
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

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var erased = await db.Set<ErasureRow>().Select(row => row.SubjectId).ToListAsync(cancellationToken);
        await home.OpenAsync(erased, cancellationToken);
    }

    private async Task GoOnAsync(string subject, CancellationToken cancellationToken)
    {
        try
        {
            await job.RunAsync(subject, cancellationToken);
        }
        catch (JobPostponedException)
        {
            // Somebody reads; its durable job goes on with it.
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // As it would with the job, which tries again while the gateway serves: account and logins are shut already.
            NotEnded(logger, subject, SubjectKeyException.Name(exception));
        }
    }

    // The store is a copy from before, or somebody put the key back: it is destroyed as the first time, with a proof of its own.
    private async Task ReopenAsync(string subject, CancellationToken cancellationToken)
    {
        KeyCameBack(logger, subject);
        var reopened = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var row = await session.Db.Set<ErasureRow>().FirstAsync(known => known.SubjectId == subject, token);
                row.State = ErasureState.Begun;
                await session.EnqueueAsync(new JobRequest(EraseJob.JobKind, subject, subject), token);
                return default(Unit);
            },
            cancellationToken
        );
        _ = reopened.Value;
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

    [LoggerMessage(3012, LogLevel.Error, "The erasure of {Subject} could not be ended at this start: {Reason}")]
    private static partial void NotEnded(ILogger logger, string subject, string reason);

    [LoggerMessage(
        3013,
        LogLevel.Warning,
        "{Subject} was erased, but the key store has no erasure of theirs: once more"
    )]
    private static partial void KeyCameBack(ILogger logger, string subject);
}
