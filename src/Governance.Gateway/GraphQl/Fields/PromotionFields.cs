using System.Text;
using Governance.Audit.Contracts;
using Governance.Compliance.Contracts;
using Governance.Gateway.GraphQl.Guard;
using Governance.Kernel;
using Governance.Promotion.Contracts;
using GraphQL;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>One page of promotion requests.</summary>
[Name("RequestPage")]
[Needs("promotion:read")]
internal sealed class RequestPage(Page<RequestView> page)
{
    /// <summary>The requests of this page, newest first.</summary>
    [Cost(Length = 1)]
    public IEnumerable<RequestFields> Items => page.Items.Select(view => new RequestFields(view));

    /// <summary>Give this as after to get the next page; null on the last one.</summary>
    public string? NextToken => page.NextToken;
}

/// <summary>A request to promote a version.</summary>
[Name("PromotionRequest")]
[Needs("promotion:read")]
internal sealed class RequestFields(RequestView view)
{
    /// <summary>Id.</summary>
    [Id]
    public Guid Id => view.Id;

    /// <summary>Model name.</summary>
    public string Model => view.Version.Model;

    /// <summary>Version number.</summary>
    public int Version => view.Version.Version;

    /// <summary>Where it is to go, for example stage:Production.</summary>
    public string Target => view.Target;

    /// <summary>State: open, carried-out, rejected, withdrawn or void.</summary>
    public string State => view.State;

    /// <summary>Pseudonym of the requester.</summary>
    public string RequestedBy => view.RequestedBy;

    /// <summary>Reason given, or empty.</summary>
    public string Reason => view.Reason;

    /// <summary>Evidence subject that it is bound to.</summary>
    public string EvidenceSubject => view.EvidenceSubject.Hex;

    /// <summary>Policy that it is bound to.</summary>
    public string PolicyDigest => view.PolicyDigest.Hex;

    /// <summary>Evidence that it is bound to.</summary>
    public string EvidenceDigest => view.EvidenceDigest.Hex;

    /// <summary>When it was opened, UTC.</summary>
    public DateTimeOffset CreatedAt => view.CreatedAt;

    /// <summary>Approvals and rejections.</summary>
    public IEnumerable<ApprovalFields> Approvals => view.Approvals.Select(approval => new ApprovalFields(approval));

    /// <summary>Receipt, once carried out.</summary>
    public ReceiptFields? Receipt => view.ReceiptId is { } id ? new ReceiptFields(id) : null;
}

/// <summary>An approval or rejection.</summary>
[Name("Approval")]
[Needs("promotion:read")]
internal sealed class ApprovalFields(ApprovalView view)
{
    /// <summary>Id.</summary>
    [Id]
    public Guid Id => view.Id;

    /// <summary>Pseudonym of the person.</summary>
    public string Person => view.PersonId;

    /// <summary>True for an approval, false for a rejection.</summary>
    public bool Approves => view.Approves;

    /// <summary>Comment, or empty.</summary>
    public string Comment => view.Comment;

    /// <summary>When, UTC.</summary>
    public DateTimeOffset At => view.At;

    /// <summary>When it stops counting, UTC.</summary>
    public DateTimeOffset ExpiresAt => view.ExpiresAt;

    /// <summary>Whether it would count now.</summary>
    public bool Valid => view.Valid;

    /// <summary>Log entry that recorded it.</summary>
    [Id]
    public Guid EntryId => view.EntryId;
}

/// <summary>A recorded decision; the same facts and policy always give the same answer.</summary>
[Name("Decision")]
[Needs("promotion:read")]
internal sealed class DecisionFields(DecisionView view)
{
    /// <summary>Id.</summary>
    [Id]
    public Guid Id => view.Id;

    /// <summary>What was asked, for example stage:Production.</summary>
    public string Target => view.Target;

    /// <summary>Answer: allow, needs-approval or deny.</summary>
    public string Verdict => view.Verdict;

    /// <summary>Unmet conditions.</summary>
    public IReadOnlyList<string> Unmet => view.Unmet;

    /// <summary>Policy in force.</summary>
    public string PolicyDigest => view.PolicyDigest.Hex;

    /// <summary>The facts it was made on, canonical JSON.</summary>
    [Needs("audit:read")]
    public string? FactsJson => view.FactsJson;

    /// <summary>When, UTC.</summary>
    public DateTimeOffset At => view.At;

    /// <summary>Pseudonym of the caller.</summary>
    public string Actor => view.ActorId;

    /// <summary>Log entry that recorded it.</summary>
    [Id]
    public Guid EntryId => view.EntryId;
}

/// <summary>A promotion receipt: a signed statement with its proof of inclusion in the log.</summary>
[Name("Receipt")]
[Needs("promotion:read")]
internal sealed class ReceiptFields(Guid id)
{
    /// <summary>Id.</summary>
    [Id]
    public Guid Id => id;

    /// <summary>The receipt as JSON, to be checked offline; may take two seconds right after a promotion.</summary>
    [Cost(Own = 50)]
    public async Task<string?> Json([FromServices] IPromotions promotions, CancellationToken cancellationToken) =>
        await promotions.ReceiptAsync(id, cancellationToken) is { } receipt
            ? Encoding.UTF8.GetString(CanonicalJson.Serialize(receipt))
            : null;
}

/// <summary>What a carried-out promotion gives back.</summary>
[Name("Promotion")]
[Needs("promotion:carry-out")]
internal sealed class PromotionResult(VersionFields? version, Guid? receiptId)
{
    /// <summary>The version afterwards.</summary>
    [Needs("model:read")]
    public VersionFields? Version => version;

    /// <summary>Receipt; null when the result already held and nothing changed.</summary>
    [Needs("promotion:read")]
    public ReceiptFields? Receipt => receiptId is { } id ? new ReceiptFields(id) : null;
}

/// <summary>A compliance report.</summary>
[Name("Report")]
[Needs("report:create")]
internal sealed class ReportFields(ReportView view)
{
    /// <summary>Id.</summary>
    [Id]
    public Guid Id => view.Id;

    /// <summary>Regulation.</summary>
    public string Regulation => view.Regulation;

    /// <summary>Model name.</summary>
    public string Model => view.Version.Model;

    /// <summary>Version number.</summary>
    public int Version => view.Version.Version;

    /// <summary>When it was made, UTC.</summary>
    public DateTimeOffset CreatedAt => view.CreatedAt;

    /// <summary>Pseudonym of whoever made it.</summary>
    public string CreatedBy => view.CreatedBy;

    /// <summary>Where to download it.</summary>
    public string Href => $"/api/v1/reports/{view.Id}";
}

/// <summary>One page of log entries.</summary>
[Name("LogEntryPage")]
[Needs("audit:read")]
internal sealed class LogEntryPage(Page<AuditEntry> page)
{
    /// <summary>The entries of this page, newest first.</summary>
    [Cost(Length = 1)]
    public IEnumerable<LogEntryFields> Items => page.Items.Select(entry => new LogEntryFields(entry));

    /// <summary>Give this as after to get the next page; null on the last one.</summary>
    public string? NextToken => page.NextToken;
}

/// <summary>An entry of the tamper-evident log.</summary>
[Name("LogEntry")]
[Needs("audit:read")]
internal sealed class LogEntryFields(AuditEntry entry)
{
    /// <summary>Id.</summary>
    [Id]
    public Guid Id => entry.Id;

    /// <summary>Leaf index, within a second of the entry.</summary>
    public long? Position => entry.Position;

    /// <summary>When, UTC.</summary>
    public DateTimeOffset At => entry.At;

    /// <summary>What happened.</summary>
    public string Kind => entry.Kind;

    /// <summary>Pseudonym of whoever did it.</summary>
    public string Actor => entry.ActorId;

    /// <summary>URN of what it is about.</summary>
    public string Subject => entry.Subject;

    /// <summary>How it ended: done, refused or begun.</summary>
    public string Outcome => entry.Outcome;

    /// <summary>The canonical JSON that the leaf is made of.</summary>
    public string Canonical => entry.Canonical;

    /// <summary>Salt of the leaf, base64: the leaf is SHA-256 of salt and canonical JSON. Empty once it was erased.</summary>
    public string Salt => Convert.ToBase64String(entry.Salt);

    /// <summary>Id of the entry of the erasure that took the salt; null while it is there.</summary>
    [Id]
    public Guid? ErasedBy => entry.ErasedBy;

    /// <summary>Proof of inclusion under the newest cosigned checkpoint that covers it, else the newest; null until the entry has a position.</summary>
    [Cost(Own = 50)]
    public async Task<ProofFields?> Proof([FromServices] IAuditLog log, CancellationToken cancellationToken) =>
        await log.ProveAsync(entry.Id, cancellationToken) is { } proof ? new ProofFields(proof) : null;
}

/// <summary>Proof that an entry is under a signed checkpoint (RFC 6962).</summary>
[Name("InclusionProof")]
[Needs("audit:read")]
internal sealed class ProofFields(InclusionProof proof)
{
    /// <summary>Position of the leaf.</summary>
    public long LeafIndex => proof.LeafIndex;

    /// <summary>Hash of the leaf.</summary>
    public string LeafHash => proof.LeafHash.Hex;

    /// <summary>Audit path, lower to higher.</summary>
    public IEnumerable<string> Hashes => proof.Hashes.Select(hash => hash.Hex);

    /// <summary>The signed checkpoint.</summary>
    public string Checkpoint => proof.Checkpoint;
}

/// <summary>Proof that a tree of the log extends a smaller one (RFC 6962).</summary>
[Name("ConsistencyProof")]
[Needs("self:read")]
internal sealed class ConsistencyFields(ConsistencyProof proof)
{
    /// <summary>Earlier tree size.</summary>
    public long From => proof.From;

    /// <summary>Later tree size.</summary>
    public long To => proof.To;

    /// <summary>The proof, lower to higher.</summary>
    public IEnumerable<string> Hashes => proof.Hashes.Select(hash => hash.Hex);
}

/// <summary>A witness of the log.</summary>
[Name("Witness")]
[Needs("audit:read")]
internal sealed class WitnessFields(WitnessView witness)
{
    /// <summary>Name in its cosignatures.</summary>
    public string Name => witness.Name;

    /// <summary>C2SP verifier key, as the gateway is configured; verifiers ask the witness for it.</summary>
    public string VerifierKey => witness.VerifierKey;

    /// <summary>Tree size that it cosigned last; null before the first.</summary>
    public long? Size => witness.Size;

    /// <summary>When that was kept.</summary>
    public DateTimeOffset? At => witness.At;

    /// <summary>Whether a checkpoint waits for it for longer than 30 seconds.</summary>
    public bool IsBehind => witness.IsBehind;
}
