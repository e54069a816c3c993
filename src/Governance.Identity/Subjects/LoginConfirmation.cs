using System.Globalization;
using Governance.Identity.Confirm;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Subjects;

/// <summary>The second administrator's word on a login: confirmed it is the person's, rejected it is gone.</summary>
internal sealed class LoginConfirmation : IConfirmable
{
    public const string Kind = "login";

    /// <summary>Member of the details: the digest of issuer and login, by which the second administrator compares them.</summary>
    public const string Digest = "digest";

    public bool Handles(string kind) => kind == Kind;

    // What was unlinked while it waited took its confirmation with it, so the row is there.
    public async Task ConfirmedAsync(
        WriteSession session,
        Actor by,
        ConfirmationRow row,
        CancellationToken cancellationToken
    ) => (await FindAsync(session, row, cancellationToken)).ConfirmedAt = session.Now;

    public async Task RejectedAsync(WriteSession session, ConfirmationRow row, CancellationToken cancellationToken) =>
        session.Db.Remove(await FindAsync(session, row, cancellationToken));

    private static Task<LoginRow> FindAsync(WriteSession session, ConfirmationRow row, CancellationToken token)
    {
        var id = Guid.Parse(row.ObjectId, CultureInfo.InvariantCulture);
        return session.Db.Set<LoginRow>().FirstAsync(login => login.Id == id, token);
    }
}
