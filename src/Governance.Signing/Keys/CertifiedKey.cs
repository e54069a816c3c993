using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Platform.Keys;

namespace Governance.Signing.Keys;

/// <summary>An ECDSA P-256 key with its certificate, together in one wrapped file, made on the first run.</summary>
internal sealed class CertifiedKey : IDisposable
{
    private CertifiedKey(HeldKey key, X509Certificate2 certificate)
    {
        Key = key;
        Certificate = certificate;
    }

    /// <summary>Safe for several threads.</summary>
    public HeldKey Key { get; }

    /// <summary>The certificate, without its key.</summary>
    public X509Certificate2 Certificate { get; }

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
        PrivateKeys keys,
        Func<ECDsa, DateTimeOffset, X509Certificate2> issue
    )
    {
        var stored = keys.LoadOrCreate(file, $"{name}-key", () => Create(file, keys, issue));
        var pair = new AsnReader(stored.Key, AsnEncodingRules.DER).ReadSequence();
        var key = keys.Open(pair.ReadEncodedValue());
        var certificate = X509CertificateLoader.LoadCertificate(pair.ReadEncodedValue().Span);
        CryptographicOperations.ZeroMemory(stored.Key);
        return new CertifiedKey(key, certificate);
    }

    public void Dispose()
    {
        Certificate.Dispose();
        Key.Dispose();
    }

    private static byte[] Create(string file, PrivateKeys keys, Func<ECDsa, DateTimeOffset, X509Certificate2> issue)
    {
        var secret = keys.Make(file);
        using var key = keys.Open(secret);
        using var certificate = issue(key, keys.Now);
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
