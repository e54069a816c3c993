using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Governance.Registry.Contracts;
using Governance.Registry.Remote;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Tests.Registry;

/// <summary>A server on loopback that answers as a test says: an MLflow server of somebody else, honest or not.</summary>
internal sealed class ForeignServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly X509Certificate2? _certificate;

    private ForeignServer(WebApplication app, X509Certificate2? certificate, string authorityPath)
    {
        (_app, _certificate, AuthorityPath) = (app, certificate, authorityPath);
        var address = app
            .Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!
            .Addresses.First();
        Url = certificate is null ? address : address.Replace("http://", "https://", StringComparison.Ordinal);
    }

    public string Url { get; }

    public string AuthorityPath { get; }

    /// <summary>Method and raw target of every request, in order.</summary>
    public ConcurrentQueue<string> Asked { get; } = [];

    public static async Task<ForeignServer> StartAsync(
        Func<HttpContext, Task> serve,
        bool tls = false,
        Func<X509Certificate2, bool>? client = null
    )
    {
        var (certificate, path) = tls ? await LoopbackCertificate.MakeAsync() : (null, "");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(
                IPAddress.Loopback,
                0,
                listen =>
                {
                    if (certificate is not null)
                    {
                        listen.UseHttps(
                            certificate,
                            https =>
                            {
                                if (client is not null)
                                {
                                    https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                                    https.ClientCertificateValidation = (shown, _, _) => client(shown);
                                }
                            }
                        );
                    }
                }
            )
        );
        var app = builder.Build();
        ForeignServer? server = null;
        app.Run(context =>
        {
            var raw = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
            server!.Asked.Enqueue($"{context.Request.Method} {raw}");
            return serve(context);
        });
        await app.StartAsync();
        server = new ForeignServer(app, certificate, path);
        return server;
    }

    public static Task JsonAsync(HttpContext context, string body, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(body);
    }

    /// <summary>A client of a server, patient for a moment only.</summary>
    public static RemoteMlflow Client(
        string url,
        Func<RemoteOptions, RemoteOptions>? change = null,
        FakeNames? names = null
    )
    {
        var options = RemoteOptions.Of(new RemoteServer { Url = url, AllowHttp = true }) with
        {
            Backoff = TimeSpan.FromMilliseconds(1),
            Timeout = TimeSpan.FromSeconds(20),
        };
        return new RemoteMlflow(
            change?.Invoke(options) ?? options,
            names ?? new FakeNames("127.0.0.1"),
            TimeProvider.System
        );
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _certificate?.Dispose();
        if (AuthorityPath.Length > 0)
        {
            File.Delete(AuthorityPath);
        }
    }
}
