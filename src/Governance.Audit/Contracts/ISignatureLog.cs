using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Engine;
using Governance.Kernel;
using Governance.Platform.Keys;

namespace Governance.Audit.Contracts;

/// <summary>A log of signatures as verifiers know it.</summary>
/// <param name="Name">Name of its key in checkpoints: host and path, no white space.</param>
/// <param name="Spki">SubjectPublicKeyInfo, DER; ECDSA P-256.</param>
/// <param name="CreatedAt">When the key was made, UTC.</param>
public sealed record SignatureLogKey(string Name, byte[] Spki, DateTimeOffset CreatedAt)
{
    /// <summary>The last moment at which a signature of it counts, UTC; null while it is in use.</summary>
    public DateTimeOffset? End { get; init; }

    /// <summary>Which of the log's keys it is.</summary>
    public KeyGeneration Generation { get; init; } = new("", 1, "");

    /// <summary>Where the gateway keeps its private half; empty for another's log.</summary>
    public string Place { get; init; } = "";
}

/// <summary>An entry of a signature log with what proves it, as a Sigstore bundle carries it (Rekor v1).</summary>
public sealed record LoggedSignature
{
    /// <summary>The entry: canonical JSON.</summary>
    public required byte[] Body { get; init; }

    /// <summary>Position of the entry.</summary>
    public required long Index { get; init; }

    /// <summary>
    /// Position in the tree of the proof, for another's log, which may consist of several trees, each with an id of its own
    /// making; null for a log of ours, where it is <see cref="Index"/>.
    /// </summary>
    public long? TreeIndex { get; init; }

    /// <summary>When the log took it, UTC, whole seconds. Trusted because the promise covers it.</summary>
    public required DateTimeOffset IntegratedAt { get; init; }

    /// <summary>Signed entry timestamp over body, time, log and index; DER.</summary>
    public required byte[] Promise { get; init; }

    /// <summary>Tree size of the proof.</summary>
    public required long Size { get; init; }

    /// <summary>Root hash of the proof.</summary>
    public required byte[] Root { get; init; }

    /// <summary>SHA-256 of the SubjectPublicKeyInfo of the key that signed promise and checkpoint; empty where a bundle says it.</summary>
    public byte[] LogId { get; init; } = [];

    /// <summary>Audit path, lower to higher.</summary>
    public required IReadOnlyList<byte[]> Hashes { get; init; }

    /// <summary>The signed note over size and root.</summary>
    public required string Checkpoint { get; init; }
}

/// <summary>
/// The log of signatures, in the dialect of Rekor v1 that stock Sigstore verifiers read. Every checkpoint of it is an entry of
/// the audit log, in the same transaction, so that whoever keeps the audit log honest keeps this one honest too.
/// </summary>
public interface ISignatureLog
{
    /// <summary>The key that signs now.</summary>
    SignatureLogKey Key { get; }

    /// <summary>All keys that it had, the oldest first.</summary>
    IReadOnlyList<SignatureLogKey> Keys { get; }

    /// <summary>Makes the next key in a file of its own; nobody uses it until the ring has it.</summary>
    void MakeKey(string file);

    /// <summary>Throws <see cref="KeyUnavailableException"/> unless the key that signs now does.</summary>
    void CheckKey();

    /// <summary>
    /// Appends an entry; it is durable when this returns. Throws <see cref="InvalidOperationException"/> with the code of what
    /// is wrong when the stored log is not what was signed.
    /// </summary>
    Task<LoggedSignature> AppendAsync(byte[] body, CancellationToken cancellationToken);
}

/// <summary>Offline checks of an entry of a signature log; pure.</summary>
public static class SignatureLogVerifier
{
    private const int MaxHashes = 63;

    /// <summary>
    /// Checks promise, checkpoint and inclusion by the key of the log. Codes <c>audit.promise_invalid</c>,
    /// <c>audit.bad_checkpoint</c>, <c>audit.proof_mismatch</c>, <c>audit.not_included</c>.
    /// </summary>
    public static Result<Unit> Verify(LoggedSignature entry, string name, ReadOnlySpan<byte> spki)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (!EcdsaP256.Verify(spki, Promised(entry.Body, entry.IntegratedAt, entry.Index, spki), entry.Promise))
        {
            return Failure.Invalid("audit.promise_invalid", "The log did not promise this entry, index and time.");
        }

        if (
            SignatureCheckpoint.Open(entry.Checkpoint, name, spki, anyTree: entry.TreeIndex is not null)
            is not { } checkpoint
        )
        {
            return Failure.Invalid(
                "audit.bad_checkpoint",
                "The checkpoint is malformed or not signed by the log's key."
            );
        }

        if (
            checkpoint.Size != entry.Size
            || !CryptographicOperations.FixedTimeEquals(checkpoint.Root, entry.Root)
            || entry.Hashes.Count > MaxHashes
        )
        {
            return Failure.Invalid(
                "audit.proof_mismatch",
                "The inclusion proof has another size or root than its checkpoint."
            );
        }

        var included = MerkleProof.VerifyInclusion(
            entry.TreeIndex ?? entry.Index,
            checkpoint.Size,
            MerkleTree.HashLeaf(entry.Body),
            entry.Hashes,
            checkpoint.Root
        );
        return included
            ? default(Unit)
            : Failure.Invalid("audit.not_included", "The proof does not lead from the entry to the checkpoint's root.");
    }

    /// <summary>What a signed entry timestamp signs: canonical JSON, as Rekor v1 has it.</summary>
    internal static byte[] Promised(byte[] body, DateTimeOffset at, long index, ReadOnlySpan<byte> spki) =>
        Encoding.UTF8.GetBytes(
            CanonicalJson.SerializeToString(
                new JsonObject
                {
                    ["body"] = Convert.ToBase64String(body),
                    ["integratedTime"] = at.ToUnixTimeSeconds(),
                    ["logID"] = Convert.ToHexStringLower(SHA256.HashData(spki)),
                    ["logIndex"] = index,
                }
            )
        );
}
