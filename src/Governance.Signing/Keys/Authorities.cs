using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Audit.Contracts;
using Governance.Platform;
using Governance.Platform.Keys;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;

namespace Governance.Signing.Keys;

/// <summary>
/// The embedded authorities: root, issuer of signers' certificates, log of certificates, timestamp authority. Each has a key of
/// its own, wrapped in <c>keys/</c>, made on the first run. Thread-safe.
/// </summary>
internal sealed class Authorities : IDisposable
{
    // Nothing replaces them yet.
    private const int Years = 20;
    private static readonly TimeSpan SignerLifetime = TimeSpan.FromMinutes(10);

    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();
    private readonly CertifiedKey _root;
    private readonly CertifiedKey _issuer;
    private readonly CertifiedKey _time;
    private readonly X509Certificate2 _timeWithKey;
    private readonly ECDsa _log;

    public Authorities(PlatformOptions platform, ILogKey audit, IKeyWrap wrap, TimeProvider clock)
    {
        _clock = clock;
        _root = Load("ca-root", static (key, now) => SignerCertificates.Root(key, now, now.AddYears(Years)));
        _issuer = Load(
            "ca-signers",
            (key, now) => SignerCertificates.Intermediate(key, _root.Certificate, _root.Key, now, _root.End)
        );
        _time = Load(
            "timestamp",
            (key, now) => SignerCertificates.TimestampAuthority(key, _root.Certificate, _root.Key, now, _root.End)
        );
        _timeWithKey = _time.Certificate.CopyWithPrivateKey(_time.Key);
        (_log, var logStart) = WrappedEcdsaKey.LoadOrCreate(
            "certificate-log",
            "certificate-log-key",
            platform,
            wrap,
            clock
        );
        Issuer = Trusted(_issuer);
        TimestampAuthority = Trusted(_time);
        CertificateLog = TrustedRootDocument.EcdsaLog(
            $"{audit.Origin}/certificates",
            _log.ExportSubjectPublicKeyInfo(),
            logStart,
            null
        );

        CertifiedKey Load(string name, Func<ECDsa, DateTimeOffset, X509Certificate2> issue) =>
            CertifiedKey.LoadOrCreate(name, platform, wrap, clock, issue);

        TrustedAuthority Trusted(CertifiedKey leaf) =>
            new(platform.PublicUrl, [leaf.Certificate.RawData, _root.Certificate.RawData], leaf.Start, null);
    }

    public TrustedAuthority Issuer { get; }

    public TrustedAuthority TimestampAuthority { get; }

    public TrustedKey CertificateLog { get; }

    /// <summary>A certificate for a key that lives for one signature; valid from now on for ten minutes.</summary>
    public X509Certificate2 Certify(ECDsa key, SignerIdentity identity)
    {
        var now = _clock.GetUtcNow();
        lock (_lock)
        {
            return SignerCertificates.Signer(
                key,
                identity,
                _issuer.Certificate,
                _issuer.Key,
                _log,
                now,
                now + SignerLifetime
            );
        }
    }

    /// <summary>RFC 3161 response over a signature.</summary>
    public byte[] Timestamp(ReadOnlySpan<byte> signature)
    {
        lock (_lock)
        {
            return Rfc3161.Issue(signature, _timeWithKey, _clock.GetUtcNow());
        }
    }

    public void Dispose()
    {
        _log.Dispose();
        _timeWithKey.Dispose();
        _time.Dispose();
        _issuer.Dispose();
        _root.Dispose();
    }
}
