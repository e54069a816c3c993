using System.Text.Json.Nodes;
using Governance.Identity.Confirm;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Erasure;

/// <summary>How far the erasure of somebody is.</summary>
/// <param name="State"><c>none</c>, <c>waiting</c> (for the second administrator), <c>begun</c>, <c>stuck</c> or <c>done</c>.</param>
/// <param name="Entry">Id of the entry that began it, or null.</param>
/// <param name="Proof">Id of the entry that says that the key is destroyed, or null.</param>
/// <param name="Holds">Ids of the legal holds that prevent it.</param>
internal sealed record ErasureView(string State, Guid? Entry, Guid? Proof, IReadOnlyList<Guid> Holds);

/// <summary>
/// Erasing persons takes one administrator who asks and another one who confirms. What names the person goes in the unit that
/// commits the entry <c>identity.erasure_begun</c> (<see cref="BeginErasure"/>); a job then destroys the key, and says so
/// (<see cref="EraseJob"/>). The pseudonym stays, with nothing behind it.
/// </summary>
internal sealed class Erasures(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    Administration administration,
    Confirmations confirmations
)
{
    /// <summary>Why somebody is erased, in the order of GDPR Art. 17(1)(a)–(e): a closed list, since words could name the person.</summary>
    public static readonly IReadOnlyList<string> Grounds =
    [
        "no-longer-needed",
        "consent-withdrawn",
        "objection",
        "unlawful",
        "legal-obligation",
    ];

    public static readonly Failure Erased = Failure.Conflict("identity.erased", "This person was erased, for good.");

    private static readonly Failure NoPerson = Failure.NotFound("identity.no_subject", "There is no such person.");

    /// <summary>Asks for the erasure of a person; returns the id of the confirmation that it waits for.</summary>
    public async Task<Result<Guid>> AskAsync(
        Actor by,
        string subjectId,
        string ground,
        CancellationToken cancellationToken
    )
    {
        if (!Grounds.Contains(ground))
        {
            return Failure.Invalid("identity.bad_ground", $"The ground is one of {string.Join(", ", Grounds)}.");
        }

        var asked = await administration.ChangeAsync<Guid>(
            by,
            Administration.Subject(subjectId),
            async (session, token) =>
            {
                if (by.Id == subjectId)
                {
                    return Failure.Denied(
                        "identity.own_erasure",
                        "Nobody erases themselves. Ask another administrator."
                    );
                }

                if (await ObjectionAsync(session.Db, subjectId, token) is { } objection)
                {
                    return objection;
                }

                if (await IsAskedAsync(session.Db, subjectId, token))
                {
                    return Failure.Conflict(
                        "identity.erasure_waits",
                        "The erasure was asked for and waits for another administrator."
                    );
                }

                return await confirmations.RequestAsync(
                    session,
                    by,
                    new ConfirmationRequest(ErasureConfirmation.Kind, subjectId)
                    {
                        Holds = false, // until it is confirmed nothing happened
                        Details = new JsonObject { ["ground"] = ground },
                    },
                    token
                );
            },
            cancellationToken
        );
        if (asked.Failure is { Kind: FailureKind.Conflict } refused)
        {
            await writer.LogAsync(
                new LogEntry("identity.erasure_refused", by, Administration.Subject(subjectId), LogOutcome.Refused)
                {
                    Details = new JsonObject { ["code"] = refused.Code },
                },
                CancellationToken.None
            );
        }

        return asked;
    }

    /// <summary>What speaks against erasing somebody now: nobody there, erased, or a legal hold; null for nothing.</summary>
    public static async Task<Failure?> ObjectionAsync(
        GovernanceDb db,
        string subjectId,
        CancellationToken cancellationToken
    ) =>
        await CheckPersonAsync(db, subjectId, cancellationToken)
        ?? await LegalHolds.ObjectionAsync(db, subjectId, cancellationToken);

    /// <summary>Null for a person who is not erased.</summary>
    public static async Task<Failure?> CheckPersonAsync(
        GovernanceDb db,
        string subjectId,
        CancellationToken cancellationToken
    ) =>
        !await db.Set<SubjectRow>()
            .AnyAsync(row => row.Id == subjectId && row.Kind == ActorKind.Person, cancellationToken)
            ? NoPerson
        : await db.Set<ErasureRow>().AnyAsync(row => row.SubjectId == subjectId, cancellationToken) ? Erased
        : null;

    /// <summary>How far it is; null when there is no such person.</summary>
    public async Task<ErasureView?> FindAsync(string subjectId, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        if (
            !await db.Set<SubjectRow>()
                .AnyAsync(row => row.Id == subjectId && row.Kind == ActorKind.Person, cancellationToken)
        )
        {
            return null;
        }

        var erasure = await db.Set<ErasureRow>()
            .AsNoTracking()
            .FirstOrDefaultAsync(row => row.SubjectId == subjectId, cancellationToken);
        var holds = await LegalHolds.OfAsync(db, subjectId, cancellationToken);
        var state =
            erasure is not null ? erasure.State.ToString().ToLowerInvariant()
            : await IsAskedAsync(db, subjectId, cancellationToken) ? "waiting"
            : "none";
        return new ErasureView(state, erasure?.EntryId, erasure?.ProofId, [.. holds.Select(hold => hold.Id)]);
    }

    private static Task<bool> IsAskedAsync(GovernanceDb db, string subjectId, CancellationToken cancellationToken) =>
        db.Set<ConfirmationRow>()
            .AnyAsync(
                row =>
                    row.SubjectId == subjectId
                    && row.Kind == ErasureConfirmation.Kind
                    && row.State == ConfirmationState.Pending,
                cancellationToken
            );
}
