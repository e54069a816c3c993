using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Gateway.Demo;

namespace Governance.Gateway.Tests.Live.Access;

/// <summary>Objects to ask about: one of each kind, made over the public interfaces by their owner, all under one name.</summary>
internal static class AccessWorld
{
    private static readonly string[] Bytes = ["MLmodel", "requirements.txt", "model.pkl"];

    /// <summary>Makes them; the version is not READY yet.</summary>
    public static async Task<Dictionary<string, string>> MakeAsync(DemoClient owner, string name)
    {
        var world = new Dictionary<string, string>
        {
            ["experiment_name"] = name,
            ["model"] = name,
            ["taken"] = name,
            ["dataset_name"] = name,
            ["trace"] = $"tr-{Hex(16)}",
        };
        var csv = Encoding.UTF8.GetBytes(
            $"city,amount\n{string.Join('\n', Enumerable.Range(0, 30).Select(i => $"{name},{i}"))}\n"
        );
        world["dataset"] = Ok(
                await owner.UploadAsync(HttpMethod.Post, $"/api/v1/datasets?name={name}&format=csv", csv, "text/csv")
            )
            .Text("sha256");
        world["experiment"] = (await PostAsync(owner, "experiments/create", new() { ["name"] = name })).Text(
            "experiment_id"
        );
        await RunAsync(owner, world);
        await LoggedModelsAsync(owner, world);
        await TraceAsync(owner, world);
        await ModelsAsync(owner, world);
        return world;
    }

    /// <summary>Ids and names of the same shape under which nothing is there.</summary>
    public static Dictionary<string, string> Absent(string name)
    {
        var (experiment, run) = ("987654321", Hex(16));
        var world = new Dictionary<string, string>
        {
            ["experiment_name"] = name,
            ["model"] = name,
            ["dataset_name"] = name,
            ["dataset"] = Hex(32),
            ["experiment"] = experiment,
            ["run"] = run,
            ["root"] = $"{experiment}/{run}/artifacts",
            ["trace"] = $"tr-{Hex(16)}",
            ["assessment"] = $"a-{Hex(16)}",
            ["assessment2"] = $"a-{Hex(16)}",
        };
        foreach (var key in new[] { "logged_model", "doomed_logged_model", "doomed_logged_model2" })
        {
            world[key] = $"m-{Hex(16)}";
        }

        for (var i = 1; i <= 4; i++)
        {
            world[$"doomed{i}"] = $"{name}-doomed{i}";
        }

        foreach (var key in new[] { "request", "receipt", "report", "grant", "grant2" })
        {
            world[key] = new Guid(RandomNumberGenerator.GetBytes(16)).ToString();
        }

        world["group"] = Hex(16);
        return world;
    }

    /// <summary>What stands behind a version that is READY: a promotion with its receipt, an open request, a report.</summary>
    public static async Task PromoteAsync(LiveGateway gateway, DemoClient owner, Dictionary<string, string> world)
    {
        var model = world["model"];
        for (var i = 0; ; i++)
        {
            var version = await gateway.As("remy").GetAsync($"model-versions/get?name={model}&version=1");
            if (version.Text("model_version", "status") == "READY")
            {
                break;
            }

            Assert.True(i < 600, version.Body.ToJsonString());
            await Task.Delay(200);
        }

        Ok(await Story.SetAliasAsync(owner, model, "dev-0"));
        Ok(await Story.ToStageAsync(gateway.As("remy"), model, "Staging"));
        var receipts = await gateway.As("remy").ApiGetAsync($"/api/v1/models/{model}/versions/1/receipts");
        world["receipt"] = receipts.Body["receipts"]![0]!.ToString();
        world["request"] = Story.RequestOf(await Story.ToStageAsync(gateway.As("remy"), model, "Production"));
        var report = await gateway
            .As("ada")
            .ApiPostAsync(
                "/api/v1/reports",
                new()
                {
                    ["regulation"] = "gdpr",
                    ["model"] = model,
                    ["version"] = 1,
                }
            );
        world["report"] = Ok(report).Text("id");
    }

    /// <summary>Grants on its names to somebody, and a group that is granted something there.</summary>
    public static async Task GrantAsync(LiveGateway gateway, Dictionary<string, string> world, string victim)
    {
        var admin = gateway.As("admin");
        foreach (var key in new[] { "grant", "grant2" })
        {
            world[key] = await GrantAsync(admin, "subject", victim, $"{world["model"]}-{key}");
        }

        var group = await admin.ApiPostAsync("/api/v1/groups", new() { ["name"] = world["model"] });
        world["group"] = Ok(group).Text("id");
        await GrantAsync(admin, "group", world["group"], $"{world["model"]}-group");
    }

    private static async Task<string> GrantAsync(DemoClient admin, string holder, string id, string pattern) =>
        Ok(
                await admin.ApiPostAsync(
                    "/api/v1/grants",
                    new()
                    {
                        [holder] = id,
                        ["role"] = "viewer",
                        ["kind"] = "model",
                        ["pattern"] = pattern,
                    }
                )
            )
            .Text("grant", "id");

    private static async Task RunAsync(DemoClient owner, Dictionary<string, string> world)
    {
        var training = new DemoTraining(owner, world["experiment"]);
        world["run"] = await training.RunAsync("run", world["dataset_name"], Kernel.Digest.Parse(world["dataset"]));
        world["root"] = $"{world["experiment"]}/{world["run"]}/artifacts";
        Ok(await owner.PutArtifactAsync($"{world["root"]}/notes.txt", "notes"u8.ToArray()));
        foreach (var (path, bytes) in Story.Files().Where(file => Bytes.Contains(file.Key)))
        {
            Ok(await owner.PutArtifactAsync($"{world["root"]}/model/{path}", bytes));
        }
    }

    private static async Task LoggedModelsAsync(DemoClient owner, Dictionary<string, string> world)
    {
        foreach (var key in new[] { "logged_model", "doomed_logged_model", "doomed_logged_model2" })
        {
            var made = await PostAsync(
                owner,
                "logged-models",
                new() { ["experiment_id"] = world["experiment"], ["name"] = key }
            );
            world[key] = made.Text("model", "info", "model_id");
        }

        var root = $"{world["experiment"]}/models/{world["logged_model"]}/artifacts";
        Ok(await owner.PutArtifactAsync($"{root}/notes.txt", "notes"u8.ToArray()));
    }

    private static async Task TraceAsync(DemoClient owner, Dictionary<string, string> world)
    {
        var trace = world["trace"];
        var info = new JsonObject
        {
            ["trace_id"] = trace,
            ["request_time"] = "2026-01-31T12:00:00.123Z",
            ["trace_location"] = new JsonObject
            {
                ["type"] = "MLFLOW_EXPERIMENT",
                ["mlflow_experiment"] = new JsonObject { ["experiment_id"] = world["experiment"] },
            },
        };
        const string Traces = "/api/3.0/mlflow/traces";
        Ok(await owner.ApiPostAsync(Traces, new() { ["trace"] = new JsonObject { ["trace_info"] = info } }));
        var root = $"{world["experiment"]}/traces/{trace}/artifacts";
        Ok(await owner.PutArtifactAsync($"{root}/traces.json", "{\"spans\":[]}"u8.ToArray()));
        foreach (var key in new[] { "assessment", "assessment2" })
        {
            var made = await owner.ApiPostAsync(
                $"{Traces}/{trace}/assessments",
                new()
                {
                    ["assessment"] = new JsonObject
                    {
                        ["assessment_name"] = key,
                        ["source"] = new JsonObject { ["source_type"] = "HUMAN", ["source_id"] = "x" },
                        ["feedback"] = new JsonObject { ["value"] = 1 },
                    },
                }
            );
            world[key] = Ok(made).Text("assessment", "assessment_id");
        }
    }

    private static async Task ModelsAsync(DemoClient owner, Dictionary<string, string> world)
    {
        var name = world["model"];
        await PostAsync(
            owner,
            "registered-models/create",
            new() { ["name"] = name, ["tags"] = new JsonArray(new JsonObject { ["key"] = "k0", ["value"] = "v" }) }
        );
        for (var version = 1; version <= 3; version++)
        {
            await PostAsync(
                owner,
                "model-versions/create",
                new()
                {
                    ["name"] = name,
                    ["source"] = $"mlflow-artifacts:/{world["root"]}/model",
                    ["run_id"] = world["run"],
                }
            );
        }

        for (var i = 1; i <= 4; i++)
        {
            world[$"doomed{i}"] = $"{name}-doomed{i}";
            await PostAsync(owner, "registered-models/create", new() { ["name"] = world[$"doomed{i}"] });
        }
    }

    private static async Task<Answer> PostAsync(DemoClient client, string route, JsonObject body) =>
        Ok(await client.PostAsync(route, body));

    private static Answer Ok(Answer answer)
    {
        Assert.True(
            answer.Status is HttpStatusCode.OK or HttpStatusCode.Created or HttpStatusCode.Accepted,
            $"{answer.Status} {answer.Body.ToJsonString()}"
        );
        return answer;
    }

    private static string Hex(int bytes) => RandomNumberGenerator.GetHexString(2 * bytes, lowercase: true);
}
