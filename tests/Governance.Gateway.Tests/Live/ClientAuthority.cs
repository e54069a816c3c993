using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Governance.Gateway.Tests.Live;

/// <summary>An authority that signs certificates of clients, good ones and ones with a fault.</summary>
internal sealed class ClientAuthority : IDisposable
{
    public const string ForClients = "1.3.6.1.5.5.7.3.2";
    public const string ForServers = "1.3.6.1.5.5.7.3.1";
    private readonly X509Certificate2 _certificate;

    /// <summary>A root of that name.</summary>
    public ClientAuthority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = DateTimeOffset.UtcNow;
        _certificate = Request(name, key, authority: true).CreateSelfSigned(now.AddDays(-20), now.AddDays(20));
    }

    private ClientAuthority(X509Certificate2 certificate) => _certificate = certificate;

    public string Pem => _certificate.ExportCertificatePem();

    /// <summary>Signs by this certificate, whether or not it may.</summary>
    public static ClientAuthority Of(X509Certificate2 certificate) => new(certificate);

    /// <summary>An authority below this one.</summary>
    public ClientAuthority Below(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new ClientAuthority(Sign(Request(name, key, authority: true), key, -10, 10));
    }

    /// <summary>A certificate of this name that only its own key signed.</summary>
    public static X509Certificate2 SelfSigned(string dnsName)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = For(Request("client", key, authority: false), dnsName, ForClients);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    /// <summary>A certificate with its key, valid between these days from now.</summary>
    public X509Certificate2 Issue(
        string? dnsName,
        string? usage = ForClients,
        int from = -1,
        int until = 1,
        string commonName = "client",
        bool rsa = false
    )
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = rsa ? RSA.Create(2048) : null;
        var request = For(
            other is null
                ? Request(commonName, key, authority: false)
                : new CertificateRequest(
                    $"CN={commonName}",
                    other,
                    HashAlgorithmName.SHA256,
                    RSASignaturePadding.Pkcs1
                ),
            dnsName,
            usage
        );
        if (other is null)
        {
            return Sign(request, key, from, until);
        }

        using var signed = Sign(request, from, until);
        return signed.CopyWithPrivateKey(other);
    }

    /// <summary>Writes a certificate and its key as PEM files.</summary>
    public static (string Certificate, string Key) Write(X509Certificate2 certificate, string directory, string name)
    {
        var files = (Path.Combine(directory, $"{name}.pem"), Path.Combine(directory, $"{name}.key"));
        using var ec = certificate.GetECDsaPrivateKey();
        using var rsa = certificate.GetRSAPrivateKey();
        File.WriteAllText(files.Item1, certificate.ExportCertificatePem());
        File.WriteAllText(files.Item2, ec?.ExportPkcs8PrivateKeyPem() ?? rsa!.ExportPkcs8PrivateKeyPem());
        return files;
    }

    public void Dispose() => _certificate.Dispose();

    private static CertificateRequest Request(string name, ECDsa key, bool authority)
    {
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(authority, false, 0, true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(
                authority ? X509KeyUsageFlags.KeyCertSign : X509KeyUsageFlags.DigitalSignature,
                true
            )
        );
        return request;
    }

    private static CertificateRequest For(CertificateRequest request, string? dnsName, string? usage)
    {
        if (dnsName is not null)
        {
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(dnsName);
            request.CertificateExtensions.Add(names.Build());
        }

        if (usage is not null)
        {
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        }

        return request;
    }

    private X509Certificate2 Sign(CertificateRequest request, ECDsa key, int from, int until)
    {
        using var signed = Sign(request, from, until);
        return signed.CopyWithPrivateKey(key);
    }

    private X509Certificate2 Sign(CertificateRequest request, int from, int until)
    {
        var now = DateTimeOffset.UtcNow;
        using var key = _certificate.GetECDsaPrivateKey()!;
        return request.Create(
            _certificate.SubjectName,
            X509SignatureGenerator.CreateForECDsa(key),
            now.AddDays(from),
            now.AddDays(until),
            RandomNumberGenerator.GetBytes(16)
        );
    }
}
