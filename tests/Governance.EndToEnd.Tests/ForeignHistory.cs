using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.EndToEnd.Tests;

/// <summary>What somebody did on an MLflow server for a while: experiments, ended runs, logged models, models and versions.</summary>
internal sealed class ForeignHistory(UpstreamProcess server, CancellationToken cancellationToken)
{
    public const int Experiments = 3;
    public const int RunsOfEach = 24;
    public const int Models = 4;
    public const int VersionsOfEach = 6;
    private const int Points = 20;
    private readonly List<string> _runs = [];
    private readonly Dictionary<string, string> _files = [];

    public IReadOnlyList<string> Runs => _runs;

    /// <summary>Logged models: one of each third run.</summary>
    public int LoggedModels { get; private set; }

    /// <summary>SHA-256 of each file by its path.</summary>
    public IReadOnlyDictionary<string, string> Files => _files;

    public async Task MakeAsync()
    {
        for (var i = 0; i < Experiments; i++)
        {
            var experiment = await AskAsync("experiments/create", new() { ["name"] = $"old-{i}" });
            for (var run = 0; run < RunsOfEach; run++)
            {
                await RunAsync(experiment["experiment_id"]!.ToString(), run);
            }
        }

        for (var i = 0; i < Models; i++)
        {
            await AskAsync("registered-models/create", new() { ["name"] = $"old-{i}" });
            for (var version = 0; version < VersionsOfEach; version++)
            {
                var run = _runs[(i * VersionsOfEach) + version];
                await AskAsync(
                    "model-versions/create",
                    new()
                    {
                        ["name"] = $"old-{i}",
                        ["source"] = $"runs:/{run}/model",
                        ["run_id"] = run,
                    }
                );
            }
        }
    }

    private async Task RunAsync(string experiment, int number)
    {
        var made = await AskAsync("runs/create", new() { ["experiment_id"] = experiment, ["run_name"] = $"r{number}" });
        var id = made["run"]!["info"]!["run_id"]!.ToString();
        _runs.Add(id);
        var points = Enumerable
            .Range(1, Points)
            .SelectMany(step => new[] { Workload.Metric("loss", step), Workload.Metric("gain", step) });
        await AskAsync(
            "runs/log-batch",
            new()
            {
                ["run_id"] = id,
                ["metrics"] = new JsonArray([.. points]),
                ["params"] = new JsonArray(new JsonObject { ["key"] = "lr", ["value"] = $"{number}" }),
            }
        );
        await FileAsync($"{experiment}/{id}/artifacts/model/MLmodel", $"flavors: {{}} # {id}");
        await FileAsync($"{experiment}/{id}/artifacts/notes.txt", $"{id} {new string('x', 50_000)}");
        await AskAsync(
            "runs/update",
            new()
            {
                ["run_id"] = id,
                ["status"] = "FINISHED",
                ["end_time"] = 1_700_000_000_000,
            }
        );
        if (number % 3 == 0)
        {
            var logged = await AskAsync(
                "logged-models",
                new() { ["experiment_id"] = experiment, ["source_run_id"] = id }
            );
            var model = logged["model"]!["info"]!["model_id"]!.ToString();
            await FileAsync($"{experiment}/models/{model}/artifacts/MLmodel", $"flavors: {{}} # {model}");
            var ended = new JsonObject { ["model_id"] = model, ["status"] = "LOGGED_MODEL_READY" };
            await server.AskAsync($"logged-models/{model}", ended, cancellationToken, HttpMethod.Patch);
            LoggedModels++;
        }
    }

    private async Task FileAsync(string path, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        await server.PutFileAsync(path, bytes, cancellationToken);
        _files[path] = Digest.Of(bytes).Hex;
    }

    private Task<JsonNode> AskAsync(string route, JsonObject body) => server.AskAsync(route, body, cancellationToken);
}
