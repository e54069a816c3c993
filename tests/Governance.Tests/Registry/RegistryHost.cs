using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Web;
using Governance.Registry;
using Governance.Registry.Contracts;
using Governance.Registry.Wire;
using Governance.Tests.Platform;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Governance.Tests.Registry;

/// <summary>The registry's routes on a real server socket, real database and blobs; identity, gate and evidence are fakes.</summary>
public sealed class RegistryHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private RegistryHost(WebApplication app, TestDatabase database)
    {
        _app = app;
        Database = database;
        var address = app
            .Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!
            .Addresses.First();
        Client = new HttpClient { BaseAddress = new Uri(address) };
    }

    public TestDatabase Database { get; }

    /// <summary>Acts as <c>ds</c>, a data scientist who is a release manager too, unless X-Actor says otherwise.</summary>
    public HttpClient Client { get; }

    public FakeGate Gate => Database.Get<FakeGate>();

    public FakeIntake Intake => Database.Get<FakeIntake>();

    public FakeDatasets Datasets => Database.Get<FakeDatasets>();

    public static async Task<RegistryHost> StartAsync(
        Action<IServiceCollection>? add = null,
        bool startJobs = false,
        Func<HttpContext, RequestDelegate, Task>? around = null,
        string url = "http://127.0.0.1:0",
        string? root = null
    )
    {
        var database = await TestDatabase.StartAsync(
            services =>
            {
                services.AddOptions();
                services.AddRegistry();
                services.AddSingleton<IAccess, FakeAccess>();
                services.AddSingleton<FakeGate>();
                services.AddSingleton<IMoveGate>(p => p.GetRequiredService<FakeGate>());
                services.AddSingleton<FakeLedger>();
                services.AddSingleton<IDecisionLedger>(p => p.GetRequiredService<FakeLedger>());
                services.AddSingleton<FakeIntake>();
                services.AddSingleton<IVersionIntake>(p => p.GetRequiredService<FakeIntake>());
                services.AddSingleton<FakeReadGate>();
                services.AddSingleton<IReadGate>(p => p.GetRequiredService<FakeReadGate>());
                services.AddSingleton<FakeDatasets>();
                services.AddSingleton<IInputDatasets>(p => p.GetRequiredService<FakeDatasets>());
                add?.Invoke(services);
            },
            startJobs,
            root: root
        );
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url);
        builder.Services.AddSingleton(database.Get<RegistryPorts>());
        var app = builder.Build();
        if (around is not null)
        {
            app.Use((context, next) => around(context, next));
        }

        app.Use(
            (context, next) =>
            {
                var actor = context.Request.Headers["X-Actor"].FirstOrDefault() ?? "ds";
                context.SetActor(new Actor(ActorKind.Person, actor));
                return next(context);
            }
        );
        app.UseRouting();
        app.MapRegistry();
        await app.StartAsync();
        return new RegistryHost(app, database);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
        await Database.DisposeAsync();
    }

    /// <summary>Sends a JSON request under /api/2.0/mlflow and returns status and body.</summary>
    public async Task<(int Status, JsonNode Body)> SendAsync(
        string method,
        string path,
        object? body = null,
        string actor = "ds"
    )
    {
        using var message = new HttpRequestMessage(new HttpMethod(method), $"/api/2.0/mlflow/{path}");
        message.Headers.Add("X-Actor", actor);
        if (body is not null)
        {
            message.Content = body is string text
                ? new StringContent(text, Encoding.UTF8, "application/json")
                : JsonContent.Create(body);
        }

        using var response = await Client.SendAsync(message, TestContext.Current.CancellationToken);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        var json = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return ((int)response.StatusCode, JsonNode.Parse(json)!);
    }

    public async Task<JsonNode> OkAsync(string method, string path, object? body = null, string actor = "ds")
    {
        var (status, answer) = await SendAsync(method, path, body, actor);
        Assert.True(status == 200, $"{method} {path}: {status} {answer.ToJsonString()}");
        return answer;
    }

    /// <summary>Sends a request to the artifact proxy with the path exactly as given.</summary>
    public async Task<HttpResponseMessage> ArtifactAsync(
        string method,
        string rawPath,
        byte[]? content = null,
        string actor = "ds"
    )
    {
        var uri = new Uri(
            $"{Client.BaseAddress!.ToString().TrimEnd('/')}/api/2.0/mlflow-artifacts/artifacts/{rawPath}",
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }
        );
        using var message = new HttpRequestMessage(new HttpMethod(method), uri);
        message.Headers.Add("X-Actor", actor);
        if (content is not null)
        {
            message.Content = new ByteArrayContent(content);
        }

        return await Client.SendAsync(
            message,
            HttpCompletionOption.ResponseHeadersRead,
            TestContext.Current.CancellationToken
        );
    }

    public async Task<int> PutAsync(string rawPath, string content, string actor = "ds")
    {
        using var response = await ArtifactAsync("PUT", rawPath, Encoding.UTF8.GetBytes(content), actor);
        return (int)response.StatusCode;
    }

    /// <summary>A run in a new experiment; returns experiment id and run id.</summary>
    public async Task<(string Experiment, string Run)> RunAsync(string name, string actor = "ds")
    {
        var experiment = (string)(await OkAsync("POST", "experiments/create", new { name }, actor))["experiment_id"]!;
        var run = await OkAsync("POST", "runs/create", new { experiment_id = experiment, run_name = "r" }, actor);
        return (experiment, (string)run["run"]!["info"]!["run_id"]!);
    }

    /// <summary>A model with one version of two files; returns the storage path of its files.</summary>
    public async Task<string> VersionAsync(string model, string actor = "ds")
    {
        var (experiment, run) = await RunAsync($"e-{model}", actor);
        var path = $"{experiment}/{run}/artifacts/model";
        Assert.Equal(200, await PutAsync($"{path}/MLmodel", $"flavors: {{}} # {model}", actor));
        Assert.Equal(200, await PutAsync($"{path}/model.pkl", $"bytes of {model}", actor));
        await OkAsync("POST", "registered-models/create", new { name = model }, actor);
        await RegisterAsync(model, $"mlflow-artifacts:/{path}", run, actor);
        return path;
    }

    public async Task<JsonNode> RegisterAsync(string model, string source, string? run, string actor = "ds") =>
        (
            await OkAsync(
                "POST",
                "model-versions/create",
                new
                {
                    name = model,
                    source,
                    run_id = run,
                },
                actor
            )
        )["model_version"]!;

    /// <summary>Where the blob store keeps content.</summary>
    public string BlobFile(byte[] content)
    {
        var hex = Digest.Of(content).Hex;
        return Directory
            .EnumerateFiles(Path.Combine(Database.Directory, "data", "blobs"), "*", SearchOption.AllDirectories)
            .Single(file => file.Replace("/", "", StringComparison.Ordinal).EndsWith(hex, StringComparison.Ordinal));
    }
}

/// <summary>Refuses the versions that a test names.</summary>
public sealed class FakeReadGate : IReadGate
{
    public ModelVersionRef? Refused { get; set; }

    public Task<Failure?> CheckAsync(
        Actor actor,
        IReadOnlyCollection<(ModelVersionRef Version, string Stage)> holders,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult(
            holders.Any(holder => holder.Version == Refused)
                ? Failure.Conflict("evidence.signature_required", "Not signed.")
                : null
        );
}

/// <summary>Roles as the shipped policy has them, in short.</summary>
public sealed class FakeAccess : IAccess
{
    private static readonly string[] Reads = ["experiment:read", "model:read", "dataset:read"];

    private static readonly Dictionary<string, RoleDefinition> Roles = new RoleDefinition[]
    {
        new("viewer", Reads.ToHashSet(), new HashSet<string>()),
        new(
            "data-scientist",
            Reads.ToHashSet(),
            new HashSet<string>
            {
                "experiment:create",
                "experiment:write",
                "model:create",
                "model:write",
                "artifact:read",
                "dataset:write",
                "promotion:request",
            }
        ),
        new(
            "curator",
            Reads.Append("artifact:read").ToHashSet(),
            new HashSet<string> { "model:create", "model:write" }
        ),
        new("admin", new HashSet<string> { "webhook:manage", "upstream:manage" }, new HashSet<string>()),
        new("scraper", new HashSet<string> { "metrics:read" }, new HashSet<string>()),
        new("reviewer", Reads.Append("artifact:read").ToHashSet(), new HashSet<string>()),
        new(
            "private",
            new HashSet<string>(),
            new HashSet<string>
            {
                "experiment:read",
                "experiment:create",
                "experiment:write",
                "model:read",
                "model:create",
                "model:write",
                "artifact:read",
            }
        ),
    }.ToDictionary(role => role.Name);

    public ValueTask<Rights> RightsOfAsync(Actor actor, CancellationToken cancellationToken) => new(RightsOf(actor));

    public Task<Rights> RightsNowAsync(Actor actor, CancellationToken cancellationToken) =>
        Task.FromResult(RightsOf(actor));

    // ds, ds2: data scientists; ds-bot: one of them, a service; viewer-x, reviewer-x, curator-x, private-x: that role; anybody
    // else: nothing.
    private static Rights RightsOf(Actor actor) =>
        new(
            actor,
            [
                new RoleGrant(
                    actor.Id.StartsWith("ds", StringComparison.Ordinal) ? "data-scientist" : actor.Id.Split('-')[0],
                    ObjectKind.None,
                    ""
                ),
            ],
            Roles
        )
        {
            SubjectKind = actor.Id.EndsWith("-bot", StringComparison.Ordinal) ? ActorKind.Service : actor.Kind,
        };
}

/// <summary>Allows every move, or refuses with a failure.</summary>
public sealed class FakeGate(IServiceProvider services) : IMoveGate
{
    public Failure? Refusal { get; set; }

    public ConcurrentQueue<Move> Asked { get; } = [];

    public async Task<Result<MoveOutcome>> MoveAsync(Actor actor, Move move, CancellationToken cancellationToken)
    {
        Asked.Enqueue(move);
        if (Refusal is { } refusal)
        {
            return refusal;
        }

        var reader = services.GetRequiredService<IRegistryReader>();
        var version = await reader.FindVersionAsync(move.Version, cancellationToken);
        var expected = await ExpectationAsync(reader, move, version, cancellationToken);
        var moved = await services
            .GetRequiredService<IWriter>()
            .WriteAsync(
                (session, token) =>
                    services
                        .GetRequiredService<IMover>()
                        .MoveAsync(session, actor, move, FakeLedger.Allowed, expected, token),
                cancellationToken
            );
        return moved.Map(view => new MoveOutcome(view, null));
    }

    public static async Task<MoveExpectation> ExpectationAsync(
        IRegistryReader reader,
        Move move,
        VersionView? version,
        CancellationToken cancellationToken
    )
    {
        var model = await reader.FindModelAsync(move.Version.Model, cancellationToken);
        var versions = (await reader.VersionsOfAsync([move.Version.Model], 100, cancellationToken))[move.Version.Model];
        var holders = versions.Where(v =>
            move.Kind switch
            {
                MoveKind.SetStage => v.Stage == move.Target,
                MoveKind.SetAlias => v.Aliases.Contains(move.Target),
                _ => false,
            }
        );
        return new MoveExpectation(
            model?.Id ?? Guid.Empty,
            version?.EvidenceSubject ?? default,
            version?.Revision ?? model?.Revision ?? 0,
            [.. holders.Select(v => v.Ref.Version).Order()]
        );
    }
}

/// <summary>Knows one decision, which allows everything, as often as asked.</summary>
public sealed class FakeLedger : IDecisionLedger
{
    public static readonly Guid Allowed = new("11111111-1111-1111-1111-111111111111");

    public Task<Result<Unit>> TakeAsync(
        WriteSession session,
        Guid decisionId,
        Move move,
        Digest evidenceSubject,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<Result<Unit>>(
            decisionId == Allowed ? default(Unit) : Failure.Denied("promotion.decision_invalid", "No such decision.")
        );
}

/// <summary>Evidence that passes at once, unless a test holds it back.</summary>
public sealed class FakeIntake(IVersionStatus status) : IVersionIntake
{
    public bool Holds { get; set; }

    public ConcurrentQueue<VersionView> Seen { get; } = [];

    /// <summary>How often it was called, for however many versions.</summary>
    public int Calls { get; private set; }

    public async Task OnSubjectChangedAsync(
        WriteSession session,
        IReadOnlyCollection<VersionView> versions,
        CancellationToken cancellationToken
    )
    {
        Calls++;
        foreach (var version in versions)
        {
            Seen.Enqueue(version);
            if (!Holds)
            {
                var done = await status.CompleteAsync(session, version.Ref, version.EvidenceSubject, cancellationToken);
                Assert.True(done.Ok);
            }
        }
    }
}

/// <summary>Datasets that everybody may use.</summary>
public sealed class FakeDatasets : IInputDatasets
{
    public HashSet<Digest> Known { get; } = [];

    public Task<bool> MayUseAsync(Actor actor, Digest sha256, CancellationToken cancellationToken) =>
        Task.FromResult(Known.Contains(sha256));
}
