using Governance.Identity.Confirm;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Subjects;

/// <summary>
/// The second administrator's word on a new person, on new credentials and on an account that was shut and is open again.
/// Confirmed, the account is no longer held; rejected, it is shut: somebody made or opened it that another administrator does
/// not stand for.
/// </summary>
internal sealed class AccountConfirmation : IConfirmable
{
    public const string NewPerson = "person";
    public const string NewCredentials = "credentials";
    public const string Enabled = "enabled";

    public bool Handles(string kind) => kind is NewPerson or NewCredentials or Enabled;

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
        await session.RevokeSessionsAsync(account.Id, cancellationToken);
    }
}
