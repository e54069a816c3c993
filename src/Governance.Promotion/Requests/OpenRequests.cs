using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Promotion.Gate;
using Governance.Promotion.Storage;
using Governance.Registry.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Promotion.Requests;

/// <summary>An open request whose bindings hold, with the approvals that would count now.</summary>
/// <param name="Request">The request.</param>
/// <param name="Approvals">Approvals, unused and unexpired.</param>
internal sealed record OpenRequest(RequestRow Request, IReadOnlyList<ApprovalRow> Approvals);

/// <summary>The open requests of a move, and how they are opened, spent and closed.</summary>
internal sealed class OpenRequests(IDbContextFactory<GovernanceDb> databases, TimeProvider clock)
{
    /// <summary>Open requests for exactly this move, bound to what holds now.</summary>
    public async Task<IReadOnlyList<OpenRequest>> OfAsync(MoveContext context, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await Of(db, context).OrderBy(row => row.Id).Take(50).ToListAsync(cancellationToken);
        var ids = rows.ConvertAll(row => row.Id);
        var now = clock.GetUtcNow();
        var approvals = await db.Set<ApprovalRow>()
            .AsNoTracking()
            .Where(row => ids.Contains(row.RequestId) && row.Approves && row.UsedBy == null && row.ExpiresAt > now)
            .ToListAsync(cancellationToken);
        var byRequest = approvals.ToLookup(approval => approval.RequestId);
        return [.. rows.Select(row => new OpenRequest(row, [.. byRequest[row.Id]]))];
    }

    /// <summary>
    /// Opens a request bound to the context; writes its entry; returns its id, or that of the caller's open one for the same.
    /// </summary>
    public static async Task<Guid> OpenAsync(
        WriteSession session,
        MoveContext context,
        string reason,
        CancellationToken cancellationToken
    )
    {
        // Looked up inside the unit: calls side by side must not open one each.
        var own = await Of(session.Db, context)
            .Where(known => known.RequestedBy == context.Actor.Id)
            .OrderBy(known => known.Id)
            .FirstOrDefaultAsync(cancellationToken);
        if (own is not null)
        {
            return own.Id;
        }

        var row = new RequestRow
        {
            Id = Guid.CreateVersion7(session.Now),
            ModelId = context.Model.Id,
            Model = context.Model.Name,
            Version = context.Move.Version.Version,
            Kind = context.Move.Kind,
            Target = context.Move.Target,
            ArchiveExisting = context.Move.ArchiveExisting,
            RequestedBy = context.Actor.Id,
            OwnerId = context.Model.OwnerId,
            Reason = reason,
            EvidenceSubject = context.EvidenceSubject,
            EvidenceDigest = context.EvidenceDigest,
            PolicyDigest = context.Policy.Digest,
            CreatedAt = session.Now,
        };
        session.Db.Add(row);
        await session.LogAsync(
            new LogEntry("promotion.requested", context.Actor, MoveGate.Subject(context.Move), LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["evidence"] = row.EvidenceDigest.Hex,
                    ["evidenceSubject"] = row.EvidenceSubject.Hex,
                    ["policy"] = row.PolicyDigest.Hex,
                    ["request"] = row.Id.ToString(),
                    ["target"] = context.Move.TargetText,
                },
            },
            cancellationToken
        );
        return row.Id;
    }

    private static IQueryable<RequestRow> Of(GovernanceDb db, MoveContext context)
    {
        var move = context.Move;
        return db.Set<RequestRow>()
            .AsNoTracking()
            .Where(row =>
                row.ModelId == context.Model.Id
                && row.Version == move.Version.Version
                && row.State == RequestState.Open
                && row.Kind == move.Kind
                && row.Target == move.Target
                && row.ArchiveExisting == move.ArchiveExisting
                && row.EvidenceSubject == context.EvidenceSubject
                && row.EvidenceDigest == context.EvidenceDigest
                && row.PolicyDigest == context.Policy.Digest
            );
    }

    /// <summary>Re-reads the approvals inside the transaction; one that is used, expired or gone refuses the move.</summary>
    public static async Task<Result<IReadOnlyList<ApprovalRow>>> SpendAsync(
        WriteSession session,
        OpenRequest? request,
        CancellationToken cancellationToken
    )
    {
        if (request is null)
        {
            return Array.Empty<ApprovalRow>();
        }

        var row = await session.Db.Set<RequestRow>().FindAsync([request.Request.Id], cancellationToken);
        var ids = request.Approvals.Select(approval => approval.Id).ToList();
        var approvals = await session
            .Db.Set<ApprovalRow>()
            .Where(approval => ids.Contains(approval.Id))
            .ToListAsync(cancellationToken);
        var valid =
            row is { State: RequestState.Open }
            && approvals.Count == ids.Count
            && approvals.TrueForAll(approval =>
                approval is { UsedBy: null, Approves: true } && approval.ExpiresAt > session.Now
            );
        return valid
            ? approvals
            : Failure.Conflict("promotion.approval_spent", "An approval was used, withdrawn or expired meanwhile.");
    }

    /// <summary>Marks request and approvals as used by the decision.</summary>
    public static async Task CloseAsync(
        WriteSession session,
        OpenRequest? request,
        Guid decisionId,
        Guid? receiptId,
        CancellationToken cancellationToken
    )
    {
        if (request is null)
        {
            return;
        }

        var row = await session.Db.Set<RequestRow>().FindAsync([request.Request.Id], cancellationToken);
        row!.State = RequestState.CarriedOut;
        row.ReceiptId = receiptId;
        foreach (var approval in request.Approvals)
        {
            (await session.Db.Set<ApprovalRow>().FindAsync([approval.Id], cancellationToken))!.UsedBy = decisionId;
        }
    }
}
