using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Confirm;

/// <summary>
/// Four eyes on privileged changes. Whoever asks can't confirm, nor can the account that the change is about, nor an
/// administrator who is held by such a change: one person with two accounts stays one person.
/// </summary>
internal sealed class Confirmations(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    SubjectReader reader,
    IEnumerable<IConfirmable> parts,
    IOptions<IdentityOptions> options
)
{
    private static readonly Failure NotPending = Failure.NotFound(
        "identity.no_confirmation",
        "No confirmation of that id is pending."
    );

    /// <summary>Asks for a confirmation inside the unit that makes the change; returns its id.</summary>
    public async Task<Guid> RequestAsync(
        WriteSession session,
        Actor by,
        ConfirmationRequest request,
        CancellationToken cancellationToken
    )
    {
        var row = new ConfirmationRow
        {
            Id = Guid.CreateVersion7(session.Now),
            Kind = request.Kind,
            SubjectId = request.SubjectId,
            ObjectId = request.ObjectId,
            Details = request.Details.ToJsonString(),
            Holds = request.Holds,
            RequestedBy = by.Id,
            RequestedAt = session.Now,
            ExpiresAt = session.Now.AddHours(options.Value.ConfirmationHours),
        };
        session.Db.Add(row);
        await session.Db.SaveChangesAsync(cancellationToken);
        await LogAsync(session, "identity.confirmation_requested", by, row, cancellationToken);
        session.AfterCommit(reader.Forget);
        return row.Id;
    }

    /// <summary>Confirms or rejects. The requester may take the own request back by rejecting it.</summary>
    public async Task<Result<Unit>> DecideAsync(Actor by, Guid id, bool confirm, CancellationToken cancellationToken)
    {
        var decided = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var row = await PendingAsync(session, id, token);
                if (row is null)
                {
                    return NotPending;
                }

                if (await ObjectionAsync(session, by, row, confirm, token) is { } objection)
                {
                    return objection;
                }

                row.State = confirm ? ConfirmationState.Confirmed : ConfirmationState.Rejected;
                row.DecidedBy = by.Id;
                row.DecidedAt = session.Now;
                var part = parts.Single(known => known.Handles(row.Kind));
                await (confirm ? part.ConfirmedAsync(session, row, token) : part.RejectedAsync(session, row, token));
                await session.Db.SaveChangesAsync(token);
                var kind = confirm ? "identity.confirmed" : "identity.rejected";
                await LogAsync(session, kind, by, row, token);
                session.AfterCommit(reader.Forget);
                return default(Unit);
            },
            cancellationToken
        );
        if (!decided.Ok)
        {
            await writer.LogAsync(
                new LogEntry("identity.confirmation_refused", by, $"confirmation:{id}", LogOutcome.Refused)
                {
                    Details = new JsonObject { ["code"] = decided.Failure.Code },
                },
                cancellationToken
            );
        }

        return decided;
    }

    /// <summary>Asks again for one that nobody answered in time; whoever asks is the requester from then on.</summary>
    public Task<Result<Unit>> RenewAsync(Actor by, Guid id, CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (await PendingAsync(session, id, token) is not { } row)
                {
                    return NotPending;
                }

                if (row.ExpiresAt > session.Now)
                {
                    return Failure.Conflict("identity.confirmation_open", "It can still be confirmed as it is.");
                }

                row.RequestedBy = by.Id;
                row.RequestedAt = session.Now;
                row.ExpiresAt = session.Now.AddHours(options.Value.ConfirmationHours);
                await session.Db.SaveChangesAsync(token);
                await LogAsync(session, "identity.confirmation_requested", by, row, token);
                return default(Unit);
            },
            cancellationToken
        );

    /// <summary>What is pending, oldest first, expired ones included.</summary>
    public async Task<Page<ConfirmationRow>> ListAsync(int first, Guid? after, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await db.Set<ConfirmationRow>()
            .AsNoTracking()
            .Where(row => row.State == ConfirmationState.Pending && (after == null || row.Id > after))
            .OrderBy(row => row.Id)
            .Take(first + 1)
            .ToListAsync(cancellationToken);
        return rows.Count > first
            ? new Page<ConfirmationRow>([.. rows.Take(first)], rows[first - 1].Id.ToString())
            : new Page<ConfirmationRow>(rows, null);
    }

    private static Task<ConfirmationRow?> PendingAsync(WriteSession session, Guid id, CancellationToken token) =>
        session
            .Db.Set<ConfirmationRow>()
            .FirstOrDefaultAsync(row => row.Id == id && row.State == ConfirmationState.Pending, token);

    private static async Task<Failure?> ObjectionAsync(
        WriteSession session,
        Actor by,
        ConfirmationRow row,
        bool confirm,
        CancellationToken cancellationToken
    )
    {
        if (!by.IsPerson)
        {
            return Failure.Denied("identity.persons_only", "Only an enrolled person who signed in may do this.");
        }

        if (by.Id == row.SubjectId || (confirm && by.Id == row.RequestedBy))
        {
            return Failure.Denied(
                "identity.own_confirmation",
                "It takes another administrator: neither who asked nor whom it is about."
            );
        }

        if (confirm && row.ExpiresAt <= session.Now)
        {
            return Failure.Conflict("identity.confirmation_expired", "Nobody confirmed it in time; ask for it again.");
        }

        // Read here too: who may confirm must not have become held between the gate and this unit.
        return await session.Db.Set<ConfirmationRow>().HoldsAsync(by.Id, cancellationToken)
            ? Failure.Denied("identity.unconfirmed", "Your own account waits for another administrator's confirmation.")
            : null;
    }

    private static Task LogAsync(
        WriteSession session,
        string kind,
        Actor by,
        ConfirmationRow row,
        CancellationToken cancellationToken
    ) =>
        session.LogAsync(
            new LogEntry(kind, by, $"subject:{row.SubjectId}", LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["change"] = row.Kind,
                    ["confirmation"] = row.Id.ToString(),
                    ["details"] = JsonNode.Parse(row.Details),
                    ["requestedBy"] = row.RequestedBy,
                },
            },
            cancellationToken
        );
}

/// <summary>Who is held by a pending confirmation.</summary>
internal static class Holds
{
    /// <summary>Whether a pending change, expired or not, keeps the account from approving.</summary>
    public static Task<bool> HoldsAsync(
        this IQueryable<ConfirmationRow> rows,
        string subjectId,
        CancellationToken cancellationToken
    ) =>
        rows.AnyAsync(
            row => row.SubjectId == subjectId && row.Holds && row.State == ConfirmationState.Pending,
            cancellationToken
        );
}
