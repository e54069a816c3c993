using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;

namespace Governance.Identity.Subjects;

/// <summary>
/// Changes of accounts, services and keys. Whoever makes one administers, by a recent sign-in, at the moment of its unit: a
/// request can be sent slowly, and the role be lost between its first byte and its last.
/// </summary>
internal sealed class Administration(IWriter writer, SubjectReader reader, StepUp stepUp) : IAdministration
{
    public static readonly Failure NotAdmin = Failure.Denied(
        "identity.denied",
        "Only a global administrator may do this."
    );

    /// <summary>Whether somebody with these rights administers; of who is held this says no.</summary>
    public static bool Allows(Rights rights) => rights.Allows(Permissions.IdentityManage, AccessTarget.Global);

    /// <summary>What an entry calls somebody who was asked for; nothing when that is no pseudonym, for it might be a name.</summary>
    public static string Subject(string id) =>
        id.Length == 32 && id.All(char.IsAsciiHexDigitLower) ? $"subject:{id}" : "";

    /// <summary>Whether the sign-in is as recent as changes ask; the gateway itself has none.</summary>
    public Failure? CheckSignIn(Actor by) => by.Kind == ActorKind.System ? null : stepUp.Check(by);

    /// <summary>
    /// Null for who administers now, else the refusal, which is on record: the gate in front of what is read asked a cache.
    /// </summary>
    public async Task<Failure?> CheckReadAsync(Actor by, string subject, CancellationToken cancellationToken) =>
        Allows(await reader.RightsNowAsync(by, cancellationToken))
            ? null
            : await RefuseReadAsync(by, subject, NotAdmin);

    /// <summary>Puts on record that somebody may not read something, and gives the refusal back.</summary>
    public async Task<Failure> RefuseReadAsync(Actor by, string subject, Failure refusal)
    {
        await writer.LogAsync(
            new LogEntry("access.denied", by, subject, LogOutcome.Refused)
            {
                Details = new JsonObject { ["permission"] = Permissions.IdentityManage.Name, ["code"] = refusal.Code },
            },
            CancellationToken.None
        );
        return refusal;
    }

    /// <summary>Runs a change; that somebody may not make it is on record before they learn of it.</summary>
    public async Task<Result<T>> ChangeAsync<T>(
        Actor by,
        string subject,
        Func<WriteSession, CancellationToken, Task<Result<T>>> change,
        CancellationToken cancellationToken
    )
    {
        var done = await writer.WriteAsync<T>(
            async (session, token) =>
                await ObjectionAsync(session, by, token) is { } objection ? objection : await change(session, token),
            cancellationToken
        );
        if (done.Failure is { Kind: FailureKind.Denied or FailureKind.Reauthenticate } refused)
        {
            await writer.LogAsync(
                new LogEntry("identity.change_refused", by, subject.Length > 400 ? "" : subject, LogOutcome.Refused)
                {
                    Details = new JsonObject { ["code"] = refused.Code },
                },
                CancellationToken.None
            );
        }

        return done;
    }

    /// <summary>
    /// Who makes a change must not have lost the role, become held or signed in too long ago between the gate and the unit. The
    /// gateway itself needs no role: it enrols whom the set-up code or a new installation says.
    /// </summary>
    public async Task<Failure?> ObjectionAsync(WriteSession session, Actor by, CancellationToken cancellationToken) =>
        by.Kind == ActorKind.System ? null
        : !Allows(await reader.RightsNowAsync(session.Db, by, cancellationToken)) ? NotAdmin
        : CheckSignIn(by);

    public async Task<Failure?> ObjectionAsync(
        WriteSession session,
        Actor by,
        Permission permission,
        CancellationToken cancellationToken
    ) =>
        (await reader.RightsNowAsync(session.Db, by, cancellationToken)).Allows(permission, AccessTarget.Global)
            ? stepUp.Check(by)
            : NotAdmin;

    // Asked about somebody who is not here: how their token was bound says nothing now.
    public async Task<bool> HoldsAsync(
        WriteSession session,
        string person,
        Permission permission,
        CancellationToken cancellationToken
    ) =>
        (
            await reader.RightsNowAsync(
                session.Db,
                new Actor(ActorKind.Person, person) { SenderConstrained = true },
                cancellationToken
            )
        ).Allows(permission, AccessTarget.Global);
}
