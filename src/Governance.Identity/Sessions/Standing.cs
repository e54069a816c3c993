using Governance.Identity.Storage;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Sessions;

/// <summary>
/// Whether what somebody proved themselves with is still theirs. Asked inside the unit that begins their session: between the
/// proof and the session it may have been taken away, and the sessions of that moment ended without this one.
/// </summary>
internal delegate Task<bool> Standing(GovernanceDb db, CancellationToken cancellationToken);

/// <summary>The proofs there are.</summary>
internal static class Standings
{
    /// <summary>Nothing was proven.</summary>
    public static readonly Standing Nothing = (_, _) => Task.FromResult(false);

    /// <summary>
    /// A password alone: resetting or changing it puts another hash there, or none, and with a second factor it does no more.
    /// </summary>
    public static Standing OfPassword(string subjectId, string? hash) =>
        (db, token) =>
            db.Set<SubjectRow>()
                .AnyAsync(
                    row =>
                        row.Id == subjectId
                        && row.Enabled
                        && row.PasswordHash == hash
                        && row.TotpKey == null
                        && !db.Set<PasskeyRow>().Any(passkey => passkey.SubjectId == subjectId),
                    token
                );

    /// <summary>A password and a second step, taken while this was the key of the authenticator app, or none.</summary>
    public static Standing OfSecondStep(string subjectId, string? hash, byte[]? appKey) =>
        (db, token) =>
            db.Set<SubjectRow>()
                .AnyAsync(
                    row => row.Id == subjectId && row.Enabled && row.PasswordHash == hash && row.TotpKey == appKey,
                    token
                );

    /// <summary>A passkey.</summary>
    public static Standing OfPasskey(string subjectId, string key) =>
        (db, token) =>
            db.Set<SubjectRow>()
                .AnyAsync(
                    row =>
                        row.Id == subjectId
                        && row.Enabled
                        && db.Set<PasskeyRow>().Any(passkey => passkey.Id == key && passkey.SubjectId == subjectId),
                    token
                );

    /// <summary>A login at an external issuer.</summary>
    public static Standing OfLogin(string subjectId, string issuer, string externalId) =>
        (db, token) =>
            db.Set<SubjectRow>()
                .AnyAsync(
                    row =>
                        row.Id == subjectId
                        && row.Enabled
                        && db.Set<LoginRow>()
                            .Any(login =>
                                login.SubjectId == subjectId
                                && login.Issuer == issuer
                                && login.ExternalId == externalId
                                && login.ConfirmedAt != null
                                && login.UnlinkedAt == null
                            ),
                    token
                );
}
