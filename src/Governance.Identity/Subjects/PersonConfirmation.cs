using Governance.Identity.Confirm;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Subjects;

/// <summary>
/// The second administrator's word on a new person or on new credentials. Confirmed, the account is no longer held; rejected,
/// it is shut: somebody made or opened it that another administrator does not stand for.
/// </summary>
internal sealed class PersonConfirmation : IConfirmable
{
    public const string NewPerson = "person";
    public const string NewCredentials = "credentials";

    public bool Handles(string kind) => kind is NewPerson or NewCredentials;

    public Task ConfirmedAsync(WriteSession session, ConfirmationRow row, CancellationToken cancellationToken) =>
        Task.CompletedTask;

    public async Task RejectedAsync(WriteSession session, ConfirmationRow row, CancellationToken cancellationToken)
    {
        var person = await session
            .Db.Set<SubjectRow>()
            .FirstAsync(known => known.Id == row.SubjectId, cancellationToken);
        person.Enabled = false;
        await session.RevokeSessionsAsync(row.SubjectId, cancellationToken);
    }
}
