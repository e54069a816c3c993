using System.Net;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Audit.Witnessing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Governance.Tests.Audit;

/// <summary>Serves a real witness, or what a test wants in its place, over HTTP on loopback.</summary>
internal sealed class WitnessHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly string _folder = Directory.CreateTempSubdirectory("witness-").FullName;

    private WitnessHost(WebApplication app) => _app = app;

    public Witness? Witness { get; private set; }

    public string Address => _app.Urls.Single();

    public int Requests { get; private set; }

    /// <summary>Answers in place of the witness when it returns true.</summary>
    public Func<HttpContext, Task<bool>>? Instead { get; set; }

    public WitnessOptions Options => new() { VerifierKey = Witness!.VerifierKey, Url = Address };

    public static async Task<WitnessHost> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var host = new WitnessHost(app);
        app.Run(host.HandleAsync);
        await app.StartAsync();
        return host;
    }

    public WitnessOptions Reserve(string name) =>
        new() { VerifierKey = Witness.KeyOf(Path.Combine(_folder, "key"), name).Value, Url = Address };

    public void Watch(string log, string origin, string name, TimeProvider? clock = null) =>
        Witness = Witness
            .Open(
                new WitnessSettings(
                    name,
                    Path.Combine(_folder, "key"),
                    Path.Combine(_folder, "state"),
                    [log],
                    [origin]
                ),
                clock ?? TimeProvider.System
            )
            .Value;

    /// <summary>A cosignature at a time of the test's choice.</summary>
    public string Cosign(string text, long unixSeconds)
    {
        using var key = WitnessKey.LoadOrCreate(Path.Combine(_folder, "key"), Witness!.VerifierKey.Split('+')[0]).Value;
        return Cosignature.Sign(text, unixSeconds, key.Public, key.Private).ToString();
    }

    /// <summary>Begins anew, as a witness does that was told to.</summary>
    public void Forget()
    {
        Witness!.Dispose();
        Directory.Delete(Path.Combine(_folder, "state"), recursive: true);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        Witness?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task HandleAsync(HttpContext context)
    {
        Requests++;
        if (Instead is { } instead && await instead(context))
        {
            return;
        }

        if (HttpMethods.IsGet(context.Request.Method))
        {
            var note = Witness!.CheckpointOf(context.Request.Path.Value!.Split('/')[1]);
            context.Response.StatusCode = note is null ? 404 : 200;
            await context.Response.WriteAsync(note ?? "");
            return;
        }

        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var answer = Witness!.AddCheckpoint(body.ToArray());
        context.Response.StatusCode = answer.Verdict switch
        {
            WitnessVerdict.Cosigned => 200,
            WitnessVerdict.OtherSize => 409,
            WitnessVerdict.NotConsistent => 422,
            WitnessVerdict.NotSigned => 403,
            WitnessVerdict.UnknownLog => 404,
            _ => 400,
        };
        await context.Response.WriteAsync(answer.Body);
    }
}
