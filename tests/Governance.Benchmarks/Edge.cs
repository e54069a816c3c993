using System.Diagnostics;
using System.Globalization;
using System.Net;
using Governance.Gateway;
using Governance.Gateway.Hosting;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Web;
using Microsoft.AspNetCore.Http;

namespace Governance.Benchmarks;

/// <summary>
/// What the gates at the edge add to a request that passes them: the same requests through nothing, through the gate of host and
/// origin (with the headers of the answer), and through that and the budget of the caller, in turns in one process.
/// </summary>
internal static class Edge
{
    private const int Requests = 200_000;
    private const int Rounds = 5;

    public static async Task<int> RunAsync()
    {
        var directory = Directory.CreateTempSubdirectory("governance-edge-").FullName;
        try
        {
            var platform = new PlatformOptions
            {
                DataDirectory = directory,
                PoliciesDirectory = directory,
                KeyFile = Path.Combine(directory, "kek"),
                PublicUrl = "https://models.example:8443",
            };
            using var keys = new FileKeyWrap(platform, new KeyOptions());
            var addresses = new AddressNames(platform, keys, TimeProvider.System);
            var limits = new LimitOptions { PointsPerMinute = 100_000_000 };
            using var budget = new RequestBudget(limits, new NoWriter(), addresses);
            RequestDelegate none = _ => Task.CompletedTask;
            RequestDelegate budgeted = context => budget.InvokeAsync(context, none);
            (string Name, RequestDelegate Run)[] ways =
            [
                ("nothing", none),
                ("host, origin, headers", Gate(none).InvokeAsync),
                ("host, origin, headers, budget", Gate(budgeted).InvokeAsync),
            ];
            var best = new double[ways.Length];
            Array.Fill(best, double.MaxValue);
            for (var round = 0; round < Rounds; round++)
            {
                for (var way = 0; way < ways.Length; way++)
                {
                    best[way] = Math.Min(best[way], await MeasureAsync(ways[way].Run));
                }
            }

            for (var way = 0; way < ways.Length; way++)
            {
                System.Console.WriteLine(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{ways[way].Name}: {best[way] * 1000:F3} µs CPU a request"
                    )
                );
            }

            return 0;

            OriginGate Gate(RequestDelegate next) =>
                new(next, platform, new GatewayOptions(), new NoWriter(), addresses);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    // Milliseconds of CPU for one request, the making of the request included.
    private static async Task<double> MeasureAsync(RequestDelegate way)
    {
        var actor = new Actor(ActorKind.Service, "0123456789abcdef0123456789abcdef");
        using var process = Process.GetCurrentProcess();
        var before = process.TotalProcessorTime;
        for (var count = 0; count < Requests; count++)
        {
            var context = new DefaultHttpContext();
            context.Request.Method = "POST";
            context.Request.Protocol = "HTTP/2";
            context.Request.Host = new HostString("models.example", 8443);
            context.Connection.RemoteIpAddress = IPAddress.Loopback;
            context.SetActor(actor);
            await way(context);
        }

        process.Refresh();
        return (process.TotalProcessorTime - before).TotalMilliseconds / Requests;
    }

    private sealed class NoWriter : IWriter
    {
        public Task<Result<T>> WriteAsync<T>(
            Func<WriteSession, CancellationToken, Task<Result<T>>> work,
            CancellationToken cancellationToken
        ) => throw new InvalidOperationException("A request was refused.");
    }
}
