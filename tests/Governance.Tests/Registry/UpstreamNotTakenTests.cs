using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Tests.Registry;

public sealed class UpstreamNotTakenTests
{
    [Fact]
    public async Task What_upstream_does_not_take_is_listed_holds_nothing_else_up_and_is_made_when_it_is_repaired()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var path = await pair.Gateway.VersionAsync("m");
        var (experiment, run) = (path.Split('/')[0], path.Split('/')[1]);
        var container = $"{experiment}/{run}/artifacts";
        pair.Decide = request =>
            request.Target.Contains("bad", StringComparison.Ordinal)
            || request.Target.EndsWith("runs/log-model", StringComparison.Ordinal)
            || request.Body.Contains("\"bad", StringComparison.Ordinal)
                ? Fate.Refused
                : Fate.Served;

        await pair.Gateway.OkAsync(
            "POST",
            "runs/log-batch",
            new
            {
                run_id = run,
                tags = new[] { Label("good", "1"), Label("bad", "2"), Label("also", "3") },
                @params = new[] { Label("depth", "3") },
                metrics = new[]
                {
                    new
                    {
                        key = "loss",
                        value = 1.5,
                        timestamp = 1,
                        step = 0,
                    },
                },
            }
        );
        await pair.Gateway.OkAsync(
            "POST",
            "runs/log-model",
            new { run_id = run, model_json = """{"artifact_path":"model"}""" }
        );
        await pair.Gateway.OkAsync(
            "POST",
            "experiments/set-experiment-tag",
            new
            {
                experiment_id = experiment,
                key = "bad",
                value = "v",
            }
        );
        Assert.Equal(200, await pair.Gateway.PutAsync($"{container}/bad%20name.txt", "x"));
        Assert.Equal(200, await pair.Gateway.PutAsync($"{container}/good.txt", "x"));

        Assert.Equal(
            [
                $"/0 not_taken artifacts:{container} bad name.txt",
                $"/0 not_taken experiment:{experiment} tags",
                $"/0 not_taken run:{run} log-model",
                $"/0 not_taken run:{run} tags",
            ],
            (await pair.SweepAsync(files: true)).Order()
        );
        Assert.Equal(0, await pair.PendingAsync());
        var there = (await pair.Upstream.OkAsync("GET", $"runs/get?run_id={run}"))["run"]!["data"]!;
        Assert.Contains("\"also\"", there.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("\"good\"", there.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("\"loss\"", there.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("\"depth\"", there.ToJsonString(), StringComparison.Ordinal);
        Assert.False(await QuarantinedAsync(pair));
        var rows = await ListAsync(pair);
        Assert.All(rows, row => Assert.Equal(409, row.Repair));
        pair.Decide = _ => Fate.Served;
        Assert.All(await ListAsync(pair), row => Assert.Equal(200, row.Repair));

        Assert.Empty(await pair.SweepAsync(files: true));
        there = (await pair.Upstream.OkAsync("GET", $"runs/get?run_id={run}"))["run"]!["data"]!;
        Assert.Contains("\"bad\"", there.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("\"mlflow.log-model.history\"", there.ToJsonString(), StringComparison.Ordinal);
        await pair.SameAsync("GET", $"experiments/get?experiment_id={experiment}");
        await using var db = pair.Upstream.Database.Read();
        Assert.True(
            await db.Set<ArtifactRow>()
                .AnyAsync(row => row.Path == "bad name.txt", TestContext.Current.CancellationToken)
        );
    }

    [Fact]
    public async Task What_is_given_up_is_listed_too_and_ends_when_it_is_accepted()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var (_, run) = await pair.Gateway.RunAsync("e");
        // Everything else is answered, so that the attempts count.
        pair.Decide = request =>
            request.Target.EndsWith("runs/log-batch", StringComparison.Ordinal) ? Fate.Busy : Fate.Served;
        var tag = new
        {
            run_id = run,
            key = "k",
            value = "v",
        };
        for (var i = 0; i <= 20; i++)
        {
            Assert.Equal(503, (await pair.Gateway.SendAsync("POST", "runs/set-tag", tag)).Status);
        }

        Assert.Equal([$"/0 not_taken run:{run} tags"], await pair.OpenAsync());
        Assert.Equal(0, await pair.PendingAsync());
        await using (var db = pair.Gateway.Database.Read())
        {
            var row = await db.Set<UpstreamDriftRow>().SingleAsync(TestContext.Current.CancellationToken);
            Assert.Equal("upstream.pending", row.Found);
            Assert.Equal(200, await PostAsync(pair, $"drift/{row.Id:D}/accept"));
        }

        Assert.Empty(await pair.OpenAsync());
    }

    // MLflow keeps of a description what it likes; what is there already must not come again with the next one.
    [Fact]
    public async Task A_model_that_upstream_describes_in_fewer_words_is_described_once()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var (_, run) = await pair.Gateway.RunAsync("e");
        await DescribeAsync(pair, run, "one");
        await using (var db = pair.Upstream.Database.Read())
        {
            await db.Set<LabelRow>()
                .Where(row => row.Key == "mlflow.log-model.history")
                .ExecuteUpdateAsync(
                    set =>
                        set.SetProperty(
                            row => row.Value,
                            """[{"artifact_path":"one","utc_time_created":"t","model_uuid":"one"}]"""
                        ),
                    TestContext.Current.CancellationToken
                );
        }

        await DescribeAsync(pair, run, "two");

        var tags = (await pair.Upstream.OkAsync("GET", $"runs/get?run_id={run}"))["run"]!["data"]!["tags"]!.AsArray();
        var history = tags.Single(tag => (string)tag!["key"]! == "mlflow.log-model.history")!["value"]!;
        Assert.Equal(
            ["one", "two"],
            JsonNode.Parse((string)history!)!.AsArray().Select(model => (string)model!["artifact_path"]!)
        );
    }

    private static Task<JsonNode> DescribeAsync(UpstreamPair pair, string run, string name) =>
        pair.Gateway.OkAsync(
            "POST",
            "runs/log-model",
            new
            {
                run_id = run,
                model_json = new JsonObject
                {
                    ["artifact_path"] = name,
                    ["utc_time_created"] = "t",
                    ["model_uuid"] = name,
                    ["signature"] = new JsonObject { ["inputs"] = "x" },
                }.ToJsonString(),
            }
        );

    private static object Label(string key, string value) => new { key, value };

    private static async Task<bool> QuarantinedAsync(UpstreamPair pair)
    {
        await using var db = pair.Gateway.Database.Read();
        return await db.Set<VersionRow>().AnyAsync(row => row.Quarantined, TestContext.Current.CancellationToken);
    }

    /// <summary>Every open difference, and the answer to its repair.</summary>
    private static async Task<List<(string Key, int Repair)>> ListAsync(UpstreamPair pair)
    {
        using var message = new HttpRequestMessage(HttpMethod.Get, "/api/v1/upstream/drift");
        message.Headers.Add("X-Actor", "admin");
        using var answer = await pair.Gateway.Client.SendAsync(message, TestContext.Current.CancellationToken);
        var body = await answer.Content.ReadFromJsonAsync<JsonObject>(TestContext.Current.CancellationToken);
        var rows = new List<(string, int)>();
        foreach (var row in body!["drift"]!.AsArray())
        {
            Assert.Equal("not_taken", (string)row!["kind"]!);
            rows.Add(((string)row["key"]!, await PostAsync(pair, $"drift/{row["id"]}/repair")));
        }

        return rows;
    }

    private static async Task<int> PostAsync(UpstreamPair pair, string path)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/upstream/{path}");
        message.Headers.Add("X-Actor", "admin");
        using var answer = await pair.Gateway.Client.SendAsync(message, TestContext.Current.CancellationToken);
        return (int)answer.StatusCode;
    }
}
