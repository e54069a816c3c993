using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>The entry of a signature in the signature log: Rekor's <c>dsse</c> 0.0.1. It holds no payload, only its hash.</summary>
internal static class LogBody
{
    public const string Kind = "dsse";
    public const string Version = "0.0.1";

    /// <summary>The canonical body. The envelope's hash is over its canonical JSON, so that it can be made again from a bundle.</summary>
    public static byte[] Create(SignedBundle bundle, string certificatePem) =>
        CanonicalJson.Serialize(
            new JsonObject
            {
                ["apiVersion"] = Version,
                ["kind"] = Kind,
                ["spec"] = new JsonObject
                {
                    ["envelopeHash"] = Hash(Digest.Of(CanonicalJson.Serialize(bundle.Envelope()))),
                    ["payloadHash"] = Hash(Digest.Of(bundle.Payload)),
                    ["signatures"] = new JsonArray(
                        new JsonObject
                        {
                            ["signature"] = Convert.ToBase64String(bundle.Signature),
                            ["verifier"] = Convert.ToBase64String(Encoding.ASCII.GetBytes(certificatePem)),
                        }
                    ),
                },
            }
        );

    /// <summary>
    /// Whether a body is about this bundle. Others hash the envelope as they happened to write it, so of that hash only the form
    /// is looked at; payload, signature and certificate are named beside it.
    /// </summary>
    public static bool IsAbout(byte[] body, SignedBundle bundle, string certificatePem)
    {
        var expected = Json.TryParse(Create(bundle, certificatePem))!.AsObject();
        if (
            Json.TryParse(body) is not JsonObject actual
            || (actual["spec"] as JsonObject)?["envelopeHash"].Exactly(["algorithm", "value"]) is not { } hash
            || hash["algorithm"].Text() != "sha256"
            || !Digest.TryParse(hash["value"].Text(), out var envelope)
        )
        {
            return false;
        }

        expected["spec"]!["envelopeHash"] = Hash(envelope);
        return JsonNode.DeepEquals(expected, actual);
    }

    private static JsonObject Hash(Digest digest) => new() { ["algorithm"] = "sha256", ["value"] = digest.Hex };
}
