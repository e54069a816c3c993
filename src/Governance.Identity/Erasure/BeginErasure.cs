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
    /// <summary>
    /// Inside a unit: the account is empty and shut, its logins are nobody's, and the entry is there. The logins'
    /// own pseudonyms are erased with it, for it was the person who acted under them.
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
        foreach (
            var login in logins.Select(row => names.Of(row.Issuer, row.ExternalId)).Distinct(StringComparer.Ordinal)
        )
        {
            await Logins.ShutOutAsync(session, by, login, cancellationToken);
            if (!await db.Set<ErasureRow>().AnyAsync(row => row.SubjectId == login, cancellationToken))
            {
                var of = new JsonObject { ["of"] = subjectId };
                await CommitAsync(session, by, login, of, cancellationToken);
            }
        }
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
    private static async Task CommitAsync(
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
        session.Db.Add(
            new ErasureRow
            {
                SubjectId = subjectId,
                EntryId = entry,
                BeganAt = session.Now,
            }
        );
        await session.Db.SaveChangesAsync(cancellationToken);
        await session.EnqueueAsync(new JobRequest(EraseJob.JobKind, subjectId, subjectId), cancellationToken);
    }
}
