using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Platform;
using Governance.Platform.Keys;

namespace Governance.Signing.Keys;

/// <summary>An ECDSA P-256 key with its certificate, together in one wrapped file, made on the first run: neither is ever there alone.</summary>
internal sealed class CertifiedKey : IDisposable
{
    private CertifiedKey(ECDsa key, X509Certificate2 certificate)
    {
        Key = key;
        Certificate = certificate;
        WithKey = certificate.CopyWithPrivateKey(key);
    }

    public ECDsa Key { get; }

    /// <summary>The certificate, without its key.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>The certificate with its key.</summary>
    public X509Certificate2 WithKey { get; }

    /// <summary>Start of its validity, UTC, whole seconds.</summary>
    public DateTimeOffset Start => new DateTimeOffset(Certificate.NotBefore).ToUniversalTime();

    /// <summary>End of its validity, UTC, whole seconds.</summary>
    public DateTimeOffset End => new DateTimeOffset(Certificate.NotAfter).ToUniversalTime();

    /// <summary>
    /// Reads the pair of the task <paramref name="name"/> from <c>keys/{file}.key</c>, or makes it there; <paramref name="issue"/>
    /// issues its certificate.
    /// </summary>
    public static CertifiedKey LoadOrCreate(
        string file,
        string name,
        PlatformOptions platform,
        IKeyWrap wrap,
        TimeProvider clock,
        Func<ECDsa, DateTimeOffset, X509Certificate2> issue
    )
    {
        var stored = WrappedKeyFile.LoadOrCreate(
            Path.Combine(platform.DataDirectory, "keys", $"{file}.key"),
            $"{name}-key",
            wrap,
            clock,
            () => Create(DateTimeOffset.FromUnixTimeSeconds(clock.GetUtcNow().ToUnixTimeSeconds()), issue)
        );
        var pair = new AsnReader(stored.Key, AsnEncodingRules.DER).ReadSequence();
        var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(pair.ReadEncodedValue().Span, out _);
        var certificate = X509CertificateLoader.LoadCertificate(pair.ReadEncodedValue().Span);
        CryptographicOperations.ZeroMemory(stored.Key);
        return new CertifiedKey(key, certificate);
    }

    public void Dispose()
    {
        WithKey.Dispose();
        Certificate.Dispose();
        Key.Dispose();
    }

    private static byte[] Create(DateTimeOffset now, Func<ECDsa, DateTimeOffset, X509Certificate2> issue)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = issue(key, now);
        var secret = key.ExportPkcs8PrivateKey();
        var pair = new AsnWriter(AsnEncodingRules.DER);
        using (pair.PushSequence())
        {
            pair.WriteEncodedValue(secret);
            pair.WriteEncodedValue(certificate.RawData);
        }

        CryptographicOperations.ZeroMemory(secret);
        return pair.Encode();
    }
}
