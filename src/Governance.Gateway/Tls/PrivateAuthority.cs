using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Platform.Blobs;
using Governance.Platform.Keys;

namespace Governance.Gateway.Tls;

/// <summary>
/// The private CA of an installation: P-384, ten years, its key wrapped at rest. It issues certificates of 90 days to the
/// gateway itself, whose keys (P-256) are never stored.
/// </summary>
internal sealed class PrivateAuthority : IDisposable
{
    private const string Purpose = "tls-ca-key";
    private static readonly TimeSpan Life = TimeSpan.FromDays(90);

    public PrivateAuthority(string dataDirectory, IKeyWrap keys, DateTimeOffset now)
    {
        var directory = Path.Combine(dataDirectory, "tls");
        CertificatePath = Path.Combine(directory, "ca.pem");
        var keyPath = Path.Combine(directory, "ca.key");
        if (!File.Exists(CertificatePath))
        {
            Create(keyPath, keys, now);
        }

        using var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(keys.Unwrap(ReadAll(keyPath), Purpose), out _);
        using var bare = X509Certificate2.CreateFromPem(File.ReadAllText(CertificatePath));
        Certificate = bare.CopyWithPrivateKey(key);
    }

    /// <summary>The CA certificate as PEM, for clients.</summary>
    public string CertificatePath { get; }

    /// <summary>The CA certificate.</summary>
    public X509Certificate2 Certificate { get; }

    public void Dispose() => Certificate.Dispose();

    /// <summary>A server certificate for these DNS names and addresses.</summary>
    public X509Certificate2 Issue(DateTimeOffset now, IEnumerable<string> hosts)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Governance gateway", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(Names(hosts).Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        request.CertificateExtensions.Add(
            X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Certificate, true, false)
        );
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x7f) | 1);
        var (end, last) = (now + Life, new DateTimeOffset(Certificate.NotAfter));
        using var bare = request.Create(Certificate, now.AddHours(-1), end < last ? end : last, serial);
        using var whole = bare.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pfx), null);
    }

    private void Create(string keyPath, IKeyWrap keys, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var request = new CertificateRequest("CN=Governance private CA", key, HashAlgorithmName.SHA384);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true)
        );
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        using var certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddYears(10));
        DurableFile.WriteSecret(keyPath, keys.Wrap(key.ExportPkcs8PrivateKey(), Purpose));
        DurableFile.WriteSecret(
            CertificatePath,
            System.Text.Encoding.ASCII.GetBytes(certificate.ExportCertificatePem() + "\n")
        );
    }

    private static SubjectAlternativeNameBuilder Names(IEnumerable<string> hosts)
    {
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts)
        {
            if (IPAddress.TryParse(host.Trim('[', ']'), out var address))
            {
                names.AddIpAddress(address);
            }
            else
            {
                names.AddDnsName(host);
            }
        }

        return names;
    }

    private static byte[] ReadAll(string path)
    {
        using var file = File.OpenRead(path);
        var bytes = new byte[Math.Min(file.Length, 4096)];
        file.ReadExactly(bytes);
        return bytes;
    }
}
