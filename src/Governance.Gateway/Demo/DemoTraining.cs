using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Gateway.Demo;

/// <summary>What a training script with a stock MLflow 3 client does, call by call.</summary>
internal sealed class DemoTraining(DemoClient client, string experimentId)
{
    /// <summary>Makes a run with a dataset as input and metrics.</summary>
    public async Task<string> RunAsync(string name, string datasetName, Digest dataset)
    {
        var run = await client.PostAsync(
            "runs/create",
            new JsonObject
            {
                ["experiment_id"] = experimentId,
                ["run_name"] = name,
                ["start_time"] = 1_700_000_000_000,
            }
        );
        var runId = run.Text("run", "info", "run_id");
        await client.PostAsync(
            "runs/log-inputs",
            new JsonObject
            {
                ["run_id"] = runId,
                ["datasets"] = new JsonArray(
                    new JsonObject
                    {
                        ["tags"] = new JsonArray(
                            new JsonObject { ["key"] = "mlflow.data.context", ["value"] = "training" }
                        ),
                        ["dataset"] = new JsonObject
                        {
                            ["name"] = datasetName,
                            ["digest"] = dataset.Hex[..8],
                            ["source_type"] = "governance",
                            ["source"] = $"governance:/datasets/sha256:{dataset}",
                        },
                    }
                ),
            }
        );
        await client.PostAsync(
            "runs/log-batch",
            new JsonObject
            {
                ["run_id"] = runId,
                ["params"] = new JsonArray(new JsonObject { ["key"] = "C", ["value"] = "1.0" }),
                ["metrics"] = new JsonArray(
                    new JsonObject
                    {
                        ["key"] = "accuracy",
                        ["value"] = 0.8239,
                        ["timestamp"] = 1_700_000_000_000,
                        ["step"] = 0,
                    },
                    new JsonObject
                    {
                        ["key"] = "auc",
                        ["value"] = 0.8754,
                        ["timestamp"] = 1_700_000_000_000,
                        ["step"] = 0,
                    }
                ),
            }
        );
        return runId;
    }

    /// <summary>Logs a model of a run and registers it; gives back the version number, or the refusal.</summary>
    public async Task<Answer> RegisterAsync(string model, string runId, IReadOnlyDictionary<string, byte[]> files)
    {
        var logged = await client.PostAsync(
            "logged-models",
            new JsonObject
            {
                ["experiment_id"] = experimentId,
                ["name"] = "model",
                ["source_run_id"] = runId,
            }
        );
        var modelId = logged.Text("model", "info", "model_id");
        var root = logged
            .Text("model", "info", "artifact_uri")
            .Replace("mlflow-artifacts:/", "", StringComparison.Ordinal);
        await client.PostAsync(
            "runs/outputs",
            new JsonObject
            {
                ["run_id"] = runId,
                ["models"] = new JsonArray(new JsonObject { ["model_id"] = modelId, ["step"] = 0 }),
            }
        );
        foreach (var (path, bytes) in files)
        {
            var put = await client.PutArtifactAsync($"{root}/{path}", bytes);
            if (!put.Ok)
            {
                return put;
            }
        }

        await client.PatchAsync(
            $"logged-models/{modelId}",
            new JsonObject { ["model_id"] = modelId, ["status"] = "LOGGED_MODEL_READY" }
        );
        await client.PostAsync("registered-models/create", new JsonObject { ["name"] = model });
        var version = await client.PostAsync(
            "model-versions/create",
            new JsonObject
            {
                ["name"] = model,
                ["source"] = $"models:/{modelId}",
                ["run_id"] = runId,
                ["model_id"] = modelId,
            }
        );
        await client.PostAsync(
            "runs/update",
            new JsonObject
            {
                ["run_id"] = runId,
                ["status"] = "FINISHED",
                ["end_time"] = 1_700_000_100_000,
            }
        );
        return version;
    }

    /// <summary>Polls as the client does until the version is no longer pending, at most a minute.</summary>
    public async Task<Answer> AwaitAsync(string model, string version)
    {
        for (var i = 0; ; i++)
        {
            var answer = await client.GetAsync($"model-versions/get?name={model}&version={version}");
            if (answer.Text("model_version", "status") != "PENDING_REGISTRATION" || i == 240)
            {
                return answer;
            }

            await Task.Delay(250);
        }
    }
}
