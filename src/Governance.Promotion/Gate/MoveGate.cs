using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Policy.Contracts;
using Governance.Promotion.Receipts;
using Governance.Promotion.Requests;
using Governance.Promotion.Storage;
using Governance.Registry.Contracts;

namespace Governance.Promotion.Gate;

/// <summary>
/// The choke point. Facts are gathered outside the transaction and compared inside it: policy, evidence, approvals and the
/// registry's state must still be what was decided on, in the transaction that moves, spends the approvals and writes the log.
/// </summary>
internal sealed class MoveGate(
    MoveContexts contexts,
    FactsBuilder factsBuilder,
    OpenRequests requests,
    BindingCheck binding,
    IDecisionCodec codec,
    IMover mover,
    ReceiptWriter receipts,
    IWriter writer,
    IStepUp stepUp
) : IMoveGate
{
    public async Task<Result<MoveOutcome>> MoveAsync(Actor actor, Move move, CancellationToken cancellationToken)
    {
        var gathered = await contexts.GatherAsync(actor, move, cancellationToken);
        if (!gathered.Ok)
        {
            await LogRefusalAsync(actor, move, gathered.Failure, cancellationToken);
            return gathered.Failure;
        }

        var context = gathered.Value;
        if (!MayAsk(context.Rights, context.Target))
        {
            // Nothing is decided for somebody who could not act on any answer: one entry, no facts.
            var refusal = MayAsk(context.Rights, context.Model.Target)
                ? Failure.Denied(
                    "promotion.target_not_granted",
                    $"Your grants on {move.Version.Model} do not reach all of: {string.Join(", ", context.Target.Touches)}."
                )
                : Failure.Denied("promotion.refused", $"You may not move versions of {move.Version.Model}.");
            await LogRefusalAsync(actor, move, refusal, cancellationToken);
            return refusal;
        }

        var candidates = await requests.OfAsync(context, cancellationToken);
        var (facts, decision, request) = await BestAsync(context, candidates, cancellationToken);
        if (
            context.Holds
            && (facts.CallerMayWrite || context.Rights.Allows(Permissions.PromotionCarryOut, context.Target))
        )
        {
            return new MoveOutcome(context.Version, null);
        }

        return decision.Verdict switch
        {
            Verdict.Allow => await CarryOutAsync(context, facts, decision, request, cancellationToken),
            Verdict.NeedsApproval => await AskAsync(context, facts, decision, cancellationToken),
            _ => await RefuseAsync(context, facts, decision, cancellationToken),
        };
    }

    // Every open request for this move is tried with its own approvals and exclusions; without one, the caller is the requester.
    private async Task<(Facts Facts, Decision Decision, OpenRequest? Request)> BestAsync(
        MoveContext context,
        IReadOnlyList<OpenRequest> candidates,
        CancellationToken cancellationToken
    )
    {
        foreach (var candidate in candidates)
        {
            var facts = await factsBuilder.BuildAsync(
                context,
                candidate.Request.RequestedBy,
                candidate.Approvals,
                cancellationToken
            );
            var decision = context.Policy.Decide(facts);
            if (decision.Verdict == Verdict.Allow)
            {
                return (facts, decision, candidate);
            }
        }

        var plain = await factsBuilder.BuildAsync(context, context.Actor.Id, [], cancellationToken);
        return (plain, context.Policy.Decide(plain), null);
    }

    private async Task<Result<MoveOutcome>> CarryOutAsync(
        MoveContext context,
        Facts facts,
        Decision decision,
        OpenRequest? request,
        CancellationToken cancellationToken
    )
    {
        // Policy asks for a role; what it lets move is a promotion all the same, whichever route it came by.
        var governed = decision.Rule != "unprotected";
        if (governed && stepUp.CheckBinding(context.Actor, Permissions.PromotionCarryOut) is { } unbound)
        {
            await LogRefusalAsync(context.Actor, context.Move, unbound, cancellationToken);
            return unbound;
        }

        var result = await writer.WriteAsync<MoveOutcome>(
            async (session, token) =>
            {
                var held = await binding.StillHoldsAsync(session, context, token);
                if (!held.Ok)
                {
                    return held.Failure;
                }

                var spent = await OpenRequests.SpendAsync(session, request, token);
                if (!spent.Ok)
                {
                    return spent.Failure;
                }

                var row = Decide(session, context, facts, decision);
                // Only what policy governs gets a statement: unprotected moves are plain registry changes.
                var receipt = governed ? await receipts.WriteAsync(session, context, row, spent.Value, token) : null;
                row.EntryId = receipt?.EntryId ?? await LogAllowAsync(session, context, row, token);
                await session.Db.SaveChangesAsync(token);
                await OpenRequests.CloseAsync(session, request, row.Id, receipt?.Id, token);
                var moved = await mover.MoveAsync(
                    session,
                    context.Actor,
                    context.Move,
                    row.Id,
                    context.Expectation,
                    token
                );
                return moved.Map(version => new MoveOutcome(version, receipt?.Id));
            },
            cancellationToken
        );
        if (!result.Ok)
        {
            // A lost compare-and-swap is a refusal, and refusals are in the log before they are answered.
            await LogRefusalAsync(context.Actor, context.Move, result.Failure, cancellationToken);
        }

        return result;
    }

    private async Task<Result<MoveOutcome>> AskAsync(
        MoveContext context,
        Facts facts,
        Decision decision,
        CancellationToken cancellationToken
    )
    {
        var opened = await writer.WriteAsync<Guid>(
            async (session, token) =>
            {
                var held = await binding.StillHoldsAsync(session, context, token);
                if (!held.Ok)
                {
                    return held.Failure;
                }

                var id = await OpenRequests.OpenAsync(session, context, "", token);
                var row = Decide(session, context, facts, decision);
                row.EntryId = await session.LogAsync(
                    new LogEntry(
                        "promotion.approval_required",
                        context.Actor,
                        Subject(context.Move),
                        LogOutcome.Refused
                    )
                    {
                        Details = Details(context, row, decision).With("request", id.ToString()),
                    },
                    token
                );
                return id;
            },
            cancellationToken
        );
        return opened.Ok
            ? Failure.Denied(
                "promotion.approval_required",
                $"Request {opened.Value} is open for {context.Move.TargetText} of {context.Move.Version}; repeat this call once it is approved. Needed:"
            ) with
            {
                Reasons = decision.ApprovalsNeeded,
            }
            : opened.Failure;
    }

    private async Task<Result<MoveOutcome>> RefuseAsync(
        MoveContext context,
        Facts facts,
        Decision decision,
        CancellationToken cancellationToken
    )
    {
        var logged = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var row = Decide(session, context, facts, decision);
                row.EntryId = await session.LogAsync(
                    new LogEntry("promotion.refused", context.Actor, Subject(context.Move), LogOutcome.Refused)
                    {
                        Details = Details(context, row, decision),
                    },
                    token
                );
                return default(Unit);
            },
            cancellationToken
        );
        if (!logged.Ok)
        {
            return logged.Failure;
        }

        // Waiting for evidence is a state, not a verdict on the caller: clients may come back.
        var waiting =
            decision.Unmet.All(condition => condition.Code is not ("policy.role" or "policy.write"))
            && decision.Unmet.Any(condition => condition.Code == "policy.not_ready");
        var reasons = decision
            .Unmet.Where(condition => condition.Code != "policy.privacy_reason" || MaySeeFindings(context))
            .Select(condition => condition.Message)
            .ToList();
        return new Failure(
            waiting ? FailureKind.Conflict : FailureKind.Denied,
            waiting ? "promotion.not_ready" : "promotion.refused",
            $"{context.Move.TargetText} of {context.Move.Version} is refused:"
        )
        {
            Reasons = reasons,
        };
    }

    private static bool MayAsk(Rights rights, AccessTarget target) =>
        new[] { Permissions.ModelWrite, Permissions.PromotionRequest, Permissions.PromotionCarryOut }.Any(permission =>
            rights.Allows(permission, target)
        );

    private static bool MaySeeFindings(MoveContext context) =>
        new[] { Permissions.FindingRead, Permissions.PromotionRequest, Permissions.PromotionCarryOut }.Any(permission =>
            context.Rights.Allows(permission, context.Target)
        );

    private DecisionRow Decide(WriteSession session, MoveContext context, Facts facts, Decision decision)
    {
        var row = new DecisionRow
        {
            Id = Guid.CreateVersion7(session.Now),
            ModelId = context.Model.Id,
            Model = context.Model.Name,
            Version = context.Move.Version.Version,
            Kind = context.Move.Kind,
            Target = context.Move.Target,
            ArchiveExisting = context.Move.ArchiveExisting,
            Verdict = decision.Verdict switch
            {
                Verdict.Allow => "allow",
                Verdict.NeedsApproval => "needs-approval",
                _ => "deny",
            },
            Unmet = JsonSerializer.Serialize(
                [.. decision.Unmet.Select(condition => $"{condition.Code}: {condition.Message}")],
                PromotionJson.Default.IReadOnlyListString
            ),
            EvidenceSubject = context.EvidenceSubject,
            EvidenceDigest = context.EvidenceDigest,
            PolicyDigest = context.Policy.Digest,
            Facts = CanonicalJson.SerializeToString(codec.Encode(facts)),
            At = session.Now,
            ActorId = context.Actor.Id,
        };
        session.Db.Add(row);
        return row;
    }

    private static Task<Guid> LogAllowAsync(
        WriteSession session,
        MoveContext context,
        DecisionRow row,
        CancellationToken cancellationToken
    ) =>
        session.LogAsync(
            new LogEntry("promotion.allowed", context.Actor, Subject(context.Move), LogOutcome.Done)
            {
                Details = Details(context, row, null),
            },
            cancellationToken
        );

    private Task LogRefusalAsync(Actor actor, Move move, Failure failure, CancellationToken cancellationToken) =>
        writer.LogAsync(
            new LogEntry("promotion.refused", actor, Subject(move), LogOutcome.Refused)
            {
                Details = new JsonObject { ["code"] = failure.Code, ["target"] = move.TargetText },
            },
            cancellationToken
        );

    internal static string Subject(Move move) =>
        move.IsOfWholeModel ? Urn.Model(move.Version.Model) : Urn.Version(move.Version);

    internal static JsonObject Details(MoveContext context, DecisionRow row, Decision? decision) =>
        new()
        {
            ["decision"] = row.Id.ToString(),
            ["evidence"] = context.EvidenceDigest.Hex,
            ["evidenceSubject"] = context.EvidenceSubject.Hex,
            ["facts"] = Digest.Of(row.Facts).Hex,
            ["policy"] = context.Policy.Digest.Hex,
            ["target"] = context.Move.TargetText,
            ["unmet"] = new JsonArray([
                .. (decision?.Unmet ?? []).Select(condition => (JsonNode)condition.Code).Distinct(),
            ]),
        };
}

/// <summary>Small additions to JSON objects.</summary>
internal static class JsonObjectAdditions
{
    /// <summary>Adds one text member and returns the object.</summary>
    public static JsonObject With(this JsonObject json, string name, string value)
    {
        json[name] = value;
        return json;
    }
}
