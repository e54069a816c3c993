using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Audit.Contracts;

/// <summary>A committed entry.</summary>
/// <param name="Id">Entry id.</param>
/// <param name="Position">Leaf index, or null until it is sequenced (within a second).</param>
/// <param name="At">UTC, milliseconds.</param>
/// <param name="Kind">What happened.</param>
/// <param name="ActorId">Pseudonym.</param>
/// <param name="Subject">URN.</param>
/// <param name="Outcome">done, refused, begun.</param>
/// <param name="Canonical">The canonical JSON text that is under the leaf.</param>
/// <param name="Salt">32 bytes: leaf = SHA-256(salt ‖ canonical). Empty when it was erased.</param>
public sealed record AuditEntry(
    Guid Id,
    long? Position,
    DateTimeOffset At,
    string Kind,
    string ActorId,
    string Subject,
    string Outcome,
    string Canonical,
    byte[] Salt
)
{
    /// <summary>The entry of the erasure that took the salt; null while it is there.</summary>
    public Guid? ErasedBy { get; init; }

    /// <summary>What is personal in the entry, in clear; null when there is nothing, or nothing any more.</summary>
    public JsonObject? Personal { get; init; }
}

/// <summary>Inclusion of an entry under a signed checkpoint; verifiable offline (RFC 6962 §2.1.1, C2SP tlog-checkpoint).</summary>
/// <param name="LeafIndex">Position of the leaf.</param>
/// <param name="LeafHash">RFC 6962 leaf hash, SHA-256(0x00 ‖ leaf).</param>
/// <param name="Hashes">Audit path, lower to higher.</param>
/// <param name="Checkpoint">The signed note text.</param>
public sealed record InclusionProof(long LeafIndex, Digest LeafHash, IReadOnlyList<Digest> Hashes, string Checkpoint);

/// <summary>Proof that the first leaves of a log are a prefix of it at a later size (RFC 6962 §2.1.2).</summary>
/// <param name="From">Earlier tree size.</param>
/// <param name="To">Later tree size.</param>
/// <param name="Hashes">The proof, lower to higher.</param>
public sealed record ConsistencyProof(long From, long To, IReadOnlyList<Digest> Hashes);

/// <summary>A configured witness.</summary>
/// <param name="Name">Name in its cosignatures.</param>
/// <param name="VerifierKey">C2SP verifier key.</param>
/// <param name="Size">Tree size that it cosigned last; null before the first.</param>
/// <param name="At">When that was kept, UTC.</param>
/// <param name="IsBehind">Whether a checkpoint waits for it for longer than 30 seconds.</param>
public sealed record WitnessView(string Name, string VerifierKey, long? Size, DateTimeOffset? At, bool IsBehind);

/// <summary>Filters of a log query.</summary>
public sealed record AuditQuery
{
    /// <summary>Only this entry.</summary>
    public Guid? Id { get; init; }

    /// <summary>Only this subject URN.</summary>
    public string? Subject { get; init; }

    /// <summary>Only kinds that start with this.</summary>
    public string? KindPrefix { get; init; }

    /// <summary>Only this actor.</summary>
    public string? ActorId { get; init; }

    /// <summary>Only this outcome.</summary>
    public string? Outcome { get; init; }

    /// <summary>At most this many, ≤ 200.</summary>
    public int First { get; init; } = 50;

    /// <summary>Continue after this token.</summary>
    public string? After { get; init; }
}

/// <summary>Reading the log. Checks no permission: callers do, and log the read.</summary>
public interface IAuditLog
{
    /// <summary>Entries, newest first, keyset-paged.</summary>
    Task<Page<AuditEntry>> QueryAsync(AuditQuery query, CancellationToken cancellationToken);

    /// <summary>Many entries by id.</summary>
    Task<IReadOnlyDictionary<Guid, AuditEntry>> FindAsync(
        IReadOnlyCollection<Guid> ids,
        CancellationToken cancellationToken
    );

    /// <summary>Proof under the newest checkpoint, or null until the entry is sequenced and signed.</summary>
    Task<InclusionProof?> ProveAsync(Guid entryId, CancellationToken cancellationToken);

    /// <summary>Waits until the entry is under a signed checkpoint, at most <paramref name="atMost"/>.</summary>
    Task<InclusionProof?> AwaitProofAsync(Guid entryId, TimeSpan atMost, CancellationToken cancellationToken);

    /// <summary>
    /// Proof for a receipt: waits as <see cref="AwaitProofAsync"/> does, and then a configured short time for a checkpoint that
    /// witnesses cosigned. Null also when a quorum of them is required and not there.
    /// </summary>
    Task<InclusionProof?> ReceiptProofAsync(Guid entryId, TimeSpan atMost, CancellationToken cancellationToken);

    /// <summary>The newest signed checkpoint (C2SP tlog-checkpoint note) with its cosignatures, or null before the first.</summary>
    Task<string?> CheckpointAsync(CancellationToken cancellationToken);

    /// <summary>The newest checkpoint that a quorum of witnesses cosigned, one at least; null when there is none of late.</summary>
    Task<string?> CosignedCheckpointAsync(CancellationToken cancellationToken);

    /// <summary>The configured witnesses and what each cosigned last.</summary>
    Task<IReadOnlyList<WitnessView>> WitnessesAsync(CancellationToken cancellationToken);

    /// <summary>Signed checkpoints of trees larger than <paramref name="afterSize"/>, smallest first, at most <paramref name="first"/> ≤ 200.</summary>
    Task<IReadOnlyList<string>> CheckpointsAsync(long afterSize, int first, CancellationToken cancellationToken);

    /// <summary>Consistency of two tree sizes under the newest checkpoint. Code <c>audit.bad_range</c>.</summary>
    Task<Result<ConsistencyProof>> ProveConsistencyAsync(long from, long to, CancellationToken cancellationToken);

    /// <summary>A hash tile <c>tile/{level}/{n…}[.p/{w}]</c> (C2SP tlog-tiles), or null unless it lies under the newest checkpoint.</summary>
    Task<byte[]?> TileAsync(string level, string rest, CancellationToken cancellationToken);
}

/// <summary>The key that checkpoints are signed with, as verifiers need it.</summary>
public interface ILogKey
{
    /// <summary>Origin line of checkpoints, e.g. <c>localhost/governance/log</c>.</summary>
    string Origin { get; }

    /// <summary>C2SP verifier key, <c>name+hash+base64(0x01 ‖ key)</c>.</summary>
    string VerifierKey { get; }

    /// <summary>The 32 raw bytes of the Ed25519 public key.</summary>
    IReadOnlyList<byte> RawPublicKey { get; }

    /// <summary>When the key was made, UTC.</summary>
    DateTimeOffset CreatedAt { get; }
}

/// <summary>Offline checks of the log; pure.</summary>
public interface ILogVerifier
{
    /// <summary>
    /// Checks that a canonical entry with its salt is under the checkpoint signed by the verifier key. Codes <c>audit.*</c>.
    /// </summary>
    Result<Unit> VerifyInclusion(JsonObject entry, byte[] salt, InclusionProof proof, string verifierKey);
}
