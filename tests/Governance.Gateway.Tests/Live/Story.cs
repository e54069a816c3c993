using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Gateway.Demo;
using Governance.Gateway.Hosting;
using Governance.Kernel;
using Governance.Privacy.Demo;

namespace Governance.Gateway.Tests.Live;

/// <summary>What people do on the way to a promotion, for tests that start in the middle.</summary>
internal sealed class Story(LiveGateway gateway)
{
    private readonly DemoClient _dana = gateway.As("dana");

    /// <summary>The run that the last model came from.</summary>
    public string RunId { get; private set; } = "";

    /// <summary>The anonymised table that the last model was trained on.</summary>
    public Digest Dataset { get; private set; }

    /// <summary>The storage path of the last model's files.</summary>
    public string Storage { get; private set; } = "";

    /// <summary>Dana trains on an anonymised table of her own and registers version 1, which becomes READY.</summary>
    public async Task<string> ModelAsync(string model, ulong seed = 7)
    {
        Dataset = await AnonymisedAsync(await UploadAsync($"{model}-raw", seed), $"{model}-anonymised");
        var experiment = await _dana.PostAsync("experiments/create", new JsonObject { ["name"] = $"e-{model}" });
        var training = new DemoTraining(_dana, experiment.Text("experiment_id"));
        RunId = await training.RunAsync("run", $"{model}-anonymised", Dataset);
        var registered = await training.RegisterAsync(model, RunId, Files());
        Assert.True(registered.Ok, registered.Body.ToJsonString());
        var version = await training.AwaitAsync(model, "1");
        Assert.Equal("READY", version.Text("model_version", "status"));
        Storage = (await _dana.GetAsync($"model-versions/get-download-uri?name={model}&version=1"))
            .Text("artifact_uri")
            .Replace("mlflow-artifacts:/", "", StringComparison.Ordinal)
            .TrimStart('/');
        return model;
    }

    public async Task<Digest> UploadAsync(string name, ulong seed)
    {
        var uploaded = await _dana.UploadAsync(
            HttpMethod.Post,
            $"/api/v1/datasets?name={name}&format=csv",
            InventedPersons.Csv(500, seed),
            "text/csv"
        );
        Assert.Equal(HttpStatusCode.Created, uploaded.Status);
        var digest = Digest.Parse(uploaded.Text("sha256"));
        await ScannedAsync(digest);
        return digest;
    }

    public static Task<Answer> ToStageAsync(DemoClient client, string model, string stage) =>
        client.PostAsync(
            "model-versions/transition-stage",
            new JsonObject
            {
                ["name"] = model,
                ["version"] = "1",
                ["stage"] = stage,
                ["archive_existing_versions"] = false,
            }
        );

    public static Task<Answer> SetAliasAsync(DemoClient client, string model, string alias) =>
        client.PostAsync(
            "registered-models/alias",
            new JsonObject
            {
                ["name"] = model,
                ["alias"] = alias,
                ["version"] = "1",
            }
        );

    /// <summary>The id of the request that a refused move opened.</summary>
    public static string RequestOf(Answer refused)
    {
        Assert.Equal(HttpStatusCode.Forbidden, refused.Status);
        Assert.StartsWith("Request ", refused.Text("message"), StringComparison.Ordinal);
        return refused.Text("message").Split(' ')[1];
    }

    public async Task ApproveAsync(string request)
    {
        var answer = await gateway
            .As("rita")
            .GraphQlAsync(
                "mutation($id:ID!){approveRequest(id:$id,comment:\"Looked at the evidence.\"){state}}",
                new JsonObject { ["id"] = request }
            );
        Assert.True(answer["errors"] is null, answer.ToJsonString());
    }

    /// <summary>Sam asks, Rita approves, Sam repeats.</summary>
    public async Task PromoteAsync(string model)
    {
        await ApproveAsync(RequestOf(await ToStageAsync(gateway.As("sam"), model, "Production")));
        var moved = await ToStageAsync(gateway.As("sam"), model, "Production");
        Assert.True(moved.Ok, moved.Body.ToJsonString());
    }

    public async Task<string> StateAsync(string request)
    {
        var answer = await gateway
            .As("ada")
            .GraphQlAsync("query($id:ID!){request(id:$id){state}}", new JsonObject { ["id"] = request });
        return answer["data"]?["request"]?["state"]?.ToString() ?? answer.ToJsonString();
    }

    public async Task<string> StageAsync(string model) =>
        (await gateway.As("ada").GetAsync($"model-versions/get?name={model}&version=1")).Text(
            "model_version",
            "current_stage"
        );

    /// <summary>Waits until a move is no longer refused as waiting for evidence.</summary>
    public async Task ReadyAsync(string model)
    {
        for (var i = 0; i < 240; i++)
        {
            var answer = await gateway
                .As("ada")
                .GraphQlAsync(
                    "query($m:String!){version(model:$m,version:1){status evidence{items{outcome}}}}",
                    new JsonObject { ["m"] = model }
                );
            var version = answer["data"]?["version"];
            if (
                version?["evidence"]?["items"]?.AsArray().All(item => item?["outcome"]?.ToString() != "MISSING") == true
            )
            {
                return;
            }

            await Task.Delay(250);
        }

        Assert.Fail($"The evidence of {model} did not come back.");
    }

    public static Dictionary<string, byte[]> Files() =>
        Directory
            .EnumerateFiles(Path.Combine(Paths.Base, "demo", "models", "income-logreg"))
            .ToDictionary(path => Path.GetFileName(path), File.ReadAllBytes, StringComparer.Ordinal);

    private async Task<Digest> AnonymisedAsync(Digest raw, string name)
    {
        var answer = await _dana.GraphQlAsync(
            "mutation($s:String!,$n:String!,$t:[ColumnTreatmentInput!]!){anonymiseDataset(sha256:$s,outputName:$n,treatments:$t){sha256}}",
            new JsonObject
            {
                ["s"] = raw.Hex,
                ["n"] = name,
                ["t"] = new JsonArray([
                    .. InventedPersons.Plan.Select(treatment => new JsonObject
                    {
                        ["column"] = treatment.Column,
                        ["method"] = treatment.Method.ToUpperInvariant(),
                        ["parameter"] = treatment.Parameter,
                    }),
                ]),
            }
        );
        Assert.True(answer["errors"] is null, answer.ToJsonString());
        var digest = Digest.Parse(answer["data"]!["anonymiseDataset"]!["sha256"]!.ToString());
        await ScannedAsync(digest);
        return digest;
    }

    private async Task ScannedAsync(Digest dataset)
    {
        for (var i = 0; i < 240; i++)
        {
            var answer = await gateway
                .As("paul")
                .GraphQlAsync(
                    "query($s:String!){dataset(sha256:$s){scanState}}",
                    new JsonObject { ["s"] = dataset.Hex }
                );
            if (answer["data"]?["dataset"]?["scanState"]?.ToString() is { } state and not "PENDING")
            {
                return;
            }

            await Task.Delay(250);
        }

        Assert.Fail("The dataset was not scanned.");
    }
}
