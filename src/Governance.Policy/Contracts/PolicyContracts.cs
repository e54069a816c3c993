using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Policy.Contracts;

/// <summary>Answer of the decision engine.</summary>
public enum Verdict
{
    /// <summary>Go.</summary>
    Allow,

    /// <summary>Only approvals are missing.</summary>
    NeedsApproval,

    /// <summary>At least one condition is unmet.</summary>
    Deny,
}

/// <summary>One approval as the engine sees it: already checked for binding and expiry.</summary>
/// <param name="PersonId">Pseudonym of the person.</param>
/// <param name="Roles">Roles that person holds on the model now.</param>
public sealed record ApprovalFact(string PersonId, IReadOnlyList<string> Roles);

/// <summary>Everything a decision depends on. Recorded with the decision, so that it can be replayed.</summary>
public sealed record Facts
{
    /// <summary>What is asked, e.g. <c>stage:Production</c>, <c>alias:champion</c>, <c>alias-removal:champion</c>, <c>delete-version</c>.</summary>
    public required string Target { get; init; }

    /// <summary>Stage the version is in.</summary>
    public required string FromStage { get; init; }

    /// <summary>Registration status: READY, PENDING_REGISTRATION, FAILED_REGISTRATION.</summary>
    public required string Status { get; init; }

    /// <summary>Whether the version is quarantined.</summary>
    public required bool Quarantined { get; init; }

    /// <summary>Whether the version (or the model) now holds a protected stage or alias.</summary>
    public required bool HoldsProtected { get; init; }

    /// <summary>Roles of the caller on the model.</summary>
    public required IReadOnlyList<string> CallerRoles { get; init; }

    /// <summary>
    /// Whether the caller has <c>model:write</c> on the model, or <c>promotion:carry-out</c> when a stage is set: enough for
    /// unprotected moves.
    /// </summary>
    public required bool CallerMayWrite { get; init; }

    /// <summary>Scan class word; empty when missing.</summary>
    public required string ScanClass { get; init; }

    /// <summary>Whether an SBOM for exactly these bytes exists.</summary>
    public required bool Sbom { get; init; }

    /// <summary>Whether the signature over exactly these bytes verified now.</summary>
    public required bool SignatureVerified { get; init; }

    /// <summary>What is wrong with the signature, for the refusal text.</summary>
    public IReadOnlyList<string> SignatureReasons { get; init; } = [];

    /// <summary>pass, incomplete, fail; empty when missing.</summary>
    public required string Privacy { get; init; }

    /// <summary>Reasons behind the privacy outcome, for the refusal text.</summary>
    public required IReadOnlyList<string> PrivacyReasons { get; init; }

    /// <summary>Whether lineage is recorded.</summary>
    public required bool Lineage { get; init; }

    /// <summary>Valid approvals of the open request.</summary>
    public required IReadOnlyList<ApprovalFact> Approvals { get; init; }

    /// <summary>Persons whose approval does not count: requester, caller's own, last artifact author, last policy editor.</summary>
    public required IReadOnlyList<string> ExcludedApprovers { get; init; }

    /// <summary>Persons who could approve and are not excluded.</summary>
    public required int EligibleApprovers { get; init; }
}

/// <summary>A decision: pure function of facts and policy.</summary>
/// <param name="Verdict">The answer.</param>
/// <param name="Unmet">Every unmet condition, each with a stable code and a sentence.</param>
/// <param name="ApprovalsNeeded">What is still needed, e.g. <c>1 approval by a reviewer other than the requester</c>.</param>
/// <param name="Rule">Name of the policy rule that decided, e.g. <c>stage:Production</c> or <c>unprotected</c>.</param>
public sealed record Decision(
    Verdict Verdict,
    IReadOnlyList<UnmetCondition> Unmet,
    IReadOnlyList<string> ApprovalsNeeded,
    string Rule
);

/// <summary>One unmet condition.</summary>
/// <param name="Code">Stable code, e.g. <c>policy.role</c>, <c>policy.privacy</c>.</param>
/// <param name="Message">One sentence.</param>
public sealed record UnmetCondition(string Code, string Message);

/// <summary>The active promotion policy with its identity.</summary>
public interface IPromotionPolicy
{
    /// <summary>SHA-256 of the policy text in force.</summary>
    Digest Digest { get; }

    /// <summary>Actor id of whoever last changed the policy; <c>system</c> for the genesis.</summary>
    string LastEditor { get; }

    /// <summary>How long approvals hold.</summary>
    TimeSpan ApprovalLifetime { get; }

    /// <summary>Whether a target (<c>stage:…</c>, <c>alias:…</c>) is protected.</summary>
    bool IsProtected(string target);

    /// <summary>Roles whose approval the target's rule asks for.</summary>
    IReadOnlyList<string> ApproverRoles(string target);

    /// <summary>Decides. Pure: same facts, same policy, same answer.</summary>
    Decision Decide(Facts facts);
}

/// <summary>The policies in force, from the database; files seed an empty data directory only.</summary>
public interface IPolicies
{
    /// <summary>The active promotion policy.</summary>
    ValueTask<IPromotionPolicy> PromotionAsync(CancellationToken cancellationToken);

    /// <summary>Whose signatures over models count.</summary>
    ValueTask<SignersPolicy> SignersAsync(CancellationToken cancellationToken);

    /// <summary>The text of an active policy file by name, e.g. <c>privacy</c>; throws when unknown, which is a bug.</summary>
    ValueTask<(string Text, Digest Digest)> TextAsync(string name, CancellationToken cancellationToken);

    /// <summary>A promotion policy by its digest, current or former, for replay; null when unknown.</summary>
    Task<IPromotionPolicy?> FindPromotionAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>The digest of the signer policy as a transaction sees it.</summary>
    Task<Digest> SignersDigestAsync(WriteSession session, CancellationToken cancellationToken);

    /// <summary>Re-reads the policy digest inside a transaction, for the compare-and-swap of a move.</summary>
    Task<Digest> PromotionDigestAsync(WriteSession session, CancellationToken cancellationToken);
}

/// <summary>Canonical JSON of facts and decisions, for recording and replay.</summary>
public interface IDecisionCodec
{
    /// <summary>Facts as canonical JSON.</summary>
    JsonObject Encode(Facts facts);

    /// <summary>Facts from canonical JSON written by <see cref="Encode"/>.</summary>
    Facts Decode(JsonObject json);
}
