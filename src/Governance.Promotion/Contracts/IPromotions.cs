using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Registry.Contracts;

namespace Governance.Promotion.Contracts;

/// <summary>An approval or rejection.</summary>
/// <param name="Id">Id.</param>
/// <param name="PersonId">Pseudonym.</param>
/// <param name="Approves">Approval or rejection.</param>
/// <param name="Comment">Comment, or empty.</param>
/// <param name="At">UTC.</param>
/// <param name="ExpiresAt">UTC.</param>
/// <param name="Valid">Whether it would still count now: bound to the current subject, policy and evidence, not expired, not used.</param>
/// <param name="EntryId">Log entry.</param>
public sealed record ApprovalView(
    Guid Id,
    string PersonId,
    bool Approves,
    string Comment,
    DateTimeOffset At,
    DateTimeOffset ExpiresAt,
    bool Valid,
    Guid EntryId
);

/// <summary>A promotion request.</summary>
public sealed record RequestView
{
    /// <summary>Id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The version.</summary>
    public required ModelVersionRef Version { get; init; }

    /// <summary>e.g. <c>stage:Production</c>.</summary>
    public required string Target { get; init; }

    /// <summary>open, carried-out, rejected, withdrawn, void (evidence or policy changed).</summary>
    public required string State { get; init; }

    /// <summary>Pseudonym of the requester.</summary>
    public required string RequestedBy { get; init; }

    /// <summary>Reason given, or empty.</summary>
    public required string Reason { get; init; }

    /// <summary>Bound evidence subject.</summary>
    public required Digest EvidenceSubject { get; init; }

    /// <summary>Bound policy digest.</summary>
    public required Digest PolicyDigest { get; init; }

    /// <summary>Bound evidence digest.</summary>
    public required Digest EvidenceDigest { get; init; }

    /// <summary>UTC.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Approvals and rejections.</summary>
    public required IReadOnlyList<ApprovalView> Approvals { get; init; }

    /// <summary>Receipt, once carried out.</summary>
    public required Guid? ReceiptId { get; init; }
}

/// <summary>A recorded decision.</summary>
/// <param name="Id">Id.</param>
/// <param name="Version">Version.</param>
/// <param name="Target">Target.</param>
/// <param name="Verdict">allow, needs-approval, deny.</param>
/// <param name="Unmet">Unmet conditions.</param>
/// <param name="PolicyDigest">Policy in force.</param>
/// <param name="FactsJson">Canonical facts: replay gives the same answer.</param>
/// <param name="At">UTC.</param>
/// <param name="ActorId">Caller.</param>
/// <param name="EntryId">Log entry.</param>
public sealed record DecisionView(
    Guid Id,
    ModelVersionRef Version,
    string Target,
    string Verdict,
    IReadOnlyList<string> Unmet,
    Digest PolicyDigest,
    string FactsJson,
    DateTimeOffset At,
    string ActorId,
    Guid EntryId
);

/// <summary>The signed statement of a carried-out move.</summary>
/// <param name="ReceiptId">Its receipt, which also proves that the log has it.</param>
/// <param name="Bundle">Sigstore bundle v0.3 over an in-toto statement.</param>
/// <param name="At">UTC.</param>
/// <param name="EntryId">Log entry that names it.</param>
public sealed record PromotionStatement(Guid ReceiptId, byte[] Bundle, DateTimeOffset At, Guid EntryId);

/// <summary>Requests, approvals, decisions and receipts. Methods with an actor authorise it.</summary>
public interface IPromotions
{
    /// <summary>Opens a request, or returns the caller's open one for the same subject and target.</summary>
    Task<Result<RequestView>> RequestAsync(Actor actor, Move move, string reason, CancellationToken cancellationToken);

    /// <summary>Approves or rejects. Persons only, never the requester, the last artifact author or the last policy editor.</summary>
    Task<Result<RequestView>> ReviewAsync(
        Actor actor,
        Guid requestId,
        bool approve,
        string comment,
        CancellationToken cancellationToken
    );

    /// <summary>Withdraws the caller's own request.</summary>
    Task<Result<RequestView>> WithdrawAsync(Actor actor, Guid requestId, CancellationToken cancellationToken);

    /// <summary>A request, or null; of one that is not visible nothing more is looked up than of one that is not there.</summary>
    Task<RequestView?> FindRequestAsync(Guid id, Func<AccessTarget, bool> visible, CancellationToken cancellationToken);

    /// <summary>Requests, newest first, keyset-paged; filters are optional.</summary>
    Task<Page<RequestView>> ListRequestsAsync(
        Func<AccessTarget, bool> visible,
        string? model,
        string? state,
        int first,
        string? after,
        CancellationToken cancellationToken
    );

    /// <summary>Decisions of a version, newest first, at most <paramref name="first"/> ≤ 200.</summary>
    Task<IReadOnlyList<DecisionView>> DecisionsOfAsync(
        ModelVersionRef version,
        int first,
        CancellationToken cancellationToken
    );

    /// <summary>
    /// The receipt: {statement: Sigstore bundle, entry, salt, inclusionProof, verifierKey}; null when unknown; waits up to 2 s for the proof.
    /// </summary>
    Task<JsonObject?> ReceiptAsync(Guid receiptId, CancellationToken cancellationToken);

    /// <summary>Receipts of a version, newest first.</summary>
    Task<IReadOnlyList<Guid>> ReceiptsOfAsync(ModelVersionRef version, CancellationToken cancellationToken);

    /// <summary>The statements of a version's receipts, newest first, at most 200.</summary>
    Task<IReadOnlyList<PromotionStatement>> StatementsOfAsync(
        ModelVersionRef version,
        CancellationToken cancellationToken
    );
}
