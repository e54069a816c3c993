using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Keys;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;

namespace Governance.Signing.Keys;

/// <summary>
/// The gateway's model-signing keys, the first made on the first run, and the embedded authorities by
/// which it signs for a registrant.
/// </summary>
internal sealed class GatewaySigner : ISigner, IDisposable
{
    public const string Name = "signing";
    private readonly RotatingKey<SigningKey> _keys;
    private readonly IdentitySigner _identities;
    private readonly PlatformOptions _platform;
    private readonly Authorities _authorities;
    private readonly TrustDocuments _documents;
    private readonly PrivateKeys _private;
    private readonly bool _forRegistrants;

    public GatewaySigner(
        PlatformOptions platform,
        SigningOptions options,
        KeyRing ring,
        PrivateKeys keys,
        ILogKey log,
        ISignatureLog signatures,
        Authorities authorities,
        TimeProvider clock
    )
    {
        (_platform, _authorities, _private) = (platform, authorities, keys);
        _forRegistrants = options.Mode == SigningMode.Identity;
        _identities = new IdentitySigner(authorities, signatures);
        _keys = new RotatingKey<SigningKey>(Name, ring, clock, Load);
        _documents = new TrustDocuments(platform, ring, log, signatures, authorities, _keys);
    }

    public string PublicKeyPem => _keys.Current.Signer.PublicKeyPem;

    public string KeyHint => _keys.Current.Signer.KeyHint;

    public byte[] TrustedRoot => _documents.TrustedRoot;

    public byte[] ClientTrustConfig => _documents.ClientTrustConfig;

    public IReadOnlyList<(KeyGeneration Generation, SigningKey Key)> Keys => _keys.All;

    /// <summary>Throws <see cref="KeyUnavailableException"/> unless the key that signs now does.</summary>
    public void Check() => _keys.Current.Key.Check();

    /// <summary>Makes the next key in a file of its own; nobody uses it until the ring has it.</summary>
    public void Make(string file) => Load(file).Dispose();

    public Task<byte[]> SignModelAsync(
        string name,
        Manifest manifest,
        string registrant,
        CancellationToken cancellationToken
    ) =>
        _forRegistrants
            ? _identities.SignAsync(ModelStatement.Payload(name, manifest), IdentityOf(registrant), cancellationToken)
            : Task.FromResult(_keys.Current.Signer.SignModel(name, manifest, _authorities.Timestamp));

    public SignerPolicy PolicyFor(string registrant) =>
        _forRegistrants && IdentityOf(registrant) is var identity
            ? new SignerPolicy(identity.Subject, identity.Issuer)
            : SignerPolicy.Anybody;

    public bool IsFor(VerifiedStatement statement, string registrant) =>
        statement.Signer is null || statement.Signer == IdentityOf(registrant, statement.Signer.Issuer);

    public byte[] SignStatement(JsonObject statement) =>
        _keys.Current.Signer.SignStatement(statement, _authorities.Timestamp);

    public byte[] SignLoggedStatement(JsonObject statement) => _keys.Current.Signer.SignStatement(statement);

    public void Dispose() => _keys.Dispose();

    private SigningKey Load(string file) => new(PlainKey.LoadOrCreate(file, "model-signing-key", _private));

    private SignerIdentity IdentityOf(string registrant) => IdentityOf(registrant, _platform.PublicUrl);

    // The address as certificates spell it: without a port that goes without saying.
    private static SignerIdentity IdentityOf(string registrant, string address) =>
        Uri.TryCreate($"{address}/signers/{Uri.EscapeDataString(registrant)}", UriKind.Absolute, out var subject)
            ? new SignerIdentity(subject.AbsoluteUri, address)
            : new SignerIdentity("", address);
}
