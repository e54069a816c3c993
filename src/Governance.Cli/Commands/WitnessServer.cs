using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Threading.RateLimiting;
using Governance.Audit.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Governance.Cli.Commands;

/// <summary>Serves a witness: two routes, bounded in size, rate, connections and time.</summary>
internal sealed class WitnessServer : IAsyncDisposable
{
    private const int MaxBody = 64 << 10;
    private const int MaxConnections = 256;
    private const int MaxAtOnce = 64;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private readonly WebApplication _app;

    private WitnessServer(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    public static async Task<WitnessServer> StartAsync(
        Witness witness,
        IPEndPoint address,
        X509Certificate2? certificate,
        int perMinute,
        Invocation run
    )
    {
        var builder = WebApplication.CreateSlimBuilder();
        // No setting from the surroundings may open another listener.
        builder.Configuration.Sources.Clear();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBody;
            kestrel.Limits.MaxConcurrentConnections = MaxConnections;
            kestrel.Limits.RequestHeadersTimeout = Patience;
            kestrel.Listen(
                address,
                listen =>
                {
                    if (certificate is not null)
                    {
                        listen.UseHttps(
                            certificate,
                            https => https.SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13
                        );
                    }
                }
            );
        });
        builder.Services.AddRateLimiter(limits => Limit(limits, perMinute));
        var app = builder.Build();
        app.UseRateLimiter();
        app.MapPost("/add-checkpoint", context => AddCheckpointAsync(context, witness, run));
        app.MapGet("/{origin}/checkpoint", context => CheckpointAsync(context, witness));
        try
        {
            await app.StartAsync(run.Cancelled);
        }
        catch (IOException)
        {
            await app.DisposeAsync();
            throw Stop.Unusable("address_in_use", "The address cannot be listened on.");
        }

        return new WitnessServer(app);
    }

    /// <summary>Ends when the process is told to stop.</summary>
    public Task EndAsync(CancellationToken cancellationToken) => _app.WaitForShutdownAsync(cancellationToken);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static void Limit(RateLimiterOptions limits, int perMinute)
    {
        limits.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        limits.GlobalLimiter = PartitionedRateLimiter.CreateChained(
            PartitionedRateLimiter.Create<HttpContext, IPAddress>(context =>
                RateLimitPartition.GetFixedWindowLimiter(
                    context.Connection.RemoteIpAddress ?? IPAddress.None,
                    _ => new FixedWindowRateLimiterOptions { PermitLimit = perMinute, Window = TimeSpan.FromMinutes(1) }
                )
            ),
            PartitionedRateLimiter.Create<HttpContext, bool>(_ =>
                RateLimitPartition.GetConcurrencyLimiter(
                    true,
                    _ => new ConcurrencyLimiterOptions { PermitLimit = MaxAtOnce }
                )
            )
        );
    }

    private static async Task AddCheckpointAsync(HttpContext context, Witness witness, Invocation run)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        limited.CancelAfter(Patience);
        using var body = new MemoryStream();
        try
        {
            await context.Request.Body.CopyToAsync(body, limited.Token);
        }
        catch (BadHttpRequestException refused)
        {
            context.Response.StatusCode = refused.StatusCode;
            return;
        }
        catch (OperationCanceledException)
        {
            context.Response.StatusCode = StatusCodes.Status408RequestTimeout;
            return;
        }

        var answer = witness.AddCheckpoint(body.ToArray());
        if (answer.Verdict is WitnessVerdict.NotConsistent or WitnessVerdict.NotNow)
        {
            run.Say(
                answer.Verdict == WitnessVerdict.NotConsistent
                    ? $"REFUSED: {answer.Origin} signed a checkpoint that does not extend the last; it may be kept as evidence"
                    : $"Not cosigned for {answer.Origin}: the clock went back, or the state cannot be written"
            );
        }

        context.Response.StatusCode = Status(answer.Verdict);
        if (answer.Body.Length > 0)
        {
            context.Response.ContentType =
                answer.Verdict == WitnessVerdict.OtherSize ? "text/x.tlog.size" : "text/plain; charset=utf-8";
            await context.Response.WriteAsync(answer.Body, context.RequestAborted);
        }
    }

    private static async Task CheckpointAsync(HttpContext context, Witness witness)
    {
        if (witness.CheckpointOf((string?)context.Request.RouteValues["origin"] ?? "") is not { } note)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.Headers.CacheControl = "no-cache";
        await context.Response.WriteAsync(note, context.RequestAborted);
    }

    private static int Status(WitnessVerdict verdict) =>
        verdict switch
        {
            WitnessVerdict.Cosigned => StatusCodes.Status200OK,
            WitnessVerdict.Malformed => StatusCodes.Status400BadRequest,
            WitnessVerdict.NotSigned => StatusCodes.Status403Forbidden,
            WitnessVerdict.UnknownLog => StatusCodes.Status404NotFound,
            WitnessVerdict.OtherSize => StatusCodes.Status409Conflict,
            WitnessVerdict.NotConsistent => StatusCodes.Status422UnprocessableEntity,
            _ => StatusCodes.Status503ServiceUnavailable,
        };
}
