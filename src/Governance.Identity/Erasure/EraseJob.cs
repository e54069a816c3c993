using System.Text.Json.Nodes;
using Governance.Identity.Federation;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Governance.Identity.Erasure;

/// <summary>
/// Carries an erasure out after its entry committed, which for the pseudonym of a login it does itself: destroys the key, in the own
/// store only, empties SQLite's log of changes, and puts on record that both are done. Each step may be repeated, so it goes on wherever it died.
/// </summary>
internal sealed partial class EraseJob(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    SubjectKeyHome home,
    SubjectKeys keys,
    ILogger<EraseJob> logger
) : IJobHandler
{
    public const string JobKind = "identity.erase";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public string Kind => JobKind;

    public async Task RunAsync(string payload, CancellationToken cancellationToken)
    {
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            var row =
                await db.Set<ErasureRow>()
                    .AsNoTracking()
                    .FirstOrDefaultAsync(known => known.SubjectId == payload, cancellationToken)
                ?? await BeginLoginAsync(payload, cancellationToken);
            if (row is null)
            {
                Unasked(logger, payload);
                return;
            }

            if (row.State == ErasureState.Done)
            {
                return;
            }

            await DestroyAsync(new SubjectErasure(payload, row.EntryId, row.BeganAt), cancellationToken);
            if (!await db.TryForgetDeletedAsync(cancellationToken))
            {
                throw new JobPostponedException(Patience);
            }
        }

        var done = await writer.WriteAsync<Unit>(
            (session, token) => EndAsync(session, payload, token),
            cancellationToken
        );
        _ = done.Value;
    }

    public async Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken)
    {
        Stuck(logger, payload, reason);
        var done = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (await FindOrBeginAsync(session, payload, token) is not { } row)
                {
                    return default(Unit);
                }

                row.State = ErasureState.Stuck;
                await session.LogAsync(
                    new LogEntry("identity.erasure_stuck", Actor.System, $"subject:{payload}", LogOutcome.Refused)
                    {
                        Keeps = true,
                    },
                    token
                );
                return default(Unit);
            },
            cancellationToken
        );
        _ = done.Value;
    }

    // The store may have gone since the start; without a key to destroy, that would show nowhere.
    private async Task DestroyAsync(SubjectErasure erasure, CancellationToken cancellationToken)
    {
        await home.CheckAsync(cancellationToken);
        try
        {
            await keys.DestroyAsync(erasure, cancellationToken);
        }
        catch (JobPostponedException)
        {
            Waits(logger, erasure.Subject);
            throw;
        }
    }

    private async Task<ErasureRow?> BeginLoginAsync(string login, CancellationToken cancellationToken)
    {
        var begun = await writer.WriteAsync<ErasureRow?>(
            async (session, token) => await FindOrBeginAsync(session, login, token),
            cancellationToken
        );
        return begun.Value;
    }

    // Of a person the row came with the job, and a login was shut then: whoever only writes a job has nobody erased.
    private static async Task<ErasureRow?> FindOrBeginAsync(
        WriteSession session,
        string subject,
        CancellationToken cancellationToken
    ) =>
        await session.Db.Set<ErasureRow>().FirstOrDefaultAsync(row => row.SubjectId == subject, cancellationToken)
        ?? (
            await session
                .Db.Set<SubjectRow>()
                .AnyAsync(
                    row => row.Id == subject && row.Name.StartsWith(ExternalSubjects.Prefix) && !row.Enabled,
                    cancellationToken
                )
                ? await BeginErasure.LoginAsync(session, subject, cancellationToken)
                : null
        );

    private static async Task<Result<Unit>> EndAsync(WriteSession session, string subjectId, CancellationToken token)
    {
        var row = await session.Db.Set<ErasureRow>().FirstAsync(known => known.SubjectId == subjectId, token);
        if (row.State != ErasureState.Done)
        {
            row.State = ErasureState.Done;
            row.ProofId = await session.LogAsync(
                new LogEntry("identity.erased", Actor.System, $"subject:{subjectId}", LogOutcome.Done)
                {
                    Details = new JsonObject { ["begun"] = row.EntryId.ToString() },
                    Keeps = true,
                },
                token
            );
        }

        return default(Unit);
    }

    [LoggerMessage(3010, LogLevel.Error, "The erasure of {Subject} is stuck: {Reason}. The next start goes on with it")]
    private static partial void Stuck(ILogger logger, string subject, string reason);

    [LoggerMessage(3014, LogLevel.Warning, "The erasure of {Subject} waits for somebody who reads the key store")]
    private static partial void Waits(ILogger logger, string subject);

    [LoggerMessage(3015, LogLevel.Error, "A job is to erase {Subject}, whom nobody had erased: it does nothing")]
    private static partial void Unasked(ILogger logger, string subject);
}
