using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Audit.Contracts;
using Governance.Platform;
using Governance.Platform.Keys;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;

namespace Governance.Signing.Keys;

/// <summary>
/// The embedded authorities: root, issuer of signers' certificates, log of certificates, timestamp authority. Each has keys of
/// its own; the first are made on the first run. The root's key certifies the others' and is not
/// replaced. Thread-safe.
/// </summary>
internal sealed class Authorities : IDisposable
{
    public const string IssuerName = "ca-signers";
    public const string TimeName = "timestamp";
    public const string CertificateLogName = "certificate-log";
    private const int Years = 20;
    private static readonly TimeSpan SignerLifetime = TimeSpan.FromMinutes(10);

    private readonly PlatformOptions _platform;
    private readonly PrivateKeys _keys;
    private readonly TimeProvider _clock;
    private readonly string _logAddress;
    private readonly CertifiedKey _root;
    private readonly RotatingKey<CertifiedKey> _issuers;
    private readonly RotatingKey<CertifiedKey> _times;
    private readonly RotatingKey<PlainKey> _logs;

    public Authorities(PlatformOptions platform, ILogKey audit, KeyRing ring, PrivateKeys keys, TimeProvider clock)
    {
        (_platform, _keys, _clock) = (platform, keys, clock);
        _logAddress = $"{audit.Origin}/certificates";
        _root = Load("ca-root", "ca-root", static (key, now) => SignerCertificates.Root(key, now, now.AddYears(Years)));
        _issuers = new RotatingKey<CertifiedKey>(IssuerName, ring, clock, LoadIssuer);
        _times = new RotatingKey<CertifiedKey>(TimeName, ring, clock, LoadTime);
        _logs = new RotatingKey<PlainKey>(CertificateLogName, ring, clock, LoadLog);
    }

    public IReadOnlyList<(KeyGeneration Generation, CertifiedKey Key)> Issuers => _issuers.All;

    public IReadOnlyList<(KeyGeneration Generation, CertifiedKey Key)> Times => _times.All;

    public IReadOnlyList<(KeyGeneration Generation, PlainKey Key)> CertificateLogs => _logs.All;

    public TrustedAuthority Trusted(KeyGeneration generation, CertifiedKey key) =>
        new(_platform.PublicUrl, [key.Certificate.RawData, _root.Certificate.RawData], key.Start, generation.End);

    public TrustedKey Trusted(KeyGeneration generation, PlainKey key) =>
        TrustedRootDocument.EcdsaLog(_logAddress, key.Spki, key.CreatedAt, generation.End);

    /// <summary>Throws <see cref="KeyUnavailableException"/> unless every key that is needed now signs.</summary>
    public void Check()
    {
        _root.Key.Check();
        _issuers.Current.Key.Check();
        _times.Current.Key.Check();
        _logs.Current.Key.Check();
    }

    /// <summary>Makes the next key of a task in a file of its own; nobody uses it until the ring has it.</summary>
    public void Make(string name, string file)
    {
        using IDisposable made = name switch
        {
            IssuerName => LoadIssuer(file),
            TimeName => LoadTime(file),
            _ => LoadLog(file),
        };
    }

    /// <summary>A certificate for a key that lives for one signature; valid from now on for ten minutes.</summary>
    public X509Certificate2 Certify(ECDsa key, SignerIdentity identity)
    {
        var now = _clock.GetUtcNow();
        var issuer = _issuers.Current;
        return SignerCertificates.Signer(
            key,
            identity,
            issuer.Certificate,
            issuer.Key,
            _logs.Current.Key,
            now,
            now + SignerLifetime
        );
    }

    /// <summary>RFC 3161 response over a signature.</summary>
    public byte[] Timestamp(ReadOnlySpan<byte> signature)
    {
        var authority = _times.Current;
        return Rfc3161.Issue(signature, authority.Certificate, authority.Key, _clock.GetUtcNow());
    }

    public void Dispose()
    {
        _logs.Dispose();
        _times.Dispose();
        _issuers.Dispose();
        _root.Dispose();
    }

    private CertifiedKey LoadIssuer(string file) =>
        Load(
            file,
            IssuerName,
            (key, now) => SignerCertificates.Intermediate(key, _root.Certificate, _root.Key, now, _root.End)
        );

    private CertifiedKey LoadTime(string file) =>
        Load(
            file,
            TimeName,
            (key, now) => SignerCertificates.TimestampAuthority(key, _root.Certificate, _root.Key, now, _root.End)
        );

    private PlainKey LoadLog(string file) => PlainKey.LoadOrCreate(file, $"{CertificateLogName}-key", _keys);

    private CertifiedKey Load(string file, string name, Func<ECDsa, DateTimeOffset, X509Certificate2> issue) =>
        CertifiedKey.LoadOrCreate(file, name, _keys, issue);
}
