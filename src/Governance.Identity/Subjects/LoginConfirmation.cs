using System.Globalization;
using Governance.Identity.Confirm;
using Governance.Identity.Storage;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Subjects;

/// <summary>The second administrator's word on a login: confirmed it is the person's, rejected it is gone.</summary>
internal sealed class LoginConfirmation : IConfirmable
{
    public const string Kind = "login";

    public bool Handles(string kind) => kind == Kind;

    public async Task ConfirmedAsync(WriteSession session, ConfirmationRow row, CancellationToken cancellationToken)
    {
        // It may have been unlinked while it waited.
        if (await FindAsync(session, row, cancellationToken) is { } login)
        {
            login.ConfirmedAt = session.Now;
        }
    }

    public async Task RejectedAsync(WriteSession session, ConfirmationRow row, CancellationToken cancellationToken)
    {
        if (await FindAsync(session, row, cancellationToken) is { } login)
        {
            session.Db.Remove(login);
        }
    }

    private static Task<LoginRow?> FindAsync(WriteSession session, ConfirmationRow row, CancellationToken token)
    {
        var id = Guid.Parse(row.ObjectId, CultureInfo.InvariantCulture);
        return session.Db.Set<LoginRow>().FirstOrDefaultAsync(login => login.Id == id, token);
    }
}
