using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Audit.Contracts;
using Governance.Gateway.Tls;
using Governance.Platform;
using Governance.Platform.Keys;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Governance.Gateway.Tests.Live;

/// <summary>Certificates of the operator: PEM and PKCS #12, replaced while people are connected; and the private one in time.</summary>
public sealed class CertificateTests : IDisposable
{
    private static readonly string[] Legacy =
    [
        "ECDHE-RSA-AES256-SHA384",
        "ECDHE-RSA-AES128-SHA256",
        "ECDHE-RSA-AES256-SHA",
        "ECDHE-RSA-AES128-SHA",
        "AES256-GCM-SHA384",
        "AES128-GCM-SHA256",
        "AES256-SHA256",
        "AES128-SHA",
        "CAMELLIA256-SHA",
        "DHE-RSA-AES256-GCM-SHA384",
    ];

    private readonly string _root = Directory.CreateTempSubdirectory("governance-tls-").FullName;

    private string Certificate => Path.Combine(_root, "server.pem");

    private string Key => Path.Combine(_root, "server.key");

    private string Password => Path.Combine(_root, "password");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Replaced_pem_files_serve_new_connections_and_leave_old_ones_and_a_broken_pair_changes_nothing()
    {
        var first = WritePem("first");
        await using var gateway = Gateway(("CertificateFile", Certificate), ("KeyFile", Key));
        await gateway.InitializeAsync();
        await using var old = await ConnectAsync(gateway);
        Assert.Equal(first, Thumbprint(old));
        Assert.StartsWith("HTTP/1.1 200", await AskAsync(old), StringComparison.Ordinal);

        var second = WritePem("second");
        await EventuallyAsync(async () => await PresentedAsync(gateway) == second);
        Assert.StartsWith("HTTP/1.1 200", await AskAsync(old), StringComparison.Ordinal);
        Assert.Equal(first, Thumbprint(old));

        File.WriteAllText(Key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        await Task.Delay(2500, TestContext.Current.CancellationToken);
        Assert.Equal(second, await PresentedAsync(gateway));

        var third = WritePem("third");
        await EventuallyAsync(async () => await PresentedAsync(gateway) == third);
        // An entry is in the tree a moment after its change.
        var log = gateway.Services.GetRequiredService<IAuditLog>();
        var query = new AuditQuery { KindPrefix = "gateway.certificate_changed" };
        await EventuallyAsync(async () =>
            (await log.QueryAsync(query, TestContext.Current.CancellationToken)).Items.Count >= 2
        );
        var entries = await log.QueryAsync(query, TestContext.Current.CancellationToken);
        Assert.Equal(2, entries.Items.Count);
        Assert.Contains(third, entries.Items[0].Canonical, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_pages_sign_people_in_through_a_certificate_that_no_authority_signed()
    {
        WritePem("own");
        await using var gateway = Gateway(("CertificateFile", Certificate), ("KeyFile", Key));
        await gateway.InitializeAsync();
        using var client = Trusting(gateway);

        using var answer = await client.GetAsync(new Uri(gateway.Url), TestContext.Current.CancellationToken);

        // Leading to the issuer means that its metadata was read through the certificate.
        Assert.Equal(HttpStatusCode.Redirect, answer.StatusCode);
        Assert.Contains("/connect/authorize", answer.Headers.Location!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pkcs12_file_with_an_rsa_key_serves_modern_suites_only()
    {
        var file = Path.Combine(_root, "server.pfx");
        using (var made = Make("rsa", rsa: true))
        {
            File.WriteAllBytes(file, made.Export(X509ContentType.Pkcs12, "let me in"));
        }

        File.WriteAllText(Password, "let me in\n");
        await using var gateway = Gateway(("CertificateFile", file), ("PasswordFile", Password));
        await gateway.InitializeAsync();

        Assert.Equal(0, (await OpenSslAsync(gateway, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")).ExitCode);
        Assert.Equal(0, (await OpenSslAsync(gateway, "-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305")).ExitCode);
        Assert.Equal(0, (await OpenSslAsync(gateway, "-tls1_3")).ExitCode);
        foreach (var suite in Legacy)
        {
            var run = await OpenSslAsync(gateway, "-tls1_2", "-cipher", $"{suite}:@SECLEVEL=0");

            Assert.True(run.ExitCode != 0, $"{suite} was spoken");
        }

        foreach (var version in new[] { "-tls1_1", "-tls1" })
        {
            Assert.NotEqual(0, (await OpenSslAsync(gateway, version, "-cipher", "ALL:@SECLEVEL=0")).ExitCode);
        }
    }

    [Theory]
    [InlineData("no file", "cannot be read")]
    [InlineData("no certificate", "cannot be used")]
    [InlineData("another key", "cannot be used")]
    [InlineData("wrong password", "cannot be used")]
    [InlineData("expired", "it is valid from")]
    [InlineData("not yet", "it is valid from")]
    [InlineData("another name", "it names none of")]
    [InlineData("for clients", "not meant for servers")]
    [InlineData("weak", "its key is neither")]
    [InlineData("authority first", "does not stand first")]
    public void What_cannot_serve_is_refused_in_one_sentence(string kind, string sentence)
    {
        var now = DateTimeOffset.UtcNow;
        switch (kind)
        {
            case "no file":
                break;
            case "no certificate":
                File.WriteAllText(Certificate, "hello");
                break;
            case "another key":
                WritePem("x");
                using (var other = ECDsa.Create(ECCurve.NamedCurves.nistP256))
                {
                    File.WriteAllText(Key, other.ExportPkcs8PrivateKeyPem());
                }

                break;
            case "wrong password":
                WritePem("x", password: "right");
                File.WriteAllText(Password, "wrong");
                break;
            default:
                WritePem(kind, kind: kind);
                break;
        }

        var files = new CertificateFiles(
            new TlsOptions
            {
                CertificateFile = Certificate,
                KeyFile = File.Exists(Key) ? Key : "",
                PasswordFile = File.Exists(Password) ? Password : "",
            },
            ["localhost"]
        );

        var refused = Assert.Throws<InvalidOperationException>(() => files.Load(now));
        Assert.Contains(sentence, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_encrypted_key_opens_with_the_password_file()
    {
        var expected = WritePem("x", password: "right");
        File.WriteAllText(Password, "right\r\nsecond line");
        var options = new TlsOptions
        {
            CertificateFile = Certificate,
            KeyFile = Key,
            PasswordFile = Password,
        };

        var (leaf, others) = new CertificateFiles(options, ["localhost"]).Load(DateTimeOffset.UtcNow);

        Assert.Equal(expected, Convert.ToHexStringLower(SHA256.HashData(leaf.RawData)));
        Assert.True(leaf.HasPrivateKey);
        Assert.Empty(others);
    }

    [Fact]
    public void The_private_certificate_is_renewed_before_it_ends_without_a_restart()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var platform = new PlatformOptions
        {
            DataDirectory = _root,
            PoliciesDirectory = _root,
            KeyFile = Path.Combine(_root, "kek"),
            PublicUrl = "https://models.example:8443",
        };
        using var certificates = new ServerCertificates(
            platform,
            new GatewayOptions(),
            new TlsOptions(),
            new FileKeyWrap(platform, new KeyOptions()),
            clock
        );
        var first = certificates.Server;
        clock.Advance(TimeSpan.FromDays(59));
        Assert.False(certificates.Refresh());

        clock.Advance(TimeSpan.FromDays(2));
        Assert.True(certificates.Refresh());

        Assert.NotEqual(first.Thumbprint, certificates.Server.Thumbprint);
        Assert.True(certificates.Server.NotAfter > clock.GetUtcNow().AddDays(89));
        Assert.True(certificates.Server.MatchesHostname("models.example"));
        Assert.False(certificates.Refresh());
    }

    private LiveGateway Gateway(params (string Key, string Value)[] settings) =>
        new()
        {
            Accounts = false,
            Settings = settings
                .Append(("ReloadSeconds", "1"))
                .ToDictionary(one => $"Governance:Tls:{one.Item1}", string? (one) => one.Item2),
        };

    private string WritePem(string name, string kind = "", string? password = null)
    {
        using var made = Make(name, kind: kind);
        using var key = made.GetECDsaPrivateKey()!;
        File.WriteAllText(Certificate, made.ExportCertificatePem());
        File.WriteAllText(
            Key,
            password is null
                ? key.ExportPkcs8PrivateKeyPem()
                : key.ExportEncryptedPkcs8PrivateKeyPem(
                    password,
                    new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 10_000)
                )
        );
        return Convert.ToHexStringLower(SHA256.HashData(made.RawData));
    }

    private static X509Certificate2 Make(string name, bool rsa = false, string kind = "")
    {
        using var rsaKey = RSA.Create(2048);
        using var ecKey = ECDsa.Create(
            kind == "weak" ? ECCurve.CreateFromFriendlyName("secp224r1") : ECCurve.NamedCurves.nistP256
        );
        var request = rsa
            ? new CertificateRequest($"CN={name}", rsaKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest($"CN={name}", ecKey, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(kind == "another name" ? "elsewhere.example" : "localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(kind == "authority first", false, 0, true));
        request.CertificateExtensions.Add(
            new X509EnhancedKeyUsageExtension(
                [new Oid(kind == "for clients" ? "1.3.6.1.5.5.7.3.2" : "1.3.6.1.5.5.7.3.1")],
                false
            )
        );
        var now = DateTimeOffset.UtcNow;
        return kind switch
        {
            "expired" => request.CreateSelfSigned(now.AddDays(-9), now.AddDays(-1)),
            "not yet" => request.CreateSelfSigned(now.AddDays(1), now.AddDays(9)),
            _ => request.CreateSelfSigned(now.AddMinutes(-5), now.AddDays(30)),
        };
    }

    private static async Task<SslStream> ConnectAsync(LiveGateway gateway)
    {
        var tcp = new TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, new Uri(gateway.Url).Port, TestContext.Current.CancellationToken);
        var tls = new SslStream(tcp.GetStream(), false, (_, _, _, _) => true);
        await tls.AuthenticateAsClientAsync("localhost");
        return tls;
    }

    private static async Task<string> AskAsync(SslStream connection)
    {
        await connection.WriteAsync("GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
        var answer = new byte[8192];
        var length = await connection.ReadAsync(answer, TestContext.Current.CancellationToken);
        return System.Text.Encoding.Latin1.GetString(answer, 0, length);
    }

    private static async Task<string> PresentedAsync(LiveGateway gateway)
    {
        await using var connection = await ConnectAsync(gateway);
        return Thumbprint(connection);
    }

    private static string Thumbprint(SslStream connection) =>
        Convert.ToHexStringLower(SHA256.HashData(connection.RemoteCertificate!.GetRawCertData()));

    private static HttpClient Trusting(LiveGateway gateway) =>
        new(Hosting.Loopback.To(gateway.Services.GetRequiredService<ServerCertificates>()));

    private static Task<ChildProcess> OpenSslAsync(LiveGateway gateway, params string[] args) =>
        ChildProcess.RunAsync(
            "openssl",
            ["s_client", "-connect", $"localhost:{new Uri(gateway.Url).Port}", "-servername", "localhost", .. args],
            TimeSpan.FromSeconds(30)
        );

    private static async Task EventuallyAsync(Func<Task<bool>> holds)
    {
        for (var tries = 0; tries < 60; tries++)
        {
            if (await holds())
            {
                return;
            }

            await Task.Delay(250, TestContext.Current.CancellationToken);
        }

        Assert.Fail("It did not come about within 15 seconds.");
    }
}
