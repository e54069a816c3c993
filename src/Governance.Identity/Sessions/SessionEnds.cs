using Governance.Identity.Storage;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Sessions;

/// <summary>Ending every session of a person inside a unit.</summary>
internal static class SessionEnds
{
    /// <summary>Ends all sessions of a subject, with every token that came of them.</summary>
    public static Task RevokeSessionsAsync(
        this WriteSession session,
        string subjectId,
        CancellationToken cancellationToken
    ) =>
        session
            .Db.Set<SessionRow>()
            .Where(row => row.SubjectId == subjectId && row.RevokedAt == null)
            .ExecuteUpdateAsync(
                set => set.SetProperty(row => row.RevokedAt, (DateTimeOffset?)session.Now),
                cancellationToken
            );
}
