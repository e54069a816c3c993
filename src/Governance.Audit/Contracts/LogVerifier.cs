using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Audit.Engine;
using Governance.Kernel;

namespace Governance.Audit.Contracts;

/// <summary>The offline checks of the log; pure, stateless, usable without any service.</summary>
public sealed class LogVerifier : ILogVerifier
{
    private const int MaxHashes = 63;

    /// <inheritdoc />
    public Result<Unit> VerifyInclusion(JsonObject entry, byte[] salt, InclusionProof proof, string verifierKey)
    {
        if (NoteKey.TryParse(verifierKey) is not { } key)
        {
            return Failure.Invalid("audit.bad_verifier_key", "The verifier key of the log is malformed.");
        }

        if (salt.Length != EntryText.SaltSize || proof.Hashes.Count > MaxHashes)
        {
            return Failure.Invalid("audit.bad_proof", "The salt or the inclusion proof has the wrong length.");
        }

        if (Checkpoint.Open(proof.Checkpoint, key) is not { } checkpoint)
        {
            return Failure.Invalid(
                "audit.bad_checkpoint",
                "The checkpoint is malformed or not signed by the log's key."
            );
        }

        var leaf = EntryText.LeafHash(salt, CanonicalJson.SerializeToString(entry));
        if (!CryptographicOperations.FixedTimeEquals(leaf, proof.LeafHash.ToBytes()))
        {
            return Failure.Invalid(
                "audit.entry_mismatch",
                "The entry and its salt do not hash to the leaf of the proof."
            );
        }

        var included = MerkleProof.VerifyInclusion(
            proof.LeafIndex,
            checkpoint.Size,
            leaf,
            [.. proof.Hashes.Select(hash => hash.ToBytes())],
            checkpoint.Root
        );
        return included
            ? default(Unit)
            : Failure.Invalid("audit.not_included", "The proof does not lead from the entry to the checkpoint's root.");
    }

    /// <summary>The tree size of a checkpoint signed by the verifier key; null when it is not one.</summary>
    public static long? SizeOf(string checkpoint, string verifierKey) =>
        NoteKey.TryParse(verifierKey) is { } key ? Checkpoint.Open(checkpoint, key)?.Size : null;

    /// <summary>Checks that one signed checkpoint extends another. Codes <c>audit.*</c>.</summary>
    public static Result<Unit> VerifyConsistency(
        string earlier,
        string later,
        ConsistencyProof proof,
        string verifierKey
    )
    {
        if (NoteKey.TryParse(verifierKey) is not { } key)
        {
            return Failure.Invalid("audit.bad_verifier_key", "The verifier key of the log is malformed.");
        }

        if (Checkpoint.Open(earlier, key) is not { } first || Checkpoint.Open(later, key) is not { } second)
        {
            return Failure.Invalid("audit.bad_checkpoint", "A checkpoint is malformed or not signed by the log's key.");
        }

        var consistent =
            proof.Hashes.Count <= 2 * MaxHashes
            && proof.From == first.Size
            && proof.To == second.Size
            && MerkleProof.VerifyConsistency(
                first.Size,
                first.Root,
                second.Size,
                second.Root,
                [.. proof.Hashes.Select(hash => hash.ToBytes())]
            );
        return consistent
            ? default(Unit)
            : Failure.Invalid("audit.not_consistent", "The later checkpoint does not extend the earlier one.");
    }
}

/// <summary>Text forms of the log's public key.</summary>
public static class LogVerifierKey
{
    /// <summary>The verifier key of a log from its origin and the 32 raw bytes of its Ed25519 key; null when either is malformed.</summary>
    public static string? TryCreate(string origin, ReadOnlySpan<byte> rawKey) =>
        NoteKey.IsName(origin)
        && NSec.Cryptography.PublicKey.TryImport(
            NSec.Cryptography.SignatureAlgorithm.Ed25519,
            rawKey,
            NSec.Cryptography.KeyBlobFormat.RawPublicKey,
            out var key
        )
            ? NoteKey.Create(origin, key!).VerifierKey
            : null;
}
