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

    private static JsonObject Hash(Digest digest) => new() { ["algorithm"] = "sha256", ["value"] = digest.Hex };
}
