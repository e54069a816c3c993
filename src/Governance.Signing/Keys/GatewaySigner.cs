using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Keys;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;

namespace Governance.Signing.Keys;

/// <summary>The gateway's model-signing key, wrapped in <c>keys/signing.key</c>, made on the first run.</summary>
internal sealed class GatewaySigner : ISigner, IDisposable
{
    private const string Purpose = "model-signing-key";
    private readonly ModelSigner _signer;

    public GatewaySigner(PlatformOptions platform, IKeyWrap wrap, ILogKey log, TimeProvider clock)
    {
        var stored = WrappedKeyFile.LoadOrCreate(
            Path.Combine(platform.DataDirectory, "keys", "signing.key"),
            Purpose,
            wrap,
            clock,
            Generate
        );
        var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(stored.Key, out _);
        CryptographicOperations.ZeroMemory(stored.Key);
        _signer = new ModelSigner(key);
        var root = new TrustedRootDocument([
            TrustedRootDocument.LogKey(log.Origin, log.RawPublicKey, log.CreatedAt),
            TrustedRootDocument.SigningKey(platform.PublicUrl, _signer.SubjectPublicKeyInfo, stored.CreatedAt, null),
        ]);
        TrustedRoot = CanonicalJson.Serialize(root.Write());
        ClientTrustConfig = CanonicalJson.Serialize(ClientConfig(root.Write()));
    }

    public string PublicKeyPem => _signer.PublicKeyPem;

    public string KeyHint => _signer.KeyHint;

    public byte[] TrustedRoot { get; }

    /// <summary>The wrapper that Python clients read: our root, and no service to sign with.</summary>
    public byte[] ClientTrustConfig { get; }

    public byte[] SignModel(string name, Manifest manifest) => _signer.SignModel(name, manifest);

    public byte[] SignStatement(JsonObject statement) => _signer.SignStatement(statement);

    public void Dispose() => _signer.Dispose();

    private static byte[] Generate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return key.ExportPkcs8PrivateKey();
    }

    private static JsonObject ClientConfig(JsonObject root) =>
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
}
