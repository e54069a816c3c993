using System.Text;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Registry.Contracts;
using Governance.Registry.Storage;
using Microsoft.EntityFrameworkCore;

namespace Governance.Tests.Registry;

public sealed class UpstreamAdoptionTests
{
    [Theory]
    [InlineData("delete")]
    [InlineData("rename")]
    public async Task What_the_gateway_takes_away_is_not_taken_over_while_upstream_still_has_it(string change)
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.OkAsync("POST", "registered-models/create", new { name = "m" });
        pair.Decide = arrived => IsChange(arrived, change) ? Fate.Busy : Fate.Served;
        var (status, _) = await TakeAwayAsync(pair, change);
        Assert.Equal(503, status);

        Assert.Empty(await pair.SweepAsync());
        Assert.Equal(404, (await pair.Gateway.SendAsync("GET", "registered-models/get?name=m")).Status);

        pair.Decide = _ => Fate.Served;
        await pair.RestartAsync();
        Assert.Empty(await pair.SweepAsync());
        Assert.Equal(404, (await pair.Upstream.SendAsync("GET", "registered-models/get?name=m")).Status);
    }

    [Fact]
    public async Task What_is_taken_away_while_it_is_compared_is_not_taken_over()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.OkAsync("POST", "registered-models/create", new { name = "m" });
        pair.Decide = arrived => IsChange(arrived, "delete") ? Fate.Busy : Fate.Served;
        Assert.Equal(503, (await TakeAwayAsync(pair, "delete")).Status);
        pair.Decide = _ => Fate.Served;
        pair.Served = async arrived =>
        {
            // The comparison has its answer, and only now upstream lets the model go.
            if (arrived.Target.Contains("registered-models/get", StringComparison.Ordinal))
            {
                pair.Served = _ => Task.CompletedTask;
                await pair.RestartAsync();
            }
        };

        Assert.Empty(await pair.SweepAsync());

        Assert.Equal(404, (await pair.Upstream.SendAsync("GET", "registered-models/get?name=m")).Status);
        Assert.Equal(404, (await pair.Gateway.SendAsync("GET", "registered-models/get?name=m")).Status);
    }

    private static bool IsChange(Arrived arrived, string change) =>
        arrived.Target.EndsWith($"registered-models/{change}", StringComparison.Ordinal);

    private static Task<(int Status, System.Text.Json.Nodes.JsonNode Body)> TakeAwayAsync(
        UpstreamPair pair,
        string change
    ) =>
        change == "delete"
            ? pair.Gateway.SendAsync("DELETE", "registered-models/delete", new { name = "m" })
            : pair.Gateway.SendAsync("POST", "registered-models/rename", new { name = "m", new_name = "n" });

    [Fact]
    public async Task What_is_there_before_the_gateway_is_taken_over_under_the_same_ids_and_belongs_to_nobody()
    {
        string path = "";
        await using var pair = await UpstreamPair.StartAsync(before: async upstream => path = await OldAsync(upstream));

        await pair.SweepAsync(first: true);

        var (experiment, run) = (path.Split('/')[0], path.Split('/')[1]);
        await pair.SameAsync("GET", $"experiments/get?experiment_id={experiment}");
        await pair.SameAsync("GET", $"runs/get?run_id={run}");
        await pair.SameAsync("GET", $"metrics/get-history?run_id={run}&metric_key=loss");
        var version = await pair.Gateway.OkAsync("GET", "model-versions/get?name=old&version=1");
        Assert.Equal("READY", (string)version["model_version"]!["status"]!);
        Assert.Equal("system", (string)version["model_version"]!["user_id"]!);
        Assert.Equal(
            403,
            (
                await pair.Gateway.SendAsync(
                    "POST",
                    "runs/set-tag",
                    new
                    {
                        run_id = run,
                        key = "k",
                        value = "v",
                    }
                )
            ).Status
        );
        var seen = Assert.Single(pair.Gateway.Intake.Seen);
        Assert.Equal(new ModelVersionRef("old", 1), seen.Ref);
    }

    [Fact]
    public async Task A_holder_from_before_the_gateway_is_shown_served_and_not_promoted_until_a_decision_allows_it()
    {
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
        {
            await OldAsync(upstream);
            await upstream.OkAsync(
                "POST",
                "model-versions/transition-stage",
                new
                {
                    name = "old",
                    version = "1",
                    stage = "Production",
                }
            );
            await upstream.OkAsync(
                "POST",
                "registered-models/alias",
                new
                {
                    name = "old",
                    alias = "champion",
                    version = "1",
                }
            );
        });

        Assert.Equal(["old/0 alias champion", "old/1 stage"], (await pair.SweepAsync(first: true)).Order());

        Assert.Equal(["old/0 alias champion", "old/1 stage"], (await pair.SweepAsync()).Order());
        var version = await pair.Gateway.OkAsync("GET", "model-versions/get?name=old&version=1");
        Assert.Equal("None", (string)version["model_version"]!["current_stage"]!);
        await pair.Gateway.OkAsync("GET", "model-versions/get-download-uri?name=old&version=1", actor: "reviewer-1");
        await pair.Gateway.OkAsync(
            "POST",
            "model-versions/transition-stage",
            new
            {
                name = "old",
                version = "1",
                stage = "Production",
            }
        );
        await pair.Gateway.OkAsync(
            "POST",
            "registered-models/alias",
            new
            {
                name = "old",
                alias = "champion",
                version = "1",
            }
        );
        Assert.Empty(await pair.SweepAsync());
    }

    [Fact]
    public async Task A_version_whose_source_cannot_be_had_is_shown_as_failed()
    {
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
        {
            await OldAsync(upstream);
            await EditSourceAsync(upstream, "s3://elsewhere/model");
        });

        await pair.SweepAsync(first: true);

        var version = await pair.Gateway.OkAsync("GET", "model-versions/get?name=old&version=1");
        Assert.Equal("FAILED_REGISTRATION", (string)version["model_version"]!["status"]!);
        Assert.Empty(await pair.SweepAsync());
    }

    [Fact]
    public async Task A_source_that_only_upstream_has_is_copied_when_it_is_registered_and_served_from_here_ever_after()
    {
        string path = "";
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
            path = await OldAsync(upstream, register: false)
        );
        await pair.SweepAsync(first: true);
        await pair.Gateway.OkAsync("POST", "registered-models/create", new { name = "new" }, "curator-1");

        var registered = await pair.Gateway.RegisterAsync(
            "new",
            $"mlflow-artifacts:/{path}",
            path.Split('/')[1],
            "curator-1"
        );

        Assert.Equal("1", (string)registered["version"]!);
        await OverwriteAsync(pair.Upstream, path, "evil");
        Assert.Equal("bytes of old", await ReadAsync(pair, $"{path}/model.pkl", "curator-1"));
    }

    [Fact]
    public async Task A_file_of_another_size_upstream_refuses_the_registration()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var (experiment, run) = await pair.Gateway.RunAsync("e");
        var path = $"{experiment}/{run}/artifacts/model";
        Assert.Equal(200, await pair.Gateway.PutAsync($"{path}/model.pkl", "bytes of old"));
        await OverwriteAsync(pair.Upstream, path, "evil");
        await pair.Gateway.OkAsync("POST", "registered-models/create", new { name = "m" });

        var (status, body) = await pair.Gateway.SendAsync(
            "POST",
            "model-versions/create",
            new
            {
                name = "m",
                source = $"mlflow-artifacts:/{path}",
                run_id = run,
            }
        );

        Assert.Equal((409, "upstream.artifact_differs"), (status, (string)body["code"]!));
    }

    [Fact]
    public async Task Files_of_older_runs_are_listed_and_streamed_to_whoever_may_read_them()
    {
        string path = "";
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
            path = await OldAsync(upstream, register: false)
        );
        await pair.SweepAsync(first: true);
        pair.Arrived.Clear();

        Assert.Equal("bytes of old", await ReadAsync(pair, $"{path}/model.pkl", "reviewer-1"));
        var list = await pair.Gateway.OkAsync(
            "GET",
            $"artifacts/list?run_id={path.Split('/')[1]}&path=model",
            actor: "viewer-1"
        );
        Assert.Equal(
            ["model/MLmodel", "model/model.pkl"],
            list["files"]!.AsArray().Select(file => (string)file!["path"]!)
        );
        pair.Arrived.Clear();
        Assert.Null(await ReadAsync(pair, $"{path}/model.pkl", "viewer-1"));
        Assert.Null(await ReadAsync(pair, $"{path}/model.pkl", "nobody"));
        Assert.Empty(pair.Arrived);
        Assert.Null(await ReadAsync(pair, $"{path}/absent", "reviewer-1"));
    }

    [Fact]
    public async Task A_streamed_file_brings_neither_headers_nor_cookies_of_upstream()
    {
        string path = "";
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
            path = await OldAsync(upstream, register: false)
        );
        await pair.SweepAsync(first: true);

        using var answer = await pair.Gateway.ArtifactAsync("GET", $"{path}/model.pkl", actor: "reviewer-1");

        Assert.Equal("application/octet-stream", answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        Assert.False(answer.Headers.Contains("ETag"));
        Assert.Equal("attachment", answer.Content.Headers.ContentDisposition!.DispositionType);
    }

    [Fact]
    public async Task What_is_new_upstream_is_taken_over_by_the_next_look_and_by_itself_no_second_time()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.SweepAsync(first: true);
        var (_, run) = await pair.Upstream.RunAsync("made behind");

        await pair.SweepAsync();
        await pair.SweepAsync();

        await pair.SameAsync("GET", $"runs/get?run_id={run}");
        await using var db = pair.Gateway.Database.Read();
        Assert.Equal(1, await db.Set<RunRow>().CountAsync(TestContext.Current.CancellationToken));
    }

    private static async Task<string> OldAsync(RegistryHost upstream, bool register = true)
    {
        var (experiment, run) = await upstream.RunAsync("e-old");
        var path = $"{experiment}/{run}/artifacts/model";
        Assert.Equal(200, await upstream.PutAsync($"{path}/MLmodel", "flavors: {}"));
        Assert.Equal(200, await upstream.PutAsync($"{path}/model.pkl", "bytes of old"));
        foreach (var step in new[] { 1, 2, 3 })
        {
            await upstream.OkAsync(
                "POST",
                "runs/log-metric",
                new
                {
                    run_id = run,
                    key = "loss",
                    value = 1.0 / step,
                    timestamp = step,
                    step,
                }
            );
        }

        await upstream.OkAsync(
            "POST",
            "runs/log-parameter",
            new
            {
                run_id = run,
                key = "depth",
                value = "3",
            }
        );
        await upstream.OkAsync(
            "POST",
            "runs/set-tag",
            new
            {
                run_id = run,
                key = "team",
                value = "a",
            }
        );
        if (register)
        {
            await upstream.OkAsync("POST", "registered-models/create", new { name = "old" });
            await upstream.RegisterAsync("old", $"mlflow-artifacts:/{path}", run);
        }

        return path;
    }

    private static async Task EditSourceAsync(RegistryHost upstream, string source) =>
        await upstream.Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                (await session.Db.Set<VersionRow>().SingleAsync(token)).Source = source;
                return default(Unit);
            },
            TestContext.Current.CancellationToken
        );

    private static async Task OverwriteAsync(RegistryHost upstream, string path, string content)
    {
        using var bytes = new MemoryStream(Encoding.UTF8.GetBytes(content));
        var blob = (await upstream.Database.Blobs.PutAsync(bytes, 1000, TestContext.Current.CancellationToken)).Value;
        await upstream.Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await upstream.Database.Blobs.AttachAsync(session, blob, token);
                var row = await session
                    .Db.Set<ArtifactRow>()
                    .SingleAsync(file => path.StartsWith(file.Container) && file.Path == "model/model.pkl", token);
                (row.Size, row.Digest) = (blob.Size, blob.Digest.Hex);
                return default(Unit);
            },
            TestContext.Current.CancellationToken
        );
    }

    private static async Task<string?> ReadAsync(UpstreamPair pair, string path, string actor)
    {
        using var answer = await pair.Gateway.ArtifactAsync("GET", path, actor: actor);
        return answer.IsSuccessStatusCode
            ? await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)
            : null;
    }
}
