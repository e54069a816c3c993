using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Signing.Engine;

namespace Governance.Signing.Contracts;

/// <summary>What a receipt proves.</summary>
/// <param name="Statement">The signed statement.</param>
/// <param name="Entry">The log entry that records it.</param>
/// <param name="LeafIndex">Position of the entry in the audit log.</param>
/// <param name="Checkpoint">The signed note that it is under, with the cosignatures that it carries.</param>
public sealed record VerifiedReceipt(VerifiedStatement Statement, JsonObject Entry, long LeafIndex, string Checkpoint);

/// <summary>What the proof of a log entry proves.</summary>
/// <param name="Entry">The log entry.</param>
/// <param name="LeafIndex">Position of the entry in the audit log.</param>
/// <param name="Checkpoint">The signed note that it is under, with the cosignatures that it carries.</param>
public sealed record VerifiedEntry(JsonObject Entry, long LeafIndex, string Checkpoint);

/// <summary>
/// Receipts: {statement: bundle, entry: canonical text, salt: base64, inclusionProof: {leafIndex, leafHash, hashes, checkpoint},
/// verifierKey}. The entry binds the statement by <c>details.statementSha256</c>, the SHA-256 of the signed payload. The same
/// without <c>statement</c> is the proof of any entry. Pure.
/// </summary>
public static class ReceiptVerifier
{
    private const int MaxBytes = 48 * 1024 * 1024;
    private const int MaxHashes = 63;

    /// <summary>Puts a receipt together.</summary>
    public static JsonObject Compose(byte[] statementBundle, AuditEntry entry, InclusionProof proof, string verifierKey)
    {
        ArgumentNullException.ThrowIfNull(entry);
        var receipt = ComposeEntry(entry.Canonical, entry.Salt, proof, verifierKey);
        receipt.Insert(0, "statement", Json.TryParse(statementBundle));
        return receipt;
    }

    /// <summary>Puts the proof of an entry together: a receipt without a statement.</summary>
    public static JsonObject ComposeEntry(string canonical, byte[] salt, InclusionProof proof, string verifierKey)
    {
        ArgumentNullException.ThrowIfNull(proof);
        return new JsonObject
        {
            ["entry"] = canonical,
            ["salt"] = Convert.ToBase64String(salt),
            ["inclusionProof"] = new JsonObject
            {
                ["leafIndex"] = proof.LeafIndex,
                ["leafHash"] = proof.LeafHash.Hex,
                ["hashes"] = new JsonArray([.. proof.Hashes.Select(hash => (JsonNode)hash.Hex)]),
                ["checkpoint"] = proof.Checkpoint,
            },
            ["verifierKey"] = verifierKey,
        };
    }

    /// <summary>
    /// Verifies a receipt with nothing but the trusted root: both signatures, the inclusion, the binding, and that both keys were
    /// valid when the entry was written. The log's key is taken from the trusted root only. Codes <c>signing.*</c>, <c>audit.*</c>.
    /// </summary>
    public static Result<VerifiedReceipt> Verify(ReadOnlySpan<byte> receiptJson, ReadOnlySpan<byte> trustedRoot)
    {
        var root = TrustedRootDocument.Read(trustedRoot);
        if (!root.Ok)
        {
            return root.Failure;
        }

        if (
            receiptJson.Length > MaxBytes
            || Json.TryParse(receiptJson).Exactly(["statement", "entry", "salt", "inclusionProof", "verifierKey"])
                is not { } members
            || members["statement"] is not JsonObject content
            || Read(members) is not { } receipt
        )
        {
            return SigningFailure.Of("receipt_malformed", "The receipt does not have the form of a receipt.");
        }

        var included = VerifyIncluded(receipt, root.Value);
        if (!included.Ok)
        {
            return included.Failure;
        }

        // From here on the entry is what the log recorded, and with it its time.
        var bundle = SignedBundle.Read(CanonicalJson.Serialize(content));
        if (!bundle.Ok)
        {
            return bundle.Failure;
        }

        var statement = OfflineVerifier.Verify(bundle.Value, root.Value, receipt.At);
        if (!statement.Ok)
        {
            return statement.Failure;
        }

        // A timestamp tells when the key signed; the log, which is another party to that, when the entry was written.
        if (!root.Value.FindSigningKey(bundle.Value.KeyHint!)!.IsValidAt(receipt.At))
        {
            return SigningFailure.Of("key_not_valid", "The signing key was not valid at that time.");
        }

        return
            receipt.Entry["kind"].Text() is "promotion.carried_out" or "evidence.produced"
            && (receipt.Entry["details"] as JsonObject)?["statementSha256"].Text()
                == Digest.Of(bundle.Value.Payload).Hex
            ? new VerifiedReceipt(statement.Value, receipt.Entry, receipt.Proof.LeafIndex, receipt.Proof.Checkpoint)
            : SigningFailure.Of(
                "receipt_not_bound",
                "The log entry records another statement than the one in the receipt."
            );
    }

    /// <summary>
    /// Verifies the proof of an entry with nothing but the trusted root: the inclusion, the log's signature, and that its key was
    /// valid when the entry was written. Codes <c>signing.*</c>, <c>audit.*</c>.
    /// </summary>
    public static Result<VerifiedEntry> VerifyEntry(ReadOnlySpan<byte> proofJson, ReadOnlySpan<byte> trustedRoot)
    {
        var root = TrustedRootDocument.Read(trustedRoot);
        if (!root.Ok)
        {
            return root.Failure;
        }

        if (
            proofJson.Length > MaxBytes
            || Json.TryParse(proofJson).Exactly(["entry", "salt", "inclusionProof", "verifierKey"]) is not { } members
            || Read(members) is not { } proof
        )
        {
            return SigningFailure.Of("receipt_malformed", "The proof does not have the form of a proof of an entry.");
        }

        return VerifyIncluded(proof, root.Value)
            .Map(_ => new VerifiedEntry(proof.Entry, proof.Proof.LeafIndex, proof.Proof.Checkpoint));
    }

    private static Result<Unit> VerifyIncluded(ParsedProof proof, TrustedRootDocument root) =>
        root.FindLogKey(proof.VerifierKey) is not { } logKey
            ? SigningFailure.Of("unknown_log", "The receipt names a log that the trusted root does not list.")
        : !logKey.IsValidAt(proof.At)
            ? SigningFailure.Of("log_key_not_valid", "The log's key was not valid at the time of the entry.")
        : new LogVerifier().VerifyInclusion(proof.Entry, proof.Salt, proof.Proof, proof.VerifierKey);

    private static ParsedProof? Read(JsonObject receipt)
    {
        if (
            receipt["entry"].Text() is not { } text
            || Json.TryParse(Encoding.UTF8.GetBytes(text)) is not JsonObject entry
            || CanonicalJson.SerializeToString(entry) != text
            || !DateTimeOffset.TryParseExact(
                entry["at"].Text(),
                "yyyy-MM-dd'T'HH:mm:ss.fff'Z'",
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal,
                out var at
            )
            || StrictBase64.TryDecode(receipt["salt"].Text() ?? "!") is not { } salt
            || ReadProof(receipt["inclusionProof"]) is not { } proof
            || receipt["verifierKey"].Text() is not { } verifierKey
        )
        {
            return null;
        }

        return new ParsedProof(entry, at, salt, proof, verifierKey);
    }

    private static InclusionProof? ReadProof(JsonNode? node)
    {
        if (
            node.Exactly(["leafIndex", "leafHash", "hashes", "checkpoint"]) is not { } proof
            || proof["leafIndex"].Integer() is not { } index
            || !Digest.TryParse(proof["leafHash"].Text(), out var leafHash)
            || proof["hashes"] is not JsonArray { Count: <= MaxHashes } items
            || proof["checkpoint"].Text() is not { } checkpoint
        )
        {
            return null;
        }

        var hashes = new List<Digest>();
        foreach (var item in items)
        {
            if (!Digest.TryParse(item.Text(), out var hash))
            {
                return null;
            }

            hashes.Add(hash);
        }

        return new InclusionProof(index, leafHash, hashes, checkpoint);
    }

    private sealed record ParsedProof(
        JsonObject Entry,
        DateTimeOffset At,
        byte[] Salt,
        InclusionProof Proof,
        string VerifierKey
    );
}

/// <summary>Reading a trusted root file without any service.</summary>
public static class TrustedRootFile
{
    /// <summary>Verifier keys of the logs it lists, for <see cref="LogTreeAuditor"/>. Code <c>signing.trusted_root</c>.</summary>
    public static Result<IReadOnlyList<string>> LogVerifierKeys(ReadOnlySpan<byte> trustedRoot) =>
        TrustedRootDocument.Read(trustedRoot).Map(root => (IReadOnlyList<string>)[.. root.LogVerifierKeys]);
}
