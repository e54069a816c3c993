using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Governance.Tests.Registry;

/// <summary>A certificate for localhost that is its own authority.</summary>
internal static class LoopbackCertificate
{
    /// <summary>The certificate with its key, and a temporary PEM file of it as an authority.</summary>
    public static async Task<(X509Certificate2 Certificate, string AuthorityPath)> MakeAsync()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=receiver", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var made = request.CreateSelfSigned(
            DateTimeOffset.FromUnixTimeSeconds(1_600_000_000),
            DateTimeOffset.FromUnixTimeSeconds(4_000_000_000)
        );
        var certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        var path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, certificate.ExportCertificatePem());
        return (certificate, path);
    }
}
