using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Subjects;

/// <summary>Taking every credential of a person away inside a unit.</summary>
internal static class CredentialEnds
{
    /// <summary>
    /// Takes password, authenticator, passkeys, recovery codes and an open one-time code from a person, and ends the sessions
    /// with every token that came of them. Logins at external issuers stay: two administrators linked each of them.
    /// </summary>
    public static async Task TakeCredentialsAsync(
        this WriteSession session,
        SubjectRow person,
        CancellationToken cancellationToken
    )
    {
        (person.PasswordHash, person.TotpKey) = (null, null);
        var id = person.Id;
        await session.Db.Set<PasskeyRow>().Where(row => row.SubjectId == id).ExecuteDeleteAsync(cancellationToken);
        await session.Db.Set<RecoveryCodeRow>().Where(row => row.SubjectId == id).ExecuteDeleteAsync(cancellationToken);
        await session.Db.Set<EnrolmentRow>().Where(row => row.SubjectId == id).ExecuteDeleteAsync(cancellationToken);
        await session.RevokeSessionsAsync(id, cancellationToken);
    }
}
