using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>A Sigstore bundle v0.3 around one DSSE envelope, in key mode or, with <see cref="Identity"/>, in identity mode.</summary>
/// <param name="KeyHint">SHA-256 of the PEM text of the key; null in identity mode.</param>
/// <param name="Payload">The bytes that are signed.</param>
/// <param name="Signature">DER signature over their pre-authentication encoding.</param>
internal sealed record SignedBundle(string? KeyHint, byte[] Payload, byte[] Signature)
{
    private const string MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
    private const int MaxBytes = 32 * 1024 * 1024;

    /// <summary>Certificate, log entry and timestamp of a bundle in identity mode; null in key mode.</summary>
    public IdentityMaterial? Identity { get; init; }

    /// <summary>RFC 3161 response over the signature, in key mode: the time at which the key must have been valid. May be absent.</summary>
    public byte[]? Timestamp { get; init; }

    public byte[] Write() =>
        CanonicalJson.Serialize(
            new JsonObject
            {
                ["mediaType"] = MediaType,
                ["verificationMaterial"] = Identity is not null ? Identity.Write() : WriteKey(),
                ["dsseEnvelope"] = Envelope(),
            }
        );

    private JsonObject WriteKey()
    {
        var material = new JsonObject
        {
            ["publicKey"] = new JsonObject { ["hint"] = KeyHint },
            ["tlogEntries"] = new JsonArray(),
        };
        if (Timestamp is not null)
        {
            material["timestampVerificationData"] = IdentityMaterial.WriteTimestamp(Timestamp);
        }

        return material;
    }

    public JsonObject Envelope() =>
        new()
        {
            ["payload"] = Convert.ToBase64String(Payload),
            ["payloadType"] = Dsse.PayloadType,
            ["signatures"] = new JsonArray(new JsonObject { ["sig"] = Convert.ToBase64String(Signature) }),
        };

    /// <summary>
    /// Reads the one form that this verifier can vouch for; whatever it would have to ignore, it refuses. Bundles of others
    /// (<paramref name="foreign"/>) may have one log entry of theirs in its own spelling.
    /// </summary>
    public static Result<SignedBundle> Read(ReadOnlySpan<byte> utf8, bool foreign = false)
    {
        if (utf8.Length > MaxBytes)
        {
            return SigningFailure.Of("bundle_too_large", "The bundle is larger than 32 MiB.");
        }

        if (Json.TryParse(utf8) is not JsonObject root)
        {
            return SigningFailure.Of("bundle_malformed", "The bundle is not a JSON object, or has a key twice.");
        }

        if (root["mediaType"].Text() != MediaType)
        {
            return SigningFailure.Of("media_type", "The bundle is not of media type bundle.v0.3+json.");
        }

        if (root.Exactly(["mediaType", "verificationMaterial", "dsseEnvelope"]) is null)
        {
            return SigningFailure.Of("bundle_members", "The bundle has a missing or unexpected member.");
        }

        if (ReadHint(root["verificationMaterial"]) is { } hint)
        {
            var timestamp = IdentityMaterial.ReadTimestamp(
                root["verificationMaterial"]!["timestampVerificationData"],
                optional: true,
                foreign
            );
            return timestamp.Ok
                ? ReadEnvelope(root["dsseEnvelope"], hint)
                    .Map(bundle => bundle with { Timestamp = timestamp.Value.Response })
                : timestamp.Failure;
        }

        var identity = IdentityMaterial.Read(root["verificationMaterial"], foreign);
        return identity.Ok
            ? ReadEnvelope(root["dsseEnvelope"], null).Map(bundle => bundle with { Identity = identity.Value })
            : identity.Failure;
    }

    private static string? ReadHint(JsonNode? material) =>
        material.Exactly(["publicKey"], "tlogEntries", "timestampVerificationData") is { } members
        && (!members.ContainsKey("tlogEntries") || members["tlogEntries"] is JsonArray { Count: 0 })
        && (!members.ContainsKey("timestampVerificationData") || members["timestampVerificationData"] is JsonObject)
        && members["publicKey"].Exactly(["hint"]) is { } key
        && Digest.TryParse(key["hint"].Text(), out var hint)
            ? hint.Hex
            : null;

    private static Result<SignedBundle> ReadEnvelope(JsonNode? node, string? hint)
    {
        if (node.Exactly(["payload", "payloadType", "signatures"]) is not { } envelope)
        {
            return SigningFailure.Of("envelope_members", "The envelope has a missing or unexpected member.");
        }

        if (envelope["payloadType"].Text() != Dsse.PayloadType)
        {
            return SigningFailure.Of("payload_type", "The signed payload is not an in-toto statement.");
        }

        if (envelope["signatures"] is not JsonArray { Count: 1 } signatures)
        {
            return SigningFailure.Of("signature_count", "The envelope must have exactly one signature.");
        }

        if (
            StrictBase64.TryDecode(envelope["payload"].Text() ?? "!") is not { } payload
            || signatures[0].Exactly(["sig"], "keyid") is not { } entry
            || StrictBase64.TryDecode(entry["sig"].Text() ?? "!") is not { } signature
        )
        {
            return SigningFailure.Of("base64", "The payload or the signature is not strict base64.");
        }

        return Dsse.IsDer(signature)
            ? new SignedBundle(hint, payload, signature)
            : SigningFailure.Of("signature_format", "The signature is not a DER sequence of two integers.");
    }
}
