using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>What a bundle in identity mode brings beside the envelope: certificate, log entry and timestamp, one of each.</summary>
/// <param name="Certificate">The signer's certificate, DER.</param>
/// <param name="LogId">SHA-256 of the log's SubjectPublicKeyInfo.</param>
/// <param name="Entry">The entry with its proofs.</param>
/// <param name="Timestamp">RFC 3161 response over the signature; null in a bundle of others that has none.</param>
internal sealed record IdentityMaterial(byte[] Certificate, byte[] LogId, LoggedSignature Entry, byte[]? Timestamp)
{
    private const int MaxHashes = 63;

    private static Failure NoMaterial =>
        SigningFailure.Of(
            "verification_material",
            "The bundle must have either one public key's hint and no log entry, or a certificate with log entry and timestamp."
        );

    public JsonObject Write() =>
        new()
        {
            ["certificate"] = new JsonObject { ["rawBytes"] = Convert.ToBase64String(Certificate) },
            ["tlogEntries"] = new JsonArray(
                new JsonObject
                {
                    ["logIndex"] = Number(Entry.Index),
                    ["logId"] = new JsonObject { ["keyId"] = Convert.ToBase64String(LogId) },
                    ["kindVersion"] = new JsonObject { ["kind"] = LogBody.Kind, ["version"] = LogBody.Version },
                    ["integratedTime"] = Number(Entry.IntegratedAt.ToUnixTimeSeconds()),
                    ["inclusionPromise"] = new JsonObject
                    {
                        ["signedEntryTimestamp"] = Convert.ToBase64String(Entry.Promise),
                    },
                    ["inclusionProof"] = new JsonObject
                    {
                        ["logIndex"] = Number(Entry.Index),
                        ["rootHash"] = Convert.ToBase64String(Entry.Root),
                        ["treeSize"] = Number(Entry.Size),
                        ["hashes"] = new JsonArray([
                            .. Entry.Hashes.Select(hash => (JsonNode)Convert.ToBase64String(hash)),
                        ]),
                        ["checkpoint"] = new JsonObject { ["envelope"] = Entry.Checkpoint },
                    },
                    ["canonicalizedBody"] = Convert.ToBase64String(Entry.Body),
                }
            ),
            ["timestampVerificationData"] = WriteTimestamp(Timestamp!),
        };

    /// <summary>
    /// Reads the material of a bundle; one certificate, one log entry and one timestamp, and nothing that would be ignored. A
    /// bundle of others (<paramref name="foreign"/>) may leave the timestamp out, and its log may consist of several trees.
    /// </summary>
    public static Result<IdentityMaterial> Read(JsonNode? node, bool foreign)
    {
        if (
            node.Exactly(["certificate", "tlogEntries"], "timestampVerificationData") is not { } material
            || material["tlogEntries"] is not JsonArray entries
            || (material["timestampVerificationData"] is null && !foreign)
        )
        {
            return NoMaterial;
        }

        if (
            material["certificate"].Exactly(["rawBytes"]) is not { } holder
            || Bytes(holder["rawBytes"]) is not { } certificate
        )
        {
            return SigningFailure.Of("certificate_malformed", "The bundle has no readable certificate.");
        }

        if (entries is not [var logged])
        {
            return SigningFailure.Of("log_entry_count", "The bundle must have exactly one log entry.");
        }

        var timestamp = ReadTimestamp(material["timestampVerificationData"], optional: foreign, foreign);
        if (!timestamp.Ok)
        {
            return timestamp.Failure;
        }

        if (
            (logged as JsonObject)?["kindVersion"].Exactly(["kind", "version"]) is not { } kind
            || kind["kind"].Text() != LogBody.Kind
            || kind["version"].Text() != LogBody.Version
        )
        {
            return SigningFailure.Of("log_entry_kind", "The log entry is not of kind dsse 0.0.1.");
        }

        return ReadEntry(logged, foreign) is var (logId, entry)
            ? new IdentityMaterial(certificate, logId, entry, timestamp.Value.Response)
            : SigningFailure.Of("log_entry_malformed", "The log entry does not have the form of one with both proofs.");
    }

    public static JsonObject WriteTimestamp(byte[] timestamp) =>
        new()
        {
            ["rfc3161Timestamps"] = new JsonArray(
                new JsonObject { ["signedTimestamp"] = Convert.ToBase64String(timestamp) }
            ),
        };

    /// <summary>The one timestamp, or none where it is optional; writers elsewhere may leave an empty member in its place.</summary>
    public static Result<(byte[]? Response, bool Present)> ReadTimestamp(JsonNode? node, bool optional, bool foreign)
    {
        if (optional && (node is null || (foreign && node is JsonObject { Count: 0 })))
        {
            return ((byte[]?)null, false);
        }

        if (node.Exactly(["rfc3161Timestamps"])?["rfc3161Timestamps"] is not JsonArray timestamps)
        {
            return NoMaterial;
        }

        if (timestamps is not [var stamped])
        {
            return SigningFailure.Of("timestamp_count", "The bundle must have exactly one timestamp.");
        }

        return stamped.Exactly(["signedTimestamp"]) is { } stamp && Bytes(stamp["signedTimestamp"]) is { } response
            ? ((byte[]?)response, true)
            : SigningFailure.Of("timestamp_malformed", "The timestamp is not a granted RFC 3161 response.");
    }

    private static (byte[] LogId, LoggedSignature Entry)? ReadEntry(JsonNode? node, bool foreign)
    {
        if (
            node.Exactly([
                "logIndex",
                "logId",
                "kindVersion",
                "integratedTime",
                "inclusionPromise",
                "inclusionProof",
                "canonicalizedBody",
            ])
                is not { } entry
            || entry["logId"].Exactly(["keyId"]) is not { } log
            || entry["inclusionPromise"].Exactly(["signedEntryTimestamp"]) is not { } promise
            || entry["inclusionProof"].Exactly(["logIndex", "rootHash", "treeSize", "hashes", "checkpoint"])
                is not { } proof
            || proof["checkpoint"].Exactly(["envelope"]) is not { } checkpoint
            || proof["hashes"] is not JsonArray { Count: <= MaxHashes } items
        )
        {
            return null;
        }

        var hashes = items.Select(Bytes).OfType<byte[]>().ToList();
        return
            Number(entry["logIndex"]) is { } index
            && Number(proof["logIndex"]) is { } treeIndex
            && (foreign || treeIndex == index)
            && Number(entry["integratedTime"]) is { } seconds
            && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            && Number(proof["treeSize"]) is { } size
            && Bytes(log["keyId"]) is { } logId
            && Bytes(promise["signedEntryTimestamp"]) is { } promised
            && Bytes(proof["rootHash"]) is { } root
            && hashes.Count == items.Count
            && checkpoint["envelope"].Text() is { } note
            && Bytes(entry["canonicalizedBody"]) is { } body
            ? (
                logId,
                new LoggedSignature
                {
                    Body = body,
                    Index = index,
                    TreeIndex = foreign ? treeIndex : null,
                    IntegratedAt = DateTimeOffset.FromUnixTimeSeconds(seconds),
                    Promise = promised,
                    Size = size,
                    Root = root,
                    Hashes = hashes,
                    Checkpoint = note,
                }
            )
            : null;
    }

    // protobuf JSON: 64-bit integers are strings.
    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static long? Number(JsonNode? node) =>
        node.Text() is { } text
        && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
        && Number(value) == text
            ? value
            : null;

    private static byte[]? Bytes(JsonNode? node) => StrictBase64.TryDecode(node.Text() ?? "!");
}
