using Governance.Identity.Confirm;
using Governance.Identity.Server;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Subjects;

/// <summary>
/// The second administrator's word on a new person, on new credentials and on an account that was shut and is open again.
/// Confirmed, the account is no longer held; rejected, it is shut and has no credentials left: somebody made, changed or opened
/// it that another administrator does not stand for, and may know what was set meanwhile.
/// </summary>
internal sealed class AccountConfirmation(Clients clients) : IConfirmable
{
    public const string NewPerson = "person";
    public const string NewCredentials = "credentials";
    public const string Enabled = "enabled";
    private static readonly IReadOnlyList<string> Kinds = [NewPerson, NewCredentials, Enabled];
    private static readonly Failure Rejected = Failure.Denied(
        "identity.own_confirmation",
        "It takes another administrator: a change of this account that you asked for was rejected."
    );

    private static readonly Failure CodeOpen = Failure.Conflict(
        "identity.enrolment_open",
        "The one-time code was not used yet. Confirm once the person told you that they set their password with it."
    );

    public bool Handles(string kind) => Kinds.Contains(kind);

    public async Task<Failure?> ObjectionAsync(
        WriteSession session,
        Actor by,
        ConfirmationRow row,
        CancellationToken cancellationToken
    )
    {
        // Whoever had an account of theirs rejected must not be one of the two who let it in again, whoever asks.
        if (
            row.Kind == Enabled
            && await session
                .Db.Set<ConfirmationRow>()
                .AnyAsync(
                    change =>
                        change.SubjectId == row.SubjectId
                        && change.RequestedBy == by.Id
                        && change.State == ConfirmationState.Rejected
                        && Kinds.Contains(change.Kind),
                    cancellationToken
                )
        )
        {
            return Rejected;
        }

        // Who took the code shows only once it is taken: the person can tell then whether it was them.
        var open = await session
            .Db.Set<EnrolmentRow>()
            .AnyAsync(
                enrolment => enrolment.SubjectId == row.SubjectId && enrolment.ExpiresAt > session.Now,
                cancellationToken
            );
        return open ? CodeOpen : null;
    }

    public Task ConfirmedAsync(
        WriteSession session,
        Actor by,
        ConfirmationRow row,
        CancellationToken cancellationToken
    ) => Task.CompletedTask;

    public async Task RejectedAsync(WriteSession session, ConfirmationRow row, CancellationToken cancellationToken)
    {
        var account = await session
            .Db.Set<SubjectRow>()
            .FirstAsync(known => known.Id == row.SubjectId, cancellationToken);
        account.Enabled = false;
        if (account.Kind == ActorKind.Person)
        {
            await session.TakeCredentialsAsync(account, cancellationToken);
        }
        else
        {
            await clients.TakeCredentialsAsync(session, account.Name, cancellationToken);
        }
    }
}
