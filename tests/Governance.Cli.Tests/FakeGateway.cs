using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Governance.Cli.Tests;

/// <summary>A request as the fake gateway saw it.</summary>
internal sealed record Seen(string Method, string Address, string? Authorization, string Body);

/// <summary>Stands in for a gateway over TLS: answers as it is told and remembers what it was asked.</summary>
internal sealed class FakeGateway : IAsyncDisposable
{
    private readonly X509Certificate2 _authority;
    private readonly X509Certificate2 _certificate;
    private WebApplication? _app;

    private FakeGateway()
    {
        var now = DateTimeOffset.UtcNow;
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = new CertificateRequest("CN=Test CA", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _authority = authority.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var server = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        server.CertificateExtensions.Add(names.Build());
        using var signed = server.Create(_authority, now.AddDays(-1), now.AddHours(12), [1, 2, 3]);
        _certificate = signed.CopyWithPrivateKey(key);
    }

    public string AuthorityPem => _authority.ExportCertificatePem();

    public int Port { get; private set; }

    public string Address => $"https://localhost:{Port}";

    public List<Seen> Requests { get; } = [];

    /// <summary>Answers by method and path; null is 404.</summary>
    public Func<string, (int Status, byte[] Body)?> Answer { get; set; } = _ => null;

    public void AnswerJson(string json, int status = 200) => Answer = _ => (status, Encoding.UTF8.GetBytes(json));

    public static async Task<FakeGateway> StartAsync()
    {
        var gateway = new FakeGateway();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(gateway._certificate))
        );
        gateway._app = builder.Build();
        gateway._app.Run(gateway.HandleAsync);
        await gateway._app.StartAsync(TestContext.Current.CancellationToken);
        gateway.Port = new Uri(gateway._app.Urls.Single()).Port;
        return gateway;
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

        _authority.Dispose();
        _certificate.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync(context.RequestAborted);
        var address = context.Request.Path + context.Request.QueryString;
        Requests.Add(new Seen(context.Request.Method, address, (string?)context.Request.Headers.Authorization, body));
        var (status, bytes) = Answer($"{context.Request.Method} {address}") ?? (404, []);
        context.Response.StatusCode = status;
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
    }
}
