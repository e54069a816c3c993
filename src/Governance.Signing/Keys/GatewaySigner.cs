using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Keys;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;

namespace Governance.Signing.Keys;

/// <summary>
/// The gateway's model-signing key, wrapped in <c>keys/signing.key</c>, made on the first run, and the embedded authorities by
/// which it signs for a registrant.
/// </summary>
internal sealed class GatewaySigner : ISigner, IDisposable
{
    private readonly ModelSigner _signer;
    private readonly IdentitySigner _identities;
    private readonly PlatformOptions _platform;
    private readonly bool _forRegistrants;

    public GatewaySigner(
        PlatformOptions platform,
        SigningOptions options,
        IKeyWrap wrap,
        ILogKey log,
        ISignatureLog signatures,
        Authorities authorities,
        TimeProvider clock
    )
    {
        _platform = platform;
        _forRegistrants = options.Mode == SigningMode.Identity;
        _identities = new IdentitySigner(authorities, signatures);
        var (key, createdAt) = WrappedEcdsaKey.LoadOrCreate("signing", "model-signing-key", platform, wrap, clock);
        _signer = new ModelSigner(key);
        var root = new TrustedRootDocument([
            TrustedRootDocument.EcdsaLog(signatures.Key.Name, signatures.Key.Spki, signatures.Key.CreatedAt, null),
            TrustedRootDocument.LogKey(log.Origin, log.RawPublicKey, log.CreatedAt),
            TrustedRootDocument.SigningKey(platform.PublicUrl, _signer.SubjectPublicKeyInfo, createdAt, null),
        ])
        {
            CertificateAuthorities = [authorities.Issuer],
            CertificateLogs = [authorities.CertificateLog],
            TimestampAuthorities = [authorities.TimestampAuthority],
        };
        TrustedRoot = CanonicalJson.Serialize(root.Write());
        ClientTrustConfig = CanonicalJson.Serialize(ClientConfig(root.Write()));
    }

    public string PublicKeyPem => _signer.PublicKeyPem;

    public string KeyHint => _signer.KeyHint;

    public byte[] TrustedRoot { get; }

    /// <summary>The wrapper that Python clients read: our root, and no service to sign with.</summary>
    public byte[] ClientTrustConfig { get; }

    public Task<byte[]> SignModelAsync(
        string name,
        Manifest manifest,
        string registrant,
        CancellationToken cancellationToken
    ) =>
        _forRegistrants
            ? _identities.SignAsync(ModelStatement.Payload(name, manifest), IdentityOf(registrant), cancellationToken)
            : Task.FromResult(_signer.SignModel(name, manifest));

    public SignerPolicy PolicyFor(string registrant) =>
        _forRegistrants && IdentityOf(registrant) is var identity
            ? new SignerPolicy(identity.Subject, identity.Issuer)
            : SignerPolicy.Anybody;

    public byte[] SignStatement(JsonObject statement) => _signer.SignStatement(statement);

    public void Dispose() => _signer.Dispose();

    public bool IsFor(VerifiedStatement statement, string registrant) =>
        statement.Signer is null || statement.Signer == IdentityOf(registrant, statement.Signer.Issuer);

    private SignerIdentity IdentityOf(string registrant) => IdentityOf(registrant, _platform.PublicUrl);

    // The address as certificates spell it: without a port that goes without saying.
    private static SignerIdentity IdentityOf(string registrant, string address) =>
        Uri.TryCreate($"{address}/signers/{Uri.EscapeDataString(registrant)}", UriKind.Absolute, out var subject)
            ? new SignerIdentity(subject.AbsoluteUri, address)
            : new SignerIdentity("", address);

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
