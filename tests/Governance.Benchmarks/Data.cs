using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Governance.Benchmarks;

/// <summary>Makes what is read and registered: models, runs with the files of a small real model, versions.</summary>
internal sealed class Data(HttpClient http, int connections)
{
    /// <summary>Which alias each model's first version has: one that the shipped policy leaves free.</summary>
    public const string Alias = "candidate";

    private const string Mlflow = "/api/2.0/mlflow/";
    private readonly string _suffix = Guid.NewGuid().ToString("N")[..8];
    private readonly IReadOnlyList<(string Name, byte[] Bytes)> _files =
    [
        .. new[] { "MLmodel", "requirements.txt", "model.pkl" }.Select(name =>
            (name, File.ReadAllBytes(Path.Combine(Gateway.Hosting.Paths.Base, "demo/models/income-logreg", name)))
        ),
    ];

    private string _experiment = "";

    /// <summary>Name of a model.</summary>
    public string Model(int number) => $"bench-{_suffix}-{number:D5}";

    /// <summary>Makes models with one version each.</summary>
    public async Task FillAsync(int models)
    {
        _experiment = (await PostAsync("experiments/create", new JsonObject { ["name"] = $"bench-{_suffix}" }))[
            "experiment_id"
        ]!.GetValue<string>();
        await EachAsync(
            models,
            async i =>
            {
                await PostAsync("registered-models/create", new JsonObject { ["name"] = Model(i) });
                await PostAsync("model-versions/create", Version(i, await RunAsync()));
            }
        );
    }

    /// <summary>Gives each model's first version its alias. A gateway decides that on the version's evidence, so it is there first.</summary>
    public Task AliasAsync(int models) =>
        EachAsync(
            models,
            i =>
                PostAsync(
                    "registered-models/alias",
                    new JsonObject
                    {
                        ["name"] = Model(i),
                        ["alias"] = Alias,
                        ["version"] = "1",
                    }
                )
        );

    /// <summary>Requests that register a run's model as the next version of a model, ready to be sent.</summary>
    public async Task<JsonObject[]> RegistrationsAsync(int count, int models, int perRun)
    {
        var runs = new (string Id, string Uri)[(count + perRun - 1) / perRun];
        await EachAsync(runs.Length, async i => runs[i] = await RunAsync());
        return [.. Enumerable.Range(0, count).Select(i => Version(i % models, runs[i / perRun]))];
    }

    private JsonObject Version(int model, (string Id, string Uri) run) =>
        new()
        {
            ["name"] = Model(model),
            ["source"] = $"{run.Uri}/model",
            ["run_id"] = run.Id,
        };

    private async Task<(string Id, string Uri)> RunAsync()
    {
        var body = new JsonObject { ["experiment_id"] = _experiment, ["start_time"] = 1_700_000_000_000 };
        var run = (await PostAsync("runs/create", body))["run"]!["info"]!;
        var uri = run["artifact_uri"]!.GetValue<string>();
        var root = uri.Replace("mlflow-artifacts:/", "", StringComparison.Ordinal);
        foreach (var (name, bytes) in _files)
        {
            using var content = new ByteArrayContent(bytes);
            using var put = await http.PutAsync(
                new Uri($"/api/2.0/mlflow-artifacts/artifacts/{root}/model/{name}", UriKind.Relative),
                content
            );
            await CheckAsync(put);
        }

        return (run["run_id"]!.GetValue<string>(), uri);
    }

    private async Task<JsonNode> PostAsync(string route, JsonObject body)
    {
        using var content = JsonContent.Create(body);
        using var answer = await http.PostAsync(new Uri(Mlflow + route, UriKind.Relative), content);
        await CheckAsync(answer);
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
    }

    private static async Task CheckAsync(HttpResponseMessage answer)
    {
        if (!answer.IsSuccessStatusCode)
        {
            throw new InvalidOperationException(
                $"{(int)answer.StatusCode} {answer.RequestMessage?.RequestUri?.AbsolutePath}: {await answer.Content.ReadAsStringAsync()}"
            );
        }
    }

    private Task EachAsync(int count, Func<int, Task> work) =>
        Parallel.ForEachAsync(
            Enumerable.Range(0, count),
            new ParallelOptions { MaxDegreeOfParallelism = connections },
            async (i, _) => await work(i)
        );
}
