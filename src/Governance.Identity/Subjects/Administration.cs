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
internal sealed class Administration(IWriter writer, SubjectReader reader, StepUp stepUp)
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

    // The gateway itself needs no role: it enrols whom the set-up code or a new installation says.
    private async Task<Failure?> ObjectionAsync(WriteSession session, Actor by, CancellationToken cancellationToken) =>
        by.Kind == ActorKind.System ? null
        : !Allows(await reader.RightsNowAsync(session.Db, by, cancellationToken)) ? NotAdmin
        : stepUp.Check(by);
}
