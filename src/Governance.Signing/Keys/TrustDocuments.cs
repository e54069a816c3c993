using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Keys;
using Governance.Signing.Engine;

namespace Governance.Signing.Keys;

/// <summary>The published trust root: every key that there is or was, with the time in which its signatures count.</summary>
internal sealed class TrustDocuments(
    PlatformOptions platform,
    KeyRing ring,
    ILogKey log,
    ISignatureLog signatures,
    Authorities authorities,
    RotatingKey<SigningKey> signing
)
{
    private volatile Written? _written;

    public byte[] TrustedRoot => Current.Root;

    /// <summary>The wrapper that Python clients read: our root, and no service to sign with.</summary>
    public byte[] ClientTrustConfig => Current.Config;

    private Written Current
    {
        get
        {
            // The revision is read first: what changes meanwhile is written the next time.
            var revision = ring.Revision;
            if (_written is not { } written || written.Revision != revision)
            {
                var root = Document();
                _written = written = new Written(
                    revision,
                    CanonicalJson.Serialize(root.Write()),
                    CanonicalJson.Serialize(Config(root.Write()))
                );
            }

            return written;
        }
    }

    // The newest signature log first: some stock tools sign and look there.
    private TrustedRootDocument Document() =>
        new([
            .. signatures
                .Keys.Reverse()
                .Select(key => TrustedRootDocument.EcdsaLog(key.Name, key.Spki, key.CreatedAt, key.End)),
            TrustedRootDocument.LogKey(log.Origin, log.RawPublicKey, log.CreatedAt),
            .. signing
                .All.Reverse()
                .Select(key =>
                    TrustedRootDocument.SigningKey(
                        platform.PublicUrl,
                        key.Key.Signer.SubjectPublicKeyInfo,
                        key.Key.CreatedAt,
                        key.Generation.End
                    )
                ),
        ])
        {
            CertificateAuthorities =
            [
                .. authorities.Issuers.Select(key => authorities.Trusted(key.Generation, key.Key)),
            ],
            CertificateLogs =
            [
                .. authorities.CertificateLogs.Select(key => authorities.Trusted(key.Generation, key.Key)),
            ],
            TimestampAuthorities = [.. authorities.Times.Select(key => authorities.Trusted(key.Generation, key.Key))],
        };

    private static JsonObject Config(JsonObject root) =>
        new()
        {
            ["mediaType"] = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            ["trustedRoot"] = root,
            ["signingConfig"] = new JsonObject
            {
                ["mediaType"] = "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                ["caUrls"] = new JsonArray(),
                ["oidcUrls"] = new JsonArray(),
                ["rekorTlogUrls"] = new JsonArray(),
                ["tsaUrls"] = new JsonArray(),
                ["rekorTlogConfig"] = new JsonObject { ["selector"] = "ANY" },
                ["tsaConfig"] = new JsonObject { ["selector"] = "ANY" },
            },
        };

    private sealed record Written(long Revision, byte[] Root, byte[] Config);
}
