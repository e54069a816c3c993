using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Registry;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Governance.Registry.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Registry;

/// <summary>A request as it arrived at the server behind the gateway.</summary>
public sealed record Arrived(string Method, string Target, string Body, IReadOnlyDictionary<string, string> Headers);

/// <summary>What the server behind the gateway does with a request.</summary>
public enum Fate
{
    Served,

    /// <summary>The connection breaks before anything was done.</summary>
    Lost,

    /// <summary>It is done, and the connection breaks before the answer.</summary>
    AnswerLost,

    /// <summary>503.</summary>
    Busy,

    /// <summary>A redirect to <see cref="UpstreamPair.RedirectTo"/>.</summary>
    Redirected,

    /// <summary>400.</summary>
    Refused,

    /// <summary>404 in nobody's words, as a proxy says it.</summary>
    Nowhere,

    /// <summary>500.</summary>
    Broken,

    /// <summary>200, and nothing is done.</summary>
    Pretended,
}

/// <summary>A gateway in upstream mode before an ungoverned server: this module with a gate that allows everything.</summary>
public sealed class UpstreamPair : IAsyncDisposable
{
    public const string Credential = "basic gateway:upstream-secret";

    private UpstreamPair() { }

    public RegistryHost Upstream { get; private set; } = null!;

    public RegistryHost Gateway { get; private set; } = null!;

    public ConcurrentQueue<Arrived> Arrived { get; } = [];

    /// <summary>Decides about each request before it is served.</summary>
    public Func<Arrived, Fate> Decide { get; set; } = _ => Fate.Served;

    /// <summary>Runs when a request was served and its answer is not yet on its way.</summary>
    public Func<Arrived, Task> Served { get; set; } = _ => Task.CompletedTask;

    public string RedirectTo { get; set; } = "";

    public static async Task<UpstreamPair> StartAsync(
        Action<RegistryOptions>? options = null,
        bool startSweeps = false,
        Func<RegistryHost, Task>? before = null
    )
    {
        var pair = new UpstreamPair();
        pair.Upstream = await RegistryHost.StartAsync(around: pair.AroundAsync);
        if (before is not null)
        {
            await before(pair.Upstream);
            pair.Arrived.Clear();
        }

        var file = Path.Combine(pair.Upstream.Database.Directory, "credential");
        await File.WriteAllTextAsync(file, Credential);
        pair.Gateway = await RegistryHost.StartAsync(
            services =>
                services.Configure<RegistryOptions>(settings =>
                {
                    settings.Upstream.Server.Url = pair.Upstream.Client.BaseAddress!.ToString();
                    settings.Upstream.Server.AllowHttp = true;
                    settings.Upstream.Server.CredentialFile = file;
                    settings.Upstream.AnswerSeconds = 5;
                    settings.Upstream.DriftMilliseconds = 200;
                    settings.Upstream.SweepSeconds = 1;
                    options?.Invoke(settings);
                }),
            startSweeps
        );
        return pair;
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await Upstream.DisposeAsync();
    }

    /// <summary>Compares both sides once, as the gateway does again and again; returns open differences as <c>model/version kind key</c>.</summary>
    public async Task<List<string>> SweepAsync(bool first = false, bool files = false, bool bytes = false)
    {
        var token = TestContext.Current.CancellationToken;
        Assert.Null(await Gateway.Database.Get<TrackingAdoption>().SweepAsync(token));
        Assert.Null(await Gateway.Database.Get<DriftDetector>().SweepAsync(first, token));
        if (files)
        {
            Assert.Null(await Gateway.Database.Get<FileCheck>().SweepAsync(bytes, token));
        }

        return await OpenAsync();
    }

    public async Task<List<string>> OpenAsync()
    {
        await using var db = Gateway.Database.Read();
        var rows = await db.Set<UpstreamDriftRow>().OrderBy(row => row.FoundMs).ToListAsync();
        return rows.ConvertAll(row => $"{row.Model}/{row.Version} {row.Kind} {row.Key}".TrimEnd());
    }

    /// <summary>What is done at a start: what a crash left open is ended.</summary>
    public async Task RestartAsync()
    {
        var token = TestContext.Current.CancellationToken;
        var mirror = Gateway.Database.Get<RegistryPorts>().Mirror;
        await mirror.ReconcileAsync(DateTimeOffset.MaxValue, token);
        await using var db = Gateway.Database.Read();
        foreach (var lane in await db.Set<UpstreamWorkRow>().Select(row => row.Lane).Distinct().ToListAsync(token))
        {
            Assert.Null(await mirror.DrainAsync(lane, token));
        }
    }

    public async Task<int> PendingAsync()
    {
        await using var db = Gateway.Database.Read();
        return await db.Set<UpstreamWorkRow>().CountAsync() + await db.Set<UpstreamIntentRow>().CountAsync();
    }

    /// <summary>The same question asked on both sides, of which the answers must say the same but for times and users.</summary>
    public async Task SameAsync(string method, string path, object? body = null)
    {
        var (here, there) = (await Gateway.OkAsync(method, path, body), await Upstream.OkAsync(method, path, body));
        Assert.Equal(Plain(there).ToJsonString(), Plain(here).ToJsonString());
    }

    /// <summary>An answer without what two sides need not say alike: times, users, empty lists, the intent.</summary>
    public static JsonNode Plain(JsonNode node)
    {
        switch (node)
        {
            case JsonObject members:
                foreach (
                    var name in members
                        .Select(member => member.Key)
                        .Where(name => name is "user_id" || name.Contains("time", StringComparison.Ordinal))
                        .Where(name => name is not ("start_time" or "end_time" or "timestamp"))
                        .ToList()
                )
                {
                    members.Remove(name);
                }

                members.Select(member => member.Value).OfType<JsonNode>().ToList().ForEach(value => Plain(value));
                foreach (var (name, value) in members.ToList())
                {
                    if (value is JsonArray { Count: 0 })
                    {
                        members.Remove(name);
                    }
                }

                break;
            case JsonArray items:
                foreach (
                    var intent in items
                        .Where(item => item is JsonObject o && (string?)o["key"]?.ToString() == "governance.intent")
                        .ToList()
                )
                {
                    items.Remove(intent);
                }

                items.OfType<JsonNode>().ToList().ForEach(item => Plain(item));
                break;
            default:
                break;
        }

        return node;
    }

    private async Task AroundAsync(HttpContext context, RequestDelegate next)
    {
        var body = "";
        if (context.Request.ContentType == "application/json")
        {
            context.Request.EnableBuffering();
            using var reader = new StreamReader(context.Request.Body, Encoding.UTF8, leaveOpen: true);
            body = await reader.ReadToEndAsync();
            context.Request.Body.Position = 0;
        }

        var arrived = new Arrived(
            context.Request.Method,
            $"{context.Request.Path}{context.Request.QueryString}",
            body,
            context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString())
        );
        Arrived.Enqueue(arrived);
        var fate = Gateway is null ? Fate.Served : Decide(arrived);
        switch (fate)
        {
            case Fate.Lost:
                context.Abort();
                return;
            case Fate.AnswerLost:
                var answer = context.Response.Body;
                context.Response.Body = Stream.Null;
                await next(context);
                context.Response.Body = answer;
                context.Abort();
                return;
            case Fate.Busy:
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                return;
            case Fate.Nowhere:
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                context.Response.ContentType = "text/html";
                await context.Response.WriteAsync("<html><body>404 Not Found</body></html>");
                return;
            case Fate.Broken:
                context.Response.StatusCode = StatusCodes.Status500InternalServerError;
                return;
            case Fate.Redirected:
                context.Response.Redirect(RedirectTo);
                return;
            case Fate.Refused:
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync("{\"error_code\":\"INVALID_PARAMETER_VALUE\",\"message\":\"no\"}");
                return;
            case Fate.Pretended:
                context.Response.ContentType = "application/json";
                await context.Response.WriteAsync("{}");
                return;
            default:
                var client = context.Response.Body;
                using (var held = new MemoryStream())
                {
                    context.Response.Body = held;
                    await next(context);
                    context.Response.Body = client;
                    await Served(arrived);
                    held.Position = 0;
                    await held.CopyToAsync(client);
                }

                return;
        }
    }
}
