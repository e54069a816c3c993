using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Platform;
using Governance.Platform.Blobs;
using Governance.Platform.Keys;

namespace Governance.Gateway.Tls;

/// <summary>
/// The private CA of an installation (P-384, key wrapped at rest) and the server certificate (P-256), which is made anew at
/// each start and never stored. Clients trust <c>&lt;data&gt;/tls/ca.pem</c>.
/// </summary>
internal sealed class ServerCertificates : IDisposable
{
    private const string Purpose = "tls-ca-key";
    private readonly X509Certificate2 _authority;

    public ServerCertificates(PlatformOptions options, GatewayOptions gateway, IKeyWrap keys, TimeProvider clock)
    {
        var directory = Path.Combine(options.DataDirectory, "tls");
        CertificatePath = Path.Combine(directory, "ca.pem");
        var keyPath = Path.Combine(directory, "ca.key");
        var now = clock.GetUtcNow();
        if (!File.Exists(CertificatePath))
        {
            Create(keyPath, keys, now);
        }

        using var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(keys.Unwrap(ReadAll(keyPath), Purpose), out _);
        using var bare = X509Certificate2.CreateFromPem(File.ReadAllText(CertificatePath));
        _authority = bare.CopyWithPrivateKey(key);
        Server = Issue(now, Names(options, gateway));
    }

    /// <summary>The CA certificate as PEM, for clients.</summary>
    public string CertificatePath { get; }

    /// <summary>The CA certificate.</summary>
    public X509Certificate2 Authority => _authority;

    /// <summary>The server's certificate with its key.</summary>
    public X509Certificate2 Server { get; }

    public void Dispose()
    {
        Server.Dispose();
        _authority.Dispose();
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

    private X509Certificate2 Issue(DateTimeOffset now, SubjectAlternativeNameBuilder names)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Governance gateway", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        request.CertificateExtensions.Add(
            X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_authority, true, false)
        );
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x7f) | 1);
        using var bare = request.Create(_authority, now.AddHours(-1), now.AddDays(90), serial);
        using var whole = bare.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pfx), null);
    }

    private static SubjectAlternativeNameBuilder Names(PlatformOptions options, GatewayOptions gateway)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        foreach (var host in AllowedHosts.Of(options, gateway).Except(["localhost", "127.0.0.1", "[::1]"]))
        {
            if (IPAddress.TryParse(host, out var address))
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

/// <summary>The host names that requests may carry.</summary>
internal static class AllowedHosts
{
    public static IReadOnlyList<string> Of(PlatformOptions options, GatewayOptions gateway) =>
        [
            .. new[] { "localhost", "127.0.0.1", "[::1]", new Uri(options.PublicUrl).Host }
                .Concat(
                    gateway.AllowedHosts.Split(
                        ',',
                        StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries
                    )
                )
                .Distinct(),
        ];
}
