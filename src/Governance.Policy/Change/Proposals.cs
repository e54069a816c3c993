using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Policy.Contracts;
using Governance.Policy.Engine;
using Governance.Policy.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Policy.Change;

/// <summary>
/// A new text takes two persons: one proposes it, another one approves it. It replaces the text that was approved last when it was
/// proposed and no other. Who may do so is judged inside the unit; a refusal is on record before it is answered.
/// </summary>
internal sealed class Proposals(IWriter writer, IAdministration administration, IEnumerable<IPolicyWatch> watches)
{
    public static readonly Failure Unknown = Failure.NotFound("policy.unknown", "There is no such policy to change.");
    public static readonly Failure NoProposal = Failure.NotFound(
        "policy.no_proposal",
        "There is no such proposal, or it was decided already."
    );

    private static readonly Failure NoReason = Failure.Invalid(
        "policy.no_reason",
        $"Say why, on one line of at most {ProposalRow.MaxReason} characters."
    );

    private static readonly Failure Same = Failure.Conflict(
        "policy.same",
        "This is the text that was approved last; there is nothing to change."
    );

    private static readonly Failure Changed = Failure.Conflict(
        "policy.changed",
        "Another text was approved since this was proposed. Propose it again, on top of that one."
    );

    private static readonly Failure Own = Failure.Denied(
        "policy.own_proposal",
        "It takes another person; whoever proposed it may withdraw it."
    );

    private static readonly Failure NotOwn = Failure.Denied(
        "policy.not_own_proposal",
        "Only whoever proposed it withdraws it; reject it instead."
    );

    private static readonly Failure ProposerGone = Failure.Conflict(
        "policy.proposer_gone",
        "Whoever proposed this may not do so any more. Reject it and propose it yourself."
    );

    public async Task<Result<ProposalRow>> ProposeAsync(
        Actor by,
        string name,
        string text,
        string reason,
        DateTimeOffset? activeFrom,
        CancellationToken cancellationToken
    )
    {
        var proposed =
            Check(name, text) is { } broken ? broken
            : !IsReason(reason) ? NoReason
            : await writer.WriteAsync<ProposalRow>(
                async (session, token) =>
                {
                    if (
                        await administration.ObjectionAsync(session, by, Permissions.PolicyManage, token) is
                        { } objection
                    )
                    {
                        return objection;
                    }

                    var replaced = await LastAsync(session, name, token);
                    var row = new ProposalRow
                    {
                        Id = Guid.CreateVersion7(session.Now),
                        Name = name,
                        Text = text,
                        Digest = Digest.Of(text),
                        Base = replaced,
                        Reason = reason,
                        ActiveFrom = activeFrom,
                        ProposedBy = by.Id,
                        ProposedAt = session.Now,
                    };
                    if (row.Digest == replaced)
                    {
                        return Same;
                    }

                    session.Db.Add(row);
                    await LogAsync(session, "policy.proposed", by, row, activeFrom, token);
                    return row;
                },
                cancellationToken
            );
        return proposed.Ok ? proposed : await RefuseAsync("policy.proposed", by, name, null, proposed.Failure);
    }

    public Task<Result<ProposalRow>> ApproveAsync(
        Actor by,
        string name,
        Guid id,
        CancellationToken cancellationToken
    ) =>
        DecideAsync(
            "policy.activated",
            by,
            name,
            id,
            async (session, row, token) =>
            {
                // Read again: a text that this version cannot read must not come into force.
                var objection =
                    row.ProposedBy == by.Id ? Own
                    : !await administration.HoldsAsync(session, row.ProposedBy, Permissions.PolicyManage, token)
                        ? ProposerGone
                    : await LastAsync(session, name, token) != row.Base ? Changed
                    : Check(name, row.Text);
                if (objection is not null)
                {
                    return objection;
                }

                var activeFrom = row.ActiveFrom > session.Now ? row.ActiveFrom.Value : session.Now;
                session.Db.Add(
                    new PolicyRow
                    {
                        Name = name,
                        Text = row.Text,
                        Digest = row.Digest,
                        Editor = row.ProposedBy,
                        ActiveFrom = activeFrom,
                        Scheduled = activeFrom > session.Now,
                        ProposalId = row.Id,
                    }
                );
                Close(session, row, by, ProposalState.Approved);
                foreach (var watch in watches)
                {
                    await watch.OnApprovedAsync(session, name, row.Id, activeFrom - session.Now, token);
                }

                return activeFrom;
            },
            cancellationToken
        );

    public Task<Result<ProposalRow>> RejectAsync(Actor by, string name, Guid id, CancellationToken cancellationToken) =>
        DecideAsync(
            "policy.rejected",
            by,
            name,
            id,
            (session, row, _) =>
                Task.FromResult(row.ProposedBy == by.Id ? Own : Close(session, row, by, ProposalState.Rejected)),
            cancellationToken
        );

    public Task<Result<ProposalRow>> WithdrawAsync(
        Actor by,
        string name,
        Guid id,
        CancellationToken cancellationToken
    ) =>
        DecideAsync(
            "policy.withdrawn",
            by,
            name,
            id,
            (session, row, _) =>
                Task.FromResult(row.ProposedBy == by.Id ? Close(session, row, by, ProposalState.Withdrawn) : NotOwn),
            cancellationToken
        );

    /// <summary>Decides an open proposal; gives back when its text is in force, where it is.</summary>
    private async Task<Result<ProposalRow>> DecideAsync(
        string kind,
        Actor by,
        string name,
        Guid id,
        Func<WriteSession, ProposalRow, CancellationToken, Task<Result<DateTimeOffset?>>> decide,
        CancellationToken cancellationToken
    )
    {
        var decided = await writer.WriteAsync<ProposalRow>(
            async (session, token) =>
            {
                if (await administration.ObjectionAsync(session, by, Permissions.PolicyManage, token) is { } objection)
                {
                    return objection;
                }

                var row = await session
                    .Db.Set<ProposalRow>()
                    .FirstOrDefaultAsync(
                        known => known.Id == id && known.Name == name && known.State == ProposalState.Open,
                        token
                    );
                if (row is null)
                {
                    return NoProposal;
                }

                var activeFrom = await decide(session, row, token);
                if (!activeFrom.Ok)
                {
                    return activeFrom.Failure;
                }

                await LogAsync(session, kind, by, row, activeFrom.Value, token);
                return row;
            },
            cancellationToken
        );
        return decided.Ok ? decided : await RefuseAsync(kind, by, name, id, decided.Failure);
    }

    private static Result<DateTimeOffset?> Close(WriteSession session, ProposalRow row, Actor by, ProposalState state)
    {
        row.State = state;
        row.DecidedBy = by.Id;
        row.DecidedAt = session.Now;
        return default(DateTimeOffset?);
    }

    private static Failure? Check(string name, string text)
    {
        if (!PolicyTexts.Has(name))
        {
            return Unknown;
        }

        try
        {
            PolicyTexts.Check(name, text);
            return null;
        }
        catch (PolicySyntaxException error)
        {
            return Failure.Invalid("policy.syntax", $"The policy is not changed: {error.Message}");
        }
    }

    private static bool IsReason(string text) =>
        text.Trim().Length > 0 && text.Length <= ProposalRow.MaxReason && !text.Any(char.IsControl);

    // In force or still to come: what is proposed must know of both.
    private static Task<Digest> LastAsync(WriteSession session, string name, CancellationToken cancellationToken) =>
        session.Db.Set<PolicyRow>().Newest(name).Select(row => row.Digest).FirstAsync(cancellationToken);

    private static Task LogAsync(
        WriteSession session,
        string kind,
        Actor by,
        ProposalRow row,
        DateTimeOffset? activeFrom,
        CancellationToken cancellationToken
    ) =>
        session.LogAsync(
            new LogEntry(kind, by, $"policy:{row.Name}", LogOutcome.Done)
            {
                Details = new JsonObject
                {
                    ["activeFrom"] = activeFrom?.UtcDateTime.ToString(
                        "yyyy-MM-dd'T'HH:mm:ss.fff'Z'",
                        CultureInfo.InvariantCulture
                    ),
                    ["base"] = row.Base.Hex,
                    ["proposal"] = row.Id.ToString(),
                    ["proposedBy"] = row.ProposedBy,
                    ["reasonSha256"] = Digest.Of(row.Reason).Hex,
                    ["sha256"] = row.Digest.Hex,
                },
            },
            cancellationToken
        );

    private async Task<Failure> RefuseAsync(string kind, Actor by, string name, Guid? id, Failure failure)
    {
        await writer.LogAsync(
            new LogEntry(kind, by, PolicyTexts.Has(name) ? $"policy:{name}" : "", LogOutcome.Refused)
            {
                Details = new JsonObject { ["code"] = failure.Code, ["proposal"] = id?.ToString() },
            },
            CancellationToken.None
        );
        return failure;
    }
}
