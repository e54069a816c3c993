using System.Linq.Expressions;
using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Evidence.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Policy.Contracts;
using Governance.Promotion.Contracts;
using Governance.Promotion.Gate;
using Governance.Promotion.Storage;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Promotion.Requests;

/// <summary>Requests, answers to them, decisions and receipts.</summary>
internal sealed class Promotions(
    MoveContexts contexts,
    FactsBuilder facts,
    IPolicies policies,
    IEvidence evidence,
    IRegistryReader registry,
    IAuditLog log,
    ILogKey logKey,
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    IStepUp stepUp,
    TimeProvider clock
) : IPromotions
{
    private const int MaxText = 2000;
    private const int MaxPage = 200;
    private static readonly Failure Unknown = Failure.NotFound(
        "promotion.request_not_found",
        "There is no such request."
    );

    public async Task<Result<RequestView>> RequestAsync(
        Actor actor,
        Move move,
        string reason,
        CancellationToken cancellationToken
    )
    {
        if (reason.Length > MaxText)
        {
            return Failure.Invalid("promotion.text_too_long", $"Write at most {MaxText} characters.");
        }

        var gathered = await contexts.GatherAsync(actor, move, cancellationToken);
        if (!gathered.Ok)
        {
            return await RefusedAsync(actor, MoveGate.Subject(move), gathered.Failure, cancellationToken);
        }

        var context = gathered.Value;
        if (
            !context.Rights.Allows(Permissions.PromotionRequest, context.Target)
            && !context.Rights.Allows(Permissions.PromotionCarryOut, context.Target)
        )
        {
            return await RefusedAsync(
                actor,
                MoveGate.Subject(move),
                Failure.Denied("promotion.may_not_request", "You may not request promotions of this model."),
                cancellationToken
            );
        }

        var opened = await writer.WriteAsync<Guid>(
            async (session, token) => await OpenRequests.OpenAsync(session, context, reason, token),
            cancellationToken
        );
        return opened.Ok ? (await FindRequestAsync(opened.Value, cancellationToken))! : opened.Failure;
    }

    public async Task<Result<RequestView>> ReviewAsync(
        Actor actor,
        Guid requestId,
        bool approve,
        string comment,
        CancellationToken cancellationToken
    )
    {
        if (comment.Length > MaxText)
        {
            return Failure.Invalid("promotion.text_too_long", $"Write at most {MaxText} characters.");
        }

        var row = await FindAsync(requestId, cancellationToken);
        var gathered = row is null ? Unknown : await contexts.GatherAsync(actor, row.Move, cancellationToken);
        if (!gathered.Ok)
        {
            return await RefusedAsync(actor, "", Unknown, cancellationToken);
        }

        var context = gathered.Value;
        if ((await ObjectionAsync(actor, row!, context, cancellationToken) ?? stepUp.Check(actor)) is { } objection)
        {
            return await RefusedAsync(actor, MoveGate.Subject(row!.Move), objection, cancellationToken);
        }

        var reviewed = await writer.WriteAsync<Unit>(
            (session, token) => ReviewAsync(session, context, row!.Id, approve, comment, token),
            cancellationToken
        );
        return reviewed.Ok
            ? (await FindRequestAsync(requestId, cancellationToken))!
            : await RefusedAsync(actor, MoveGate.Subject(row!.Move), reviewed.Failure, cancellationToken);
    }

    public async Task<Result<RequestView>> WithdrawAsync(
        Actor actor,
        Guid requestId,
        CancellationToken cancellationToken
    )
    {
        var row = await FindAsync(requestId, cancellationToken);
        if (row is null || row.RequestedBy != actor.Id)
        {
            return await RefusedAsync(actor, "", Unknown, cancellationToken);
        }

        var withdrawn = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var current = await session.Db.Set<RequestRow>().FindAsync([requestId], token);
                if (current!.State != RequestState.Open)
                {
                    return Closed;
                }

                current.State = RequestState.Withdrawn;
                await session.LogAsync(
                    new LogEntry("promotion.withdrawn", actor, MoveGate.Subject(current.Move), LogOutcome.Done)
                    {
                        Details = new JsonObject { ["request"] = requestId.ToString() },
                    },
                    token
                );
                return default(Unit);
            },
            cancellationToken
        );
        return withdrawn.Ok ? (await FindRequestAsync(requestId, cancellationToken))! : withdrawn.Failure;
    }

    public async Task<RequestView?> FindRequestAsync(
        Guid id,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    )
    {
        var row = await FindAsync(id, cancellationToken);
        return row is null || !visible(AccessTarget.Model(row.Model, row.OwnerId))
            ? null
            : (await ViewsAsync([row], cancellationToken))[0];
    }

    private Task<RequestView?> FindRequestAsync(Guid id, CancellationToken cancellationToken) =>
        FindRequestAsync(id, _ => true, cancellationToken);

    public async Task<Page<RequestView>> ListRequestsAsync(
        Func<AccessTarget, bool> visible,
        string? model,
        string? state,
        int first,
        string? after,
        CancellationToken cancellationToken
    )
    {
        var limit = Math.Clamp(first, 1, MaxPage);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var query = db.Set<RequestRow>().AsNoTracking();
        if (model is not null)
        {
            query = query.Where(row => row.Model == model);
        }

        if (state is not null)
        {
            // void is not stored: it is an open request whose bindings no longer hold.
            RequestState? wanted = state switch
            {
                "open" or "void" => RequestState.Open,
                "carried-out" => RequestState.CarriedOut,
                "rejected" => RequestState.Rejected,
                "withdrawn" => RequestState.Withdrawn,
                _ => null,
            };
            if (wanted is null)
            {
                return new Page<RequestView>([], null);
            }

            query = query.Where(row => row.State == wanted);
        }

        var items = new List<RequestView>();
        var cursor = Cursor.Parse(after);
        while (true)
        {
            var rows = await PageAsync(query, cursor, cancellationToken);
            var seen = rows.Where(row => visible(AccessTarget.Model(row.Model, row.OwnerId))).ToList();
            foreach (var view in await ViewsAsync(seen, cancellationToken))
            {
                if (state is null || view.State == state)
                {
                    items.Add(view);
                }

                if (items.Count == limit)
                {
                    return new Page<RequestView>(items, new Cursor(view.CreatedAt, view.Id).ToString());
                }
            }

            if (rows.Count == 0)
            {
                return new Page<RequestView>(items, null);
            }

            cursor = new Cursor(rows[^1].CreatedAt, rows[^1].Id);
        }
    }

    private static async Task<List<RequestRow>> PageAsync(
        IQueryable<RequestRow> query,
        Cursor? cursor,
        CancellationToken cancellationToken
    )
    {
        var page = cursor is null ? query : query.Where(row => row.CreatedAt <= cursor.At);
        var rows = await page.OrderByDescending(row => row.CreatedAt)
            .ThenByDescending(row => row.Id)
            .Take(2 * MaxPage)
            .ToListAsync(cancellationToken);
        // Requests of one millisecond are told apart by id; the cursor itself and what came before it are dropped.
        var last = cursor is null ? -1 : rows.FindIndex(row => row.Id == cursor.Id);
        return rows[(last + 1)..];
    }

    public async Task<IReadOnlyList<DecisionView>> DecisionsOfAsync(
        ModelVersionRef version,
        int first,
        CancellationToken cancellationToken
    )
    {
        if (await registry.FindModelAsync(version.Model, cancellationToken) is not { } model)
        {
            return [];
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = await db.Set<DecisionRow>()
            .AsNoTracking()
            .Where(row => row.ModelId == model.Id && row.Version == version.Version)
            .OrderByDescending(row => row.Id)
            .Take(Math.Clamp(first, 1, MaxPage))
            .ToListAsync(cancellationToken);
        return
        [
            .. rows.Select(row => new DecisionView(
                row.Id,
                version,
                new Move(version, row.Kind, row.Target, row.ArchiveExisting).TargetText,
                row.Verdict,
                JsonSerializer.Deserialize(row.Unmet, PromotionJson.Default.IReadOnlyListString) ?? [],
                row.PolicyDigest,
                row.Facts,
                row.At,
                row.ActorId,
                row.EntryId
            )),
        ];
    }

    public async Task<JsonObject?> ReceiptAsync(Guid receiptId, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<ReceiptRow>()
            .AsNoTracking()
            .SingleOrDefaultAsync(receipt => receipt.Id == receiptId, cancellationToken);
        if (
            row is null
            || await log.ReceiptProofAsync(row.EntryId, TimeSpan.FromSeconds(2), cancellationToken) is not { } proof
            || !(await log.FindAsync([row.EntryId], cancellationToken)).TryGetValue(row.EntryId, out var entry)
        )
        {
            return null;
        }

        return ReceiptVerifier.Compose(row.Statement, entry, proof, logKey.VerifierKey);
    }

    public Task<IReadOnlyList<Guid>> ReceiptsOfAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        ReceiptsOfAsync(version, row => row.Id, cancellationToken);

    public Task<IReadOnlyList<PromotionStatement>> StatementsOfAsync(
        ModelVersionRef version,
        CancellationToken cancellationToken
    ) =>
        ReceiptsOfAsync(
            version,
            row => new PromotionStatement(row.Id, row.Statement, row.At, row.EntryId),
            cancellationToken
        );

    private async Task<IReadOnlyList<T>> ReceiptsOfAsync<T>(
        ModelVersionRef version,
        Expression<Func<ReceiptRow, T>> select,
        CancellationToken cancellationToken
    )
    {
        if (await registry.FindModelAsync(version.Model, cancellationToken) is not { } model)
        {
            return [];
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<ReceiptRow>()
            .AsNoTracking()
            .Where(row => row.ModelId == model.Id && row.Version == version.Version)
            .OrderByDescending(row => row.Id)
            .Take(MaxPage)
            .Select(select)
            .ToListAsync(cancellationToken);
    }

    private static readonly Failure Closed = Failure.Conflict(
        "promotion.request_closed",
        "The request is no longer open."
    );

    private async Task<Failure?> ObjectionAsync(
        Actor actor,
        RequestRow row,
        MoveContext context,
        CancellationToken cancellationToken
    )
    {
        if (!context.Rights.Allows(Permissions.PromotionApprove, context.Target))
        {
            return Failure.Denied("promotion.may_not_approve", "You may not approve for this model.");
        }

        if (!actor.IsPerson)
        {
            return Failure.Denied("promotion.persons_only", "Only an enrolled person who signed in can approve.");
        }

        if ((await facts.ExcludedAsync(context, row.RequestedBy, cancellationToken)).Contains(actor.Id))
        {
            return Failure.Denied(
                "promotion.self_approval",
                "The requester, the author of the artifacts and the last policy editor cannot approve; it takes another person."
            );
        }

        return IsVoid(row, context.EvidenceSubject, context.EvidenceDigest, context.Policy.Digest)
            ? Failure.Conflict(
                "promotion.request_void",
                "Evidence or policy changed since the request was made; ask again."
            )
            : null;
    }

    private static async Task<Result<Unit>> ReviewAsync(
        WriteSession session,
        MoveContext context,
        Guid requestId,
        bool approve,
        string comment,
        CancellationToken cancellationToken
    )
    {
        var row = await session.Db.Set<RequestRow>().FindAsync([requestId], cancellationToken);
        if (row is not { State: RequestState.Open })
        {
            return Closed;
        }

        var earlier = await session
            .Db.Set<ApprovalRow>()
            .FirstOrDefaultAsync(
                known => known.RequestId == requestId && known.PersonId == context.Actor.Id,
                cancellationToken
            );
        if (earlier is not null && earlier.ExpiresAt > session.Now)
        {
            return Failure.Conflict("promotion.already_reviewed", "You have answered this request already.");
        }

        // An approval that expired may be given again; without that nobody could ever answer the request.
        if (earlier is not null)
        {
            session.Db.Remove(earlier);
            await session.Db.SaveChangesAsync(cancellationToken);
        }

        var approval = new ApprovalRow
        {
            Id = Guid.CreateVersion7(session.Now),
            RequestId = requestId,
            PersonId = context.Actor.Id,
            Approves = approve,
            Comment = comment,
            At = session.Now,
            ExpiresAt = session.Now + context.Policy.ApprovalLifetime,
        };
        if (!approve)
        {
            row.State = RequestState.Rejected;
        }

        approval.EntryId = await session.LogAsync(
            new LogEntry(
                approve ? "promotion.approved" : "promotion.rejected",
                context.Actor,
                MoveGate.Subject(row.Move),
                LogOutcome.Done
            )
            {
                Details = new JsonObject
                {
                    ["evidence"] = row.EvidenceDigest.Hex,
                    ["evidenceSubject"] = row.EvidenceSubject.Hex,
                    ["expires"] = approval.ExpiresAt.ToUnixTimeMilliseconds(),
                    ["policy"] = row.PolicyDigest.Hex,
                    ["request"] = requestId.ToString(),
                    ["target"] = row.Move.TargetText,
                },
            },
            cancellationToken
        );
        session.Db.Add(approval);
        return default(Unit);
    }

    private async Task<Failure> RefusedAsync(
        Actor actor,
        string subject,
        Failure failure,
        CancellationToken cancellationToken
    )
    {
        await writer.LogAsync(
            new LogEntry("promotion.review_refused", actor, subject, LogOutcome.Refused)
            {
                Details = new JsonObject { ["code"] = failure.Code },
            },
            cancellationToken
        );
        return failure;
    }

    private async Task<RequestRow?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<RequestRow>().AsNoTracking().SingleOrDefaultAsync(row => row.Id == id, cancellationToken);
    }

    private async Task<IReadOnlyList<RequestView>> ViewsAsync(
        List<RequestRow> rows,
        CancellationToken cancellationToken
    )
    {
        if (rows.Count == 0)
        {
            return [];
        }

        var ids = rows.ConvertAll(row => row.Id);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var approvals = (
            await db.Set<ApprovalRow>()
                .AsNoTracking()
                .Where(row => ids.Contains(row.RequestId))
                .ToListAsync(cancellationToken)
        ).ToLookup(row => row.RequestId);
        var current = await evidence.OfManyAsync(
            [.. rows.Select(row => row.Move.Version).Distinct()],
            cancellationToken
        );
        var models = new Dictionary<string, Digest>(StringComparer.Ordinal);
        foreach (
            var name in rows.Where(row => row.Move.IsOfWholeModel).Select(row => row.Move.Version.Model).Distinct()
        )
        {
            models[name] = await registry.FindModelAsync(name, cancellationToken) is { } model
                ? MoveContext.StateOf(model)
                : default;
        }

        var policy = (await policies.PromotionAsync(cancellationToken)).Digest;
        var now = clock.GetUtcNow();
        return
        [
            .. rows.Select(row =>
            {
                var known = current.GetValueOrDefault(row.Move.Version);
                var digest = row.Move.IsOfWholeModel ? models[row.Move.Version.Model] : known?.Digest ?? default;
                var isVoid = IsVoid(row, known?.Subject ?? default, digest, policy);
                var state = StateWord(row.State, isVoid);
                return new RequestView
                {
                    Id = row.Id,
                    Version = row.Move.Version,
                    Target = row.Move.TargetText,
                    State = state,
                    RequestedBy = row.RequestedBy,
                    Reason = row.Reason,
                    EvidenceSubject = row.EvidenceSubject,
                    PolicyDigest = row.PolicyDigest,
                    EvidenceDigest = row.EvidenceDigest,
                    CreatedAt = row.CreatedAt,
                    ReceiptId = row.ReceiptId,
                    Approvals =
                    [
                        .. approvals[row.Id]
                            .OrderBy(approval => approval.At)
                            .Select(approval => new ApprovalView(
                                approval.Id,
                                approval.PersonId,
                                approval.Approves,
                                approval.Comment,
                                approval.At,
                                approval.ExpiresAt,
                                state == "open"
                                    && approval is { Approves: true, UsedBy: null }
                                    && approval.ExpiresAt > now,
                                approval.EntryId
                            )),
                    ],
                };
            }),
        ];
    }

    private static bool IsVoid(RequestRow row, Digest subject, Digest evidenceDigest, Digest policy) =>
        row.EvidenceSubject != subject || row.EvidenceDigest != evidenceDigest || row.PolicyDigest != policy;

    private static string StateWord(RequestState state, bool isVoid) =>
        state switch
        {
            RequestState.Open => isVoid ? "void" : "open",
            RequestState.CarriedOut => "carried-out",
            RequestState.Rejected => "rejected",
            _ => "withdrawn",
        };
}

/// <summary>Where a page of requests ended.</summary>
/// <param name="At">Creation of the last request.</param>
/// <param name="Id">Its id.</param>
internal sealed record Cursor(DateTimeOffset At, Guid Id)
{
    public static Cursor? Parse(string? text) =>
        text?.Split('.') is [var at, var id]
        && long.TryParse(at, out var milliseconds)
        && milliseconds is > 0 and < 253402300799999
        && Guid.TryParse(id, out var guid)
            ? new Cursor(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds), guid)
            : null;

    public override string ToString() => $"{At.ToUnixTimeMilliseconds()}.{Id}";
}
