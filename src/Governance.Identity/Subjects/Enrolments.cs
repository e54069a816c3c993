using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Confirm;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Identity.Sessions;
using Governance.Identity.SignIn;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Subjects;

/// <summary>What an administrator hands to the person, who alone uses it.</summary>
/// <param name="Id">The person's pseudonym.</param>
/// <param name="Code">One-time code; told once, kept as a hash.</param>
/// <param name="ExpiresAt">UTC.</param>
/// <param name="ConfirmationId">What a second administrator confirms; null when nobody has to.</param>
internal sealed record Invitation(string Id, Secret Code, DateTimeOffset ExpiresAt, Guid? ConfirmationId);

/// <summary>
/// Inviting persons, resetting their credentials, and the code by which they set their own: no administrator ever knows
/// another one's password.
/// </summary>
internal sealed class Enrolments(
    IWriter writer,
    Administration administration,
    SubjectStore store,
    SubjectReader reader,
    Confirmations confirmations,
    PasswordHashing passwords,
    IOptions<IdentityOptions> options
)
{
    private const string Scope = "enrol";
    private const int Groups = 5;
    private static readonly Failure OwnReset = Failure.Denied(
        "identity.own_reset",
        "Nobody resets their own credentials; change them instead."
    );
    private static readonly Failure NoPerson = Failure.NotFound("identity.no_subject", "There is no such person.");

    /// <summary>Adds a person without credentials. Codes <c>identity.*</c>.</summary>
    public async Task<Result<Invitation>> InviteAsync(
        Actor by,
        string userName,
        string displayName,
        IReadOnlyList<RoleGrant> grants,
        CancellationToken cancellationToken
    )
    {
        var row = SubjectStore.NewRow(ActorKind.Person, userName, displayName);
        if (SubjectStore.Check(row, grants) is { } broken)
        {
            return broken;
        }

        var code = new Secret(OneTimeCode.New(Groups));
        Invitation? invitation = null;
        var added = await store.AddAsync(
            by,
            row,
            grants,
            async (session, token) =>
            {
                row.Bootstrapped = await IsSecondAdministratorAsync(session, by, grants, token);
                var confirmation = row.Bootstrapped
                    ? (Guid?)null
                    : await confirmations.RequestAsync(
                        session,
                        by,
                        new ConfirmationRequest(AccountConfirmation.NewPerson, row.Id)
                        {
                            Holds = true,
                            Details = new JsonObject { ["grants"] = SubjectStore.Describe(grants) },
                        },
                        token
                    );
                invitation = await InviteAsync(session, row.Id, code, confirmation, token);
                return row.Bootstrapped ? "identity.bootstrap" : "identity.person_enrolled";
            },
            cancellationToken
        );
        return added.Map(_ => invitation!);
    }

    /// <summary>Takes every credential of a person away, ends the sessions and gives a new code.</summary>
    public async Task<Result<Invitation>> ResetAsync(Actor by, string subjectId, CancellationToken cancellationToken)
    {
        var code = new Secret(OneTimeCode.New(Groups));
        return await administration.ChangeAsync<Invitation>(
            by,
            Administration.Subject(subjectId),
            async (session, token) =>
            {
                if (by.Id == subjectId)
                {
                    return OwnReset;
                }

                if (await PersonAsync(session, subjectId, token) is not { } row)
                {
                    return NoPerson;
                }

                var unused = await IsUnusedBootstrapAsync(session, by, row, token);
                await session.TakeCredentialsAsync(row, token);
                if (unused)
                {
                    var entry = new LogEntry("identity.bootstrap", by, $"subject:{subjectId}", LogOutcome.Done);
                    await session.LogAsync(entry, token);
                    return await InviteAsync(session, subjectId, code, confirmation: null, token);
                }

                await session.LogAsync(
                    new LogEntry("identity.credentials_reset", by, $"subject:{subjectId}", LogOutcome.Done),
                    token
                );
                var request = new ConfirmationRequest(AccountConfirmation.NewCredentials, subjectId) { Holds = true };
                var confirmation = await confirmations.RequestAsync(session, by, request, token);
                return await InviteAsync(session, subjectId, code, confirmation, token);
            },
            cancellationToken
        );
    }

    /// <summary>The person sets a password with the code; every wrong code is refused alike.</summary>
    public async Task<Result<PasswordShown>> AcceptAsync(
        string code,
        Secret password,
        CancellationToken cancellationToken
    )
    {
        if (AccountRules.CheckPassword(password) is { } broken)
        {
            return broken;
        }

        var hash = passwords.Hash(password);
        var codeHash = OneTimeCode.Hash(Scope, code);
        var accepted = await writer.WriteAsync<PasswordShown>(
            async (session, token) =>
            {
                var enrolment = await session
                    .Db.Set<EnrolmentRow>()
                    .FirstOrDefaultAsync(row => row.CodeHash == codeHash && row.ExpiresAt > session.Now, token);
                if (
                    enrolment is null
                    || await PersonAsync(session, enrolment.SubjectId, token) is not { Enabled: true } person
                )
                {
                    return Failure.Invalid(
                        "identity.bad_code",
                        "That code is wrong, was used or has expired. An administrator can make a new one."
                    );
                }

                person.PasswordHash = hash;
                session.Db.Remove(enrolment);
                await session.Db.SaveChangesAsync(token);
                await session.LogAsync(
                    new LogEntry(
                        "identity.enrolled",
                        new Actor(ActorKind.Person, person.Id),
                        $"subject:{person.Id}",
                        LogOutcome.Done
                    ),
                    token
                );
                return new PasswordShown(person.Id, person.Name, HasSecondFactor: false)
                {
                    Stands = Standings.OfPassword(person.Id, hash),
                };
            },
            cancellationToken
        );
        if (!accepted.Ok)
        {
            await writer.LogAsync(
                new LogEntry("identity.enrolment_refused", Actor.Anonymous, "", LogOutcome.Refused),
                cancellationToken
            );
        }

        return accepted;
    }

    // The administrator of the set-up code may make exactly one more alone, or nobody could ever confirm anything.
    private static async Task<bool> IsSecondAdministratorAsync(
        WriteSession session,
        Actor by,
        IReadOnlyList<RoleGrant> grants,
        CancellationToken cancellationToken
    ) =>
        by.IsPerson
        && grants.Count == 1
        && grants[0] is { Role: "admin", Kind: ObjectKind.None, Targets.IsAll: true, ExpiresAt: null }
        && await session.Db.Set<SubjectRow>().Where(row => row.Bootstrapped).ToListAsync(cancellationToken)
            is [{ } first]
        && first.Id == by.Id;

    // While the second administrator has not come, nobody could confirm a new code for them. It gives no more than the first did:
    // they never had a credential, and nobody else ever asked for anything about them.
    private static async Task<bool> IsUnusedBootstrapAsync(
        WriteSession session,
        Actor by,
        SubjectRow person,
        CancellationToken cancellationToken
    ) =>
        person is { Bootstrapped: true, PasswordHash: null }
        && await session.Db.Set<SubjectRow>().AnyAsync(row => row.Id == by.Id && row.Bootstrapped, cancellationToken)
        && !await session.Db.Set<ConfirmationRow>().AnyAsync(row => row.SubjectId == person.Id, cancellationToken);

    private async Task<Invitation> InviteAsync(
        WriteSession session,
        string subjectId,
        Secret code,
        Guid? confirmation,
        CancellationToken cancellationToken
    )
    {
        var enrolment = new EnrolmentRow
        {
            SubjectId = subjectId,
            CodeHash = OneTimeCode.Hash(Scope, code.Reveal()),
            ExpiresAt = session.Now.AddHours(options.Value.EnrolmentHours),
        };
        session.Db.Add(enrolment);
        await session.Db.SaveChangesAsync(cancellationToken);
        session.AfterCommit(reader.Forget);
        return new Invitation(subjectId, code, enrolment.ExpiresAt, confirmation);
    }

    private static Task<SubjectRow?> PersonAsync(WriteSession session, string id, CancellationToken token) =>
        session
            .Db.Set<SubjectRow>()
            .FirstOrDefaultAsync(
                row =>
                    row.Id == id
                    && row.Kind == ActorKind.Person
                    && !session.Db.Set<ErasureRow>().Any(gone => gone.SubjectId == id),
                token
            );
}
