using System.Text;
using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Erasure;

/// <summary>A legal hold as those who set holds see it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="SetBy">Pseudonym of who set it.</param>
/// <param name="SetAt">UTC.</param>
/// <param name="Reason">Why.</param>
internal sealed record HoldView(Guid Id, string SetBy, DateTimeOffset SetAt, string Reason);

/// <summary>
/// Legal holds: while there is one, the person is not erased. Set and lifted with a reason by persons with <c>subject:hold</c>, by a
/// recent sign-in. Reasons are personal: they are sealed under the person's key, in the row and in the log.
/// </summary>
internal sealed class LegalHolds(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    SubjectReader reader,
    StepUp stepUp,
    SubjectKeys keys
)
{
    public const int MaxReason = 400;
    private const int MaxHolds = 20;
    private static readonly Failure Denied = Failure.Denied(
        "identity.hold_denied",
        "This needs subject:hold on everything."
    );
    private static readonly Failure BadReason = Failure.Invalid(
        "identity.bad_reason",
        "Say why, in at most 400 characters without control characters."
    );

    /// <summary>Sets a hold; returns its id.</summary>
    public async Task<Result<Guid>> SetAsync(
        Actor by,
        string subjectId,
        string reason,
        CancellationToken cancellationToken
    )
    {
        if (!IsReason(reason))
        {
            return BadReason;
        }

        return await ChangeAsync<Guid>(
            by,
            subjectId,
            async (session, token) =>
            {
                if (await Erasures.CheckPersonAsync(session.Db, subjectId, token) is { } objection)
                {
                    return objection;
                }

                if (await session.Db.Set<HoldRow>().CountAsync(hold => hold.SubjectId == subjectId, token) >= MaxHolds)
                {
                    return Failure.Conflict("identity.too_many_holds", "The person has 20 holds already.");
                }

                var key = await keys.GetOrCreateAsync(subjectId, token);
                var id = Guid.CreateVersion7(session.Now);
                if (key.Seal(Encoding.UTF8.GetBytes(reason), Context(id)) is not { } box)
                {
                    return Erasures.Erased;
                }

                session.Db.Add(
                    new HoldRow
                    {
                        Id = id,
                        SubjectId = subjectId,
                        SetBy = by.Id,
                        SetAt = session.Now,
                        Reason = box,
                    }
                );
                await session.LogAsync(Entry("identity.hold_set", by, subjectId, id, reason), token);
                return id;
            },
            cancellationToken
        );
    }

    /// <summary>Lifts a hold.</summary>
    public async Task<Result<Unit>> ReleaseAsync(
        Actor by,
        string subjectId,
        Guid id,
        string reason,
        CancellationToken cancellationToken
    )
    {
        if (!IsReason(reason))
        {
            return BadReason;
        }

        return await ChangeAsync<Unit>(
            by,
            subjectId,
            async (session, token) =>
            {
                var hold = await session
                    .Db.Set<HoldRow>()
                    .FirstOrDefaultAsync(row => row.Id == id && row.SubjectId == subjectId, token);
                if (hold is null)
                {
                    return Failure.NotFound("identity.no_hold", "The person has no such hold.");
                }

                session.Db.Remove(hold);
                await session.LogAsync(Entry("identity.hold_released", by, subjectId, id, reason), token);
                return default(Unit);
            },
            cancellationToken
        );
    }

    /// <summary>The holds of a person, with their reasons. Checks no right: the route does.</summary>
    public async Task<IReadOnlyList<HoldView>> ListAsync(string subjectId, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await OfAsync(db, subjectId, cancellationToken);
        var key = rows.Count == 0 ? null : await keys.FindAsync(subjectId, cancellationToken);
        return
        [
            .. rows.Select(row => new HoldView(
                row.Id,
                row.SetBy,
                row.SetAt,
                key?.Open(row.Reason, Context(row.Id)) is { } reason ? Encoding.UTF8.GetString(reason) : ""
            )),
        ];
    }

    /// <summary>Why somebody is not erased now: code <c>identity.legal_hold</c>, naming the holds but not their reasons; else null.</summary>
    public static async Task<Failure?> ObjectionAsync(
        GovernanceDb db,
        string subjectId,
        CancellationToken cancellationToken
    )
    {
        var holds = await OfAsync(db, subjectId, cancellationToken);
        return holds.Count == 0
            ? null
            : Failure.Conflict("identity.legal_hold", "A legal hold keeps this person from being erased.") with
            {
                Reasons = [.. holds.Select(hold => $"Hold {hold.Id}, set {hold.SetAt:yyyy-MM-dd} by {hold.SetBy}.")],
            };
    }

    public static Task<List<HoldRow>> OfAsync(GovernanceDb db, string subjectId, CancellationToken cancellationToken) =>
        db.Set<HoldRow>()
            .AsNoTracking()
            .Where(hold => hold.SubjectId == subjectId)
            .OrderBy(hold => hold.Id)
            .ToListAsync(cancellationToken);

    private async Task<Result<T>> ChangeAsync<T>(
        Actor by,
        string subjectId,
        Func<WriteSession, CancellationToken, Task<Result<T>>> change,
        CancellationToken cancellationToken
    )
    {
        var done = await writer.WriteAsync<T>(
            async (session, token) =>
                !(await reader.RightsNowAsync(session.Db, by, token)).Allows(
                    Permissions.SubjectHold,
                    AccessTarget.Global
                )
                    ? Denied
                : stepUp.Check(by) is { } objection ? objection
                : await change(session, token),
            cancellationToken
        );
        if (!done.Ok)
        {
            await writer.LogAsync(
                new LogEntry("identity.hold_refused", by, Administration.Subject(subjectId), LogOutcome.Refused)
                {
                    Details = new JsonObject { ["code"] = done.Failure.Code },
                },
                CancellationToken.None
            );
        }

        return done;
    }

    private static LogEntry Entry(string kind, Actor by, string subjectId, Guid id, string reason) =>
        new(kind, by, $"subject:{subjectId}", LogOutcome.Done)
        {
            Details = new JsonObject { ["hold"] = id.ToString() },
            Personal = new JsonObject { ["reason"] = reason },
        };

    private static bool IsReason(string reason) =>
        !string.IsNullOrWhiteSpace(reason) && reason.Length <= MaxReason && !reason.Any(char.IsControl);

    private static byte[] Context(Guid hold) => [(byte)'h', .. hold.ToByteArray(bigEndian: true)];
}
