using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Identity.Confirm;
using Governance.Identity.Federation;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using OpenIddict.EntityFrameworkCore.Models;

namespace Governance.Identity.Erasure;

/// <summary>The first step of an erasure, and the last that can still be rolled back.</summary>
internal sealed class BeginErasure(LoginNames names)
{
    private const int MaxWaitSeconds = 3600;

    /// <summary>
    /// Inside a unit: the account is empty and shut, its logins are nobody's, and the entry is there. The own pseudonyms of logins
    /// that were the person's are shut too, and erased within an hour: entries side by side would say whose they were.
    /// </summary>
    public async Task RunAsync(
        WriteSession session,
        Actor by,
        string subjectId,
        JsonObject details,
        CancellationToken cancellationToken
    )
    {
        var db = session.Db;
        var person = await db.Set<SubjectRow>().FirstAsync(row => row.Id == subjectId, cancellationToken);
        await session.TakeCredentialsAsync(person, cancellationToken);
        // No name that anybody could take before.
        (person.Name, person.DisplayName) = ($"(erased) {subjectId}", "");
        (person.Enabled, person.TotpStep) = (false, 0);
        var logins = await db.Set<LoginRow>().Where(row => row.SubjectId == subjectId).ToListAsync(cancellationToken);
        var owned = await OwnedAsync(db, logins, cancellationToken);
        db.RemoveRange(logins);
        await db.SaveChangesAsync(cancellationToken);
        await Confirmations.WithdrawAsync(
            session,
            by,
            db.Set<ConfirmationRow>().Where(row => row.SubjectId == subjectId),
            cancellationToken
        );
        await ForgetAsync(db, subjectId, cancellationToken);
        await CommitAsync(session, by, subjectId, details, cancellationToken);
        await session.EnqueueAsync(new JobRequest(EraseJob.JobKind, subjectId, subjectId), cancellationToken);
        foreach (var login in owned)
        {
            await Logins.ShutAsync(session, login, cancellationToken);
            var wait = TimeSpan.FromSeconds(RandomNumberGenerator.GetInt32(MaxWaitSeconds));
            await session.EnqueueAsync(
                new JobRequest(EraseJob.JobKind, login, login) { Wait = wait },
                cancellationToken
            );
        }
    }

    /// <summary>Inside a unit of its own: the entry about the pseudonym of a login, which is shut already.</summary>
    public static Task<ErasureRow> LoginAsync(
        WriteSession session,
        string login,
        CancellationToken cancellationToken
    ) => CommitAsync(session, Actor.System, login, [], cancellationToken);

    // A link that nobody confirmed may be to anybody's login, and one that ended may be somebody else's by now.
    private async Task<List<string>> OwnedAsync(
        GovernanceDb db,
        IReadOnlyList<LoginRow> logins,
        CancellationToken cancellationToken
    )
    {
        var owned = new HashSet<string>(StringComparer.Ordinal);
        foreach (var login in logins.Where(row => row.ConfirmedAt is not null))
        {
            var owner = await Logins.FindAsync(db, login.Issuer, login.ExternalId, cancellationToken);
            if (owner is null || owner.Id == login.SubjectId)
            {
                owned.Add(names.Of(login.Issuer, login.ExternalId));
            }
        }

        return [.. owned];
    }

    // Grants and places that count stay: they say what the pseudonym could do when it decided something.
    private static async Task ForgetAsync(GovernanceDb db, string subjectId, CancellationToken cancellationToken)
    {
        await db.Set<SessionRow>().Where(row => row.SubjectId == subjectId).ExecuteDeleteAsync(cancellationToken);
        await db.Set<OpenIddictEntityFrameworkCoreToken>()
            .Where(row => row.Subject == subjectId)
            .ExecuteDeleteAsync(cancellationToken);
        await db.Set<OpenIddictEntityFrameworkCoreAuthorization>()
            .Where(row => row.Subject == subjectId)
            .ExecuteDeleteAsync(cancellationToken);
        await db.Set<GrantRow>()
            .Where(row => row.SubjectId == subjectId && row.Pending)
            .ExecuteDeleteAsync(cancellationToken);
        await db.Set<MemberRow>()
            .Where(row => row.SubjectId == subjectId && row.Pending)
            .ExecuteDeleteAsync(cancellationToken);
        await db.Set<ConfirmationRow>()
            .Where(row => row.SubjectId == subjectId && row.Kind == LoginConfirmation.Kind)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Details, "{}"), cancellationToken);
    }

    // The entry keeps its salt: what vouches for the erasure must not be erased by it.
    private static async Task<ErasureRow> CommitAsync(
        WriteSession session,
        Actor by,
        string subjectId,
        JsonObject details,
        CancellationToken cancellationToken
    )
    {
        var entry = await session.LogAsync(
            new LogEntry(SubjectErasure.Kind, by, $"subject:{subjectId}", LogOutcome.Begun)
            {
                Details = details,
                Keeps = true,
            },
            cancellationToken
        );
        var row = new ErasureRow
        {
            SubjectId = subjectId,
            EntryId = entry,
            BeganAt = session.Now,
        };
        session.Db.Add(row);
        await session.Db.SaveChangesAsync(cancellationToken);
        return row;
    }
}
