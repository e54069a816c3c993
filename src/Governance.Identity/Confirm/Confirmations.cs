using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Contracts;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Confirm;

/// <summary>
/// Four eyes on privileged changes. Whoever asks can't confirm, nor can who gains by the change, nor an administrator who is
/// held by such a change: one person with two accounts stays one person.
/// </summary>
internal sealed class Confirmations(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    SubjectReader reader,
    Administration administration,
    IEnumerable<IConfirmable> parts,
    IOptions<IdentityOptions> options
) : IConfirmations
{
    private static readonly Failure NotPending = Failure.NotFound(
        "identity.no_confirmation",
        "No confirmation of that id is pending."
    );

    /// <summary>Code <c>identity.requester_gone</c>.</summary>
    internal static readonly Failure RequesterGone = Failure.Conflict(
        "identity.requester_gone",
        "Who asked for this may not do so any more. Renew it as your own request, or reject it and ask again."
    );

    /// <summary>
    /// Asks for a confirmation inside the unit that makes the change; returns its id. Asked for again by the same administrator,
    /// an account is held by the newer one alone; what another one asked for still waits for its own second person.
    /// </summary>
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
            GroupId = request.GroupId,
            ObjectId = request.ObjectId,
            Details = request.Details.ToJsonString(),
            Holds = request.Holds,
            RequestedBy = by.Id,
            RequestedAt = session.Now,
            ExpiresAt = session.Now.AddHours(options.Value.ConfirmationHours),
        };
        if (row.Holds)
        {
            await ReplaceAsync(session, by, row, cancellationToken);
        }

        session.Db.Add(row);
        await session.Db.SaveChangesAsync(cancellationToken);
        await LogAsync(session, "identity.confirmation_requested", by, row, cancellationToken);
        session.AfterCommit(reader.Forget);
        return row.Id;
    }

    /// <summary>Ends the waiting of a change that was taken back inside this unit; that takes no second person.</summary>
    public static async Task WithdrawAsync(
        WriteSession session,
        Actor by,
        IQueryable<ConfirmationRow> changes,
        CancellationToken cancellationToken
    )
    {
        foreach (
            var row in await changes.Where(row => row.State == ConfirmationState.Pending).ToListAsync(cancellationToken)
        )
        {
            Close(session, row, by, ConfirmationState.Rejected);
            await session.Db.SaveChangesAsync(cancellationToken);
            await LogAsync(session, "identity.rejected", by, row, cancellationToken);
        }
    }

    /// <inheritdoc />
    public Task<Result<Unit>> ConfirmAsync(Actor by, Guid id, CancellationToken cancellationToken) =>
        DecideAsync(by, id, confirm: true, cancellationToken);

    /// <inheritdoc />
    public Task<Result<Unit>> RejectAsync(Actor by, Guid id, CancellationToken cancellationToken) =>
        DecideAsync(by, id, confirm: false, cancellationToken);

    /// <inheritdoc />
    public Task<Result<Unit>> RenewAsync(Actor by, Guid id, CancellationToken cancellationToken) =>
        ChangeAsync(
            by,
            id,
            async (session, row, token) =>
            {
                if (
                    row.ExpiresAt > session.Now
                    && !await IsRequesterGoneAsync(session, row, token)
                    && await PartOf(row).ObjectionAsync(session, by, row, token) != RequesterGone
                )
                {
                    return Failure.Conflict("identity.confirmation_open", "It can still be confirmed as it is.");
                }

                // Whoever gains must not ask either: then its first requester could confirm it for them.
                if (await ObjectionAsync(session, by, row, confirm: false, token) is { } objection)
                {
                    return objection;
                }

                row.RequestedBy = by.Id;
                row.RequestedAt = session.Now;
                row.ExpiresAt = session.Now.AddHours(options.Value.ConfirmationHours);
                return "identity.confirmation_requested";
            },
            cancellationToken
        );

    /// <inheritdoc />
    public async Task<Result<Page<ConfirmationView>>> ListAsync(
        Actor by,
        int first,
        Guid? after,
        CancellationToken cancellationToken
    )
    {
        if (await administration.CheckReadAsync(by, "", cancellationToken) is { } refusal)
        {
            return refusal;
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await db.Set<ConfirmationRow>()
            .AsNoTracking()
            .Where(row => row.State == ConfirmationState.Pending && (after == null || row.Id > after))
            .OrderBy(row => row.Id)
            .Take(first + 1)
            .ToListAsync(cancellationToken);
        return new Page<ConfirmationView>(
            [.. rows.Take(first).Select(View)],
            rows.Count > first ? rows[first - 1].Id.ToString() : null
        );
    }

    private Task<Result<Unit>> DecideAsync(Actor by, Guid id, bool confirm, CancellationToken cancellationToken) =>
        ChangeAsync(
            by,
            id,
            async (session, row, token) =>
            {
                if (await ObjectionAsync(session, by, row, confirm, token) is { } objection)
                {
                    return objection;
                }

                var part = PartOf(row);
                if (confirm && await part.ObjectionAsync(session, by, row, token) is { } more)
                {
                    return more;
                }

                Close(session, row, by, confirm ? ConfirmationState.Confirmed : ConfirmationState.Rejected);
                await (
                    confirm ? part.ConfirmedAsync(session, by, row, token) : part.RejectedAsync(session, row, token)
                );
                return confirm ? "identity.confirmed" : "identity.rejected";
            },
            cancellationToken
        );

    private IConfirmable PartOf(ConfirmationRow row) => parts.Single(known => known.Handles(row.Kind));

    /// <summary>Runs a change of a waiting row, gives back the kind of its entry; a refusal is on record before it is answered.</summary>
    private async Task<Result<Unit>> ChangeAsync(
        Actor by,
        Guid id,
        Func<WriteSession, ConfirmationRow, CancellationToken, Task<Result<string>>> change,
        CancellationToken cancellationToken
    )
    {
        var done = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                if (await administration.ObjectionAsync(session, by, token) is { } objection)
                {
                    return objection;
                }

                var row = await session
                    .Db.Set<ConfirmationRow>()
                    .FirstOrDefaultAsync(known => known.Id == id && known.State == ConfirmationState.Pending, token);
                if (row is null)
                {
                    return NotPending;
                }

                var kind = await change(session, row, token);
                if (!kind.Ok)
                {
                    return kind.Failure;
                }

                await session.Db.SaveChangesAsync(token);
                await LogAsync(session, kind.Value, by, row, token);
                session.AfterCommit(reader.Forget);
                return default(Unit);
            },
            cancellationToken
        );
        if (!done.Ok)
        {
            await writer.LogAsync(
                new LogEntry("identity.confirmation_refused", by, $"confirmation:{id}", LogOutcome.Refused)
                {
                    Details = new JsonObject { ["code"] = done.Failure.Code },
                },
                CancellationToken.None
            );
        }

        return done;
    }

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

        var gains =
            by.Id == row.SubjectId
            || (
                row.SubjectId is null
                && await session
                    .Db.Set<MemberRow>()
                    .AnyAsync(member => member.GroupId == row.GroupId && member.SubjectId == by.Id, cancellationToken)
            );
        return gains || (confirm && by.Id == row.RequestedBy)
                ? Failure.Denied(
                    "identity.own_confirmation",
                    "It takes another administrator: neither who asked nor who gains by it."
                )
            : confirm && row.ExpiresAt <= session.Now
                ? Failure.Conflict("identity.confirmation_expired", "Nobody confirmed it in time; ask for it again.")
            : confirm && await IsRequesterGoneAsync(session, row, cancellationToken) ? RequesterGone
            : null;
    }

    // Disabled or erased. The gateway itself has no row, and asks too.
    private static Task<bool> IsRequesterGoneAsync(
        WriteSession session,
        ConfirmationRow row,
        CancellationToken cancellationToken
    ) =>
        session
            .Db.Set<SubjectRow>()
            .AnyAsync(subject => subject.Id == row.RequestedBy && !subject.Enabled, cancellationToken);

    // Not as rejected: whoever asks twice has not been refused by anybody.
    private static async Task ReplaceAsync(
        WriteSession session,
        Actor by,
        ConfirmationRow newer,
        CancellationToken cancellationToken
    )
    {
        var older = await session
            .Db.Set<ConfirmationRow>()
            .Where(row =>
                row.Kind == newer.Kind
                && row.SubjectId == newer.SubjectId
                && row.RequestedBy == by.Id
                && row.Holds
                && row.State == ConfirmationState.Pending
            )
            .ToListAsync(cancellationToken);
        foreach (var row in older)
        {
            session.Db.Remove(row);
            await LogAsync(session, "identity.confirmation_replaced", by, row, cancellationToken);
        }
    }

    private static void Close(WriteSession session, ConfirmationRow row, Actor by, ConfirmationState state)
    {
        row.State = state;
        row.DecidedBy = by.Id;
        row.DecidedAt = session.Now;
    }

    private static ConfirmationView View(ConfirmationRow row) =>
        new(
            row.Id,
            row.Kind,
            row.SubjectId,
            row.GroupId,
            JsonNode.Parse(row.Details)!.AsObject(),
            row.RequestedBy,
            row.RequestedAt,
            row.ExpiresAt
        );

    private static Task LogAsync(
        WriteSession session,
        string kind,
        Actor by,
        ConfirmationRow row,
        CancellationToken cancellationToken
    )
    {
        var details = JsonNode.Parse(row.Details)!.AsObject();
        // Whoever knows a login could tell by its digest whose it is.
        details.Remove(LoginConfirmation.Digest, out var digest);
        return session.LogAsync(
            new LogEntry(
                kind,
                by,
                row.SubjectId is null ? $"group:{row.GroupId}" : $"subject:{row.SubjectId}",
                LogOutcome.Done
            )
            {
                Details = new JsonObject
                {
                    ["change"] = row.Kind,
                    ["confirmation"] = row.Id.ToString(),
                    ["details"] = details,
                    ["requestedBy"] = row.RequestedBy,
                },
                Personal = digest is null ? null : new JsonObject { [LoginConfirmation.Digest] = digest },
            },
            cancellationToken
        );
    }
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
