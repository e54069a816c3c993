using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Microsoft.EntityFrameworkCore;

namespace Governance.Tests.Registry;

/// <summary>What somebody behind the gateway, or a moment, must not hide.</summary>
public sealed class UpstreamBlindSpotTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("it's")]
    [InlineData("say \"a\"")]
    [InlineData("it's \"both\"")]
    public async Task A_model_with_a_quote_in_its_name_is_changed_and_compared_like_every_other(string name)
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync(name);
        await pair.Gateway.OkAsync("POST", "model-versions/set-tag", Tag(name, "k", "here"));
        await pair.SameAsync("GET", $"model-versions/get?name={Uri.EscapeDataString(name)}&version=1");

        await pair.Upstream.OkAsync("POST", "model-versions/set-tag", Tag(name, "k", "behind"));

        Assert.Equal([$"{name}/1 version_tag k"], await pair.SweepAsync());
    }

    [Fact]
    public async Task A_model_that_cannot_be_read_is_a_finding_and_hides_no_other()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("a");
        await pair.Gateway.VersionAsync("m");
        await StageAsync(pair.Gateway, "a", "Production");
        await StageAsync(pair.Gateway, "m", "Production");
        Assert.Empty(await pair.SweepAsync(first: true));
        await DescribeAsync(pair.Upstream, "a", new string('x', 200_001));
        await StageAsync(pair.Upstream, "m", "None");

        Assert.Equal(["a/0 unreadable", "m/1 stage"], (await pair.SweepAsync()).Order());
        Assert.Equal(409, await DownloadAsync(pair, "a"));
        await DescribeAsync(pair.Upstream, "a", "");
        Assert.Equal(["m/1 stage"], await pair.SweepAsync());
        Assert.Equal(200, await DownloadAsync(pair, "a"));
    }

    [Fact]
    public async Task The_first_look_ends_although_one_model_cannot_be_read_and_one_source_never_be_had()
    {
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
        {
            await upstream.VersionAsync("a");
            await DescribeAsync(upstream, "a", new string('x', 200_001));
            await upstream.VersionAsync("b");
            await FileAsync(upstream, "b", "model/a\\b", "x");
            await upstream.VersionAsync("c");
        });

        Assert.Equal(["a/0 unreadable"], await pair.SweepAsync(first: true));

        Assert.Equal("FAILED_REGISTRATION", await StatusAsync(pair, "b"));
        Assert.Equal("READY", await StatusAsync(pair, "c"));
    }

    [Fact]
    public async Task The_first_look_ends_although_the_server_fails_to_read_one_run_and_one_model()
    {
        var run = "";
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
        {
            run = (await upstream.VersionAsync("a")).Split('/')[1];
            await upstream.OkAsync(
                "POST",
                "runs/log-metric",
                new
                {
                    run_id = run,
                    key = "loss",
                    value = 1,
                    timestamp = 1,
                }
            );
            await upstream.VersionAsync("b");
            await StageAsync(upstream, "a", "Production");
        });
        pair.Decide = arrived =>
            arrived.Target.Contains("metrics/get-history", StringComparison.Ordinal)
            || arrived.Target.Contains("registered-models/get?name=a", StringComparison.Ordinal)
                ? Fate.Broken
                : Fate.Served;
        var unread = new List<string>();
        var detector = pair.Gateway.Database.Get<DriftDetector>();

        Assert.Null(await pair.Gateway.Database.Get<TrackingAdoption>().SweepAsync(Token));
        Assert.NotNull(await detector.SweepAsync(first: true, Token, unread));
        Assert.Equal(["a"], unread);
        await detector.FirstIsDoneAsync(unread, Token);
        Assert.Equal("READY", await StatusAsync(pair, "b"));

        // It was there before the gateway, and is no finding of somebody who went around it.
        pair.Decide = _ => Fate.Served;
        Assert.Equal(["a/1 stage"], await pair.SweepAsync());
        Assert.Equal("READY", await StatusAsync(pair, "a"));
        await pair.Gateway.OkAsync("GET", $"runs/get?run_id={run}");
        Assert.DoesNotContain(pair.Gateway.Database.Log.Entries, entry => entry.Kind == "registry.version_quarantined");
    }

    [Fact]
    public async Task What_puts_a_version_in_doubt_is_found_before_any_number_of_tags_of_its_model()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("m");
        Assert.Empty(await pair.SweepAsync(first: true));
        for (var i = 0; i < 201; i++)
        {
            await pair.Upstream.OkAsync(
                "POST",
                "registered-models/set-tag",
                new
                {
                    name = "m",
                    key = $"k{i}",
                    value = "behind",
                }
            );
        }

        await pair.Upstream.OkAsync("POST", "model-versions/set-tag", Tag("m", "k", "behind"));

        var open = await pair.SweepAsync();
        Assert.Equal(200, open.Count);
        Assert.Contains("m/1 version_tag k", open);
        Assert.Equal(202, (await pair.SweepAsync()).Count);
    }

    [Fact]
    public async Task A_model_that_could_not_be_read_at_first_is_like_any_other_once_it_is_here()
    {
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
            await upstream.VersionAsync("a")
        );
        pair.Decide = arrived =>
            arrived.Target.Contains("registered-models/get?name=a", StringComparison.Ordinal)
                ? Fate.Broken
                : Fate.Served;
        var unread = new List<string>();
        var detector = pair.Gateway.Database.Get<DriftDetector>();
        Assert.Null(await pair.Gateway.Database.Get<TrackingAdoption>().SweepAsync(Token));
        Assert.NotNull(await detector.SweepAsync(first: true, Token, unread));
        await detector.FirstIsDoneAsync(unread, Token);
        pair.Decide = _ => Fate.Served;
        // Not a look brings it, but somebody who names it.
        await pair.Gateway.OkAsync("GET", "registered-models/get?name=a");

        await StageAsync(pair.Upstream, "a", "Production");
        Assert.Null(await detector.SweepAsync(first: false, Token));

        var stage = Assert.Single(
            pair.Gateway.Database.Log.Entries,
            entry => entry.Kind == "upstream.drift" && (string?)entry.Details["kind"] == "stage"
        );
        Assert.False((bool)stage.Details["before_the_gateway"]!);
    }

    [Fact]
    public async Task What_the_gateway_made_and_takes_away_while_it_is_read_is_not_taken_over_and_what_stays_is()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.SweepAsync(first: true);
        var tags = new[] { new { key = Differences.IntentTag, value = $"{Guid.NewGuid():N}" } };
        var made = (string)
            (await pair.Upstream.OkAsync("POST", "experiments/create", new { name = "made", tags }))["experiment_id"]!;
        var other = (string)
            (await pair.Upstream.OkAsync("POST", "experiments/create", new { name = "other" }))["experiment_id"]!;
        var run = (string)
            (await pair.Upstream.OkAsync("POST", "runs/create", new { experiment_id = other, tags }))["run"]!["info"]![
                "run_id"
            ]!;
        var away = new HashSet<string>();
        pair.Served = async arrived =>
        {
            if (arrived.Target.EndsWith("experiments/search", StringComparison.Ordinal) && away.Add(made))
            {
                await pair.Upstream.OkAsync("POST", "experiments/delete", new { experiment_id = made });
            }

            if (
                arrived.Target.EndsWith("runs/search", StringComparison.Ordinal)
                && arrived.Body.Contains($"\"{other}\"", StringComparison.Ordinal)
                && away.Add(run)
            )
            {
                await pair.Upstream.OkAsync("POST", "runs/delete", new { run_id = run });
            }
        };

        await pair.SweepAsync();

        Assert.Equal(2, away.Count);
        Assert.Equal((false, false), (await HasExperimentAsync(pair, "made"), await HasRunAsync(pair, run)));
        await pair.Upstream.OkAsync("POST", "experiments/restore", new { experiment_id = made });
        await pair.Upstream.OkAsync("POST", "runs/restore", new { run_id = run });
        await pair.SweepAsync();
        Assert.Equal((true, true), (await HasExperimentAsync(pair, "made"), await HasRunAsync(pair, run)));
    }

    [Fact]
    public async Task A_run_that_the_server_fails_to_read_makes_no_later_look_longer_and_comes_when_it_can_be_read()
    {
        var (experiment, broken) = ("", "");
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
        {
            experiment = (string)
                (await upstream.OkAsync("POST", "experiments/create", new { name = "e" }))["experiment_id"]!;
            broken = await MadeAsync(1);
            // The newest come first: one that cannot be read lies on the second page, another on the first.
            await MadeAsync(5_000);
            for (var i = 0; i < 200; i++)
            {
                await upstream.OkAsync(
                    "POST",
                    "runs/create",
                    new { experiment_id = experiment, start_time = 1_000 + i }
                );
            }

            async Task<string> MadeAsync(long start)
            {
                var made = await upstream.OkAsync(
                    "POST",
                    "runs/create",
                    new { experiment_id = experiment, start_time = start }
                );
                var id = (string)made["run"]!["info"]!["run_id"]!;
                await upstream.OkAsync(
                    "POST",
                    "runs/log-metric",
                    new
                    {
                        run_id = id,
                        key = "loss",
                        value = 1,
                        timestamp = 1,
                    }
                );
                return id;
            }
        });
        pair.Decide = arrived =>
            arrived.Target.Contains("get-history", StringComparison.Ordinal) ? Fate.Broken : Fate.Served;
        var tracking = pair.Gateway.Database.Get<TrackingAdoption>();
        Assert.Null(await tracking.SweepAsync(Token));
        pair.Arrived.Clear();

        Assert.Null(await tracking.SweepAsync(Token));
        Assert.Single(
            pair.Arrived,
            arrived =>
                arrived.Target.EndsWith("runs/search", StringComparison.Ordinal)
                && arrived.Body.Contains($"\"{experiment}\"", StringComparison.Ordinal)
        );
        Assert.DoesNotContain(
            pair.Arrived,
            arrived => arrived.Target.Contains("get-history", StringComparison.Ordinal)
        );

        // Its time comes, twice: it still cannot be read, then it can.
        await WaitedAsync(pair);
        pair.Arrived.Clear();
        Assert.Null(await tracking.SweepAsync(Token));
        Assert.Contains(pair.Arrived, arrived => arrived.Target.Contains("get-history", StringComparison.Ordinal));
        pair.Decide = _ => Fate.Served;
        Assert.Null(await tracking.SweepAsync(Token));
        Assert.False(await HasRunAsync(pair, broken));
        await WaitedAsync(pair);
        Assert.Null(await tracking.SweepAsync(Token));
        Assert.True(await HasRunAsync(pair, broken));
        await using var db = pair.Gateway.Database.Read();
        Assert.False(await db.Set<UpstreamProgressRow>().AnyAsync(row => row.Name == $"run:{broken}", Token));
    }

    [Fact]
    public async Task One_model_opens_so_many_findings_in_one_look_and_hides_no_stage_behind_its_tags()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("m");
        await StageAsync(pair.Gateway, "m", "Production");
        Assert.Empty(await pair.SweepAsync(first: true));
        for (var i = 0; i < 210; i++)
        {
            await pair.Upstream.OkAsync("POST", "model-versions/set-tag", Tag("m", $"k{i}", "behind"));
        }

        await StageAsync(pair.Upstream, "m", "None");

        var open = await pair.SweepAsync();
        Assert.Equal(200, open.Count);
        Assert.Contains("m/1 stage", open);
        Assert.Equal(211, (await pair.SweepAsync()).Count);
        Assert.Equal(211, pair.Gateway.Database.Log.Entries.Count(entry => entry.Kind == "upstream.drift"));
    }

    [Fact]
    public async Task A_file_with_a_name_that_no_store_takes_is_a_finding_and_hides_no_other_version()
    {
        await using var pair = await UpstreamPair.StartAsync();
        foreach (var name in new[] { "a", "m" })
        {
            await pair.Gateway.VersionAsync(name);
            await StageAsync(pair.Gateway, name, "Production");
        }

        Assert.Empty(await pair.SweepAsync(first: true, files: true));
        await FileAsync(pair.Upstream, "a", "model/a\\b", "x");
        await FileAsync(pair.Upstream, "m", "model/extra.pkl", "x");

        Assert.Equal(["a/1 unreadable", "m/1 file_made extra.pkl"], (await pair.SweepAsync(files: true)).Order());
        await FileAsync(pair.Upstream, "a", "model/a\\b", null);
        Assert.Equal(["m/1 file_made extra.pkl"], await pair.SweepAsync(files: true));
        Assert.Equal(200, await DownloadAsync(pair, "a"));
    }

    [Fact]
    public async Task A_version_that_is_registered_while_its_model_is_compared_is_not_missing()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var path = await pair.Gateway.VersionAsync("m");
        Assert.Empty(await pair.SweepAsync(first: true));
        await pair.Upstream.OkAsync("POST", "model-versions/set-tag", Tag("m", "k", "behind"));
        var registered = false;
        pair.Served = async arrived =>
        {
            if (arrived.Target.Contains("model-versions/search?filter=name", StringComparison.Ordinal) && !registered)
            {
                registered = true;
                await pair.Gateway.RegisterAsync("m", $"mlflow-artifacts:/{path}", path.Split('/')[1]);
            }
        };

        Assert.Equal(["m/1 version_tag k"], await pair.SweepAsync());
        Assert.True(registered);
    }

    [Fact]
    public async Task A_file_that_upstream_only_pretends_to_take_back_stays_a_finding_and_quarantined()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("m");
        await StageAsync(pair.Gateway, "m", "Production");
        Assert.Empty(await pair.SweepAsync(first: true));
        await FileAsync(pair.Upstream, "m", "model/model.pkl", "BYTES OF m");
        Assert.Equal(["m/1 file_bytes model.pkl"], await pair.SweepAsync(files: true, bytes: true));
        pair.Decide = arrived => arrived.Method == "PUT" ? Fate.Pretended : Fate.Served;

        Assert.Equal(409, await RepairAsync(pair));

        Assert.Equal(["m/1 file_bytes model.pkl"], await pair.OpenAsync());
        Assert.Equal(409, await DownloadAsync(pair, "m"));
        await FileAsync(pair.Upstream, "m", "model/model.pkl", "bytes of m");
        Assert.Equal(200, await RepairAsync(pair));
        Assert.Empty(await pair.SweepAsync(files: true, bytes: true));
        Assert.Equal(200, await DownloadAsync(pair, "m"));
    }

    [Fact]
    public async Task Bytes_that_upstream_lists_and_does_not_give_are_a_finding()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("m");
        await StageAsync(pair.Gateway, "m", "Production");
        Assert.Empty(await pair.SweepAsync(first: true));
        pair.Decide = arrived =>
            arrived.Target.EndsWith("/model.pkl", StringComparison.Ordinal) ? Fate.Refused : Fate.Served;

        Assert.Equal(["m/1 file_bytes model.pkl"], await pair.SweepAsync(files: true, bytes: true));
    }

    [Fact]
    public async Task A_finding_is_not_repaired_by_deleting_what_it_is_about()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("m");
        Assert.Empty(await pair.SweepAsync(first: true));
        await pair.Upstream.OkAsync("POST", "model-versions/set-tag", Tag("m", "k", "behind"));
        Assert.Equal(["m/1 version_tag k"], await pair.SweepAsync());
        await pair.Upstream.OkAsync("DELETE", "registered-models/delete", new { name = "m" });

        await RepairAsync(pair);

        Assert.Equal(["m/1 version_tag k"], await pair.OpenAsync());
        Assert.Equal(409, await DownloadAsync(pair, "m"));
    }

    [Fact]
    public async Task What_was_put_beside_the_files_of_a_governed_run_is_not_registered()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var path = await pair.Gateway.VersionAsync("m");
        await FileAsync(pair.Upstream, "m", "model/sitecustomize.py", "evil");

        await pair.Gateway.RegisterAsync("m", $"mlflow-artifacts:/{path}", path.Split('/')[1]);

        await using var db = pair.Gateway.Database.Read();
        Assert.False(await db.Set<ManifestFileRow>().AnyAsync(row => row.Path == "sitecustomize.py", Token));
        Assert.False(await db.Set<ArtifactRow>().AnyAsync(row => row.Path.EndsWith("sitecustomize.py"), Token));
    }

    [Fact]
    public async Task What_could_not_be_undone_upstream_stays_intended_until_it_is()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var path = await pair.Gateway.VersionAsync("m");
        pair.Served = async arrived =>
        {
            if (arrived.Target.EndsWith("model-versions/create", StringComparison.Ordinal))
            {
                await DeletedAsync(pair.Gateway, true);
            }
        };
        pair.Decide = arrived => arrived.Method == "DELETE" ? Fate.Lost : Fate.Served;

        var (status, _) = await pair.Gateway.SendAsync(
            "POST",
            "model-versions/create",
            new { name = "m", source = $"mlflow-artifacts:/{path}" }
        );

        Assert.Equal(404, status);
        Assert.Equal(1, await pair.PendingAsync());
        Assert.DoesNotContain(pair.Gateway.Database.Log.Entries, entry => entry.Kind == "upstream.undone");
        await DeletedAsync(pair.Gateway, false);
        pair.Decide = _ => Fate.Served;
        await pair.RestartAsync();
        Assert.Equal(0, await pair.PendingAsync());
        Assert.Contains(pair.Gateway.Database.Log.Entries, entry => entry.Kind == "upstream.undone");
        Assert.Empty(await pair.SweepAsync(first: true));
    }

    [Fact]
    public async Task A_list_of_files_asks_for_one_directory_and_is_never_half()
    {
        string path = "";
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
        {
            var (experiment, run) = await upstream.RunAsync("e-old");
            path = $"{experiment}/{run}/artifacts";
            foreach (var depth in new[] { "a/b/c", "d/e/f", "g" })
            {
                Assert.Equal(200, await upstream.PutAsync($"{path}/{depth}/x", "1"));
            }

            Assert.Equal(200, await upstream.PutAsync($"{path}/y", "1"));
        });
        await pair.SweepAsync(first: true);
        pair.Arrived.Clear();
        var list = $"artifacts/list?run_id={path.Split('/')[1]}";

        var files = await pair.Gateway.OkAsync("GET", list);

        Assert.Equal(
            ["a True", "d True", "g True", "y False"],
            files["files"]!.AsArray().Select(file => $"{file!["path"]} {(bool)file["is_dir"]!}")
        );
        Assert.Single(pair.Arrived);
        pair.Decide = _ => Fate.Lost;
        var (status, body) = await pair.Gateway.SendAsync("GET", list);
        Assert.Equal((503, "upstream.away"), (status, (string?)body["code"]));
    }

    [Fact]
    public async Task A_streamed_file_takes_no_header_of_the_caller_along()
    {
        string path = "";
        await using var pair = await UpstreamPair.StartAsync(before: async upstream =>
        {
            var (experiment, run) = await upstream.RunAsync("e-old");
            path = $"{experiment}/{run}/artifacts/x";
            Assert.Equal(200, await upstream.PutAsync(path, "1"));
        });
        await pair.SweepAsync(first: true);
        pair.Arrived.Clear();
        using var message = new HttpRequestMessage(HttpMethod.Get, $"/api/2.0/mlflow-artifacts/artifacts/{path}");
        message.Headers.Add("X-Actor", "reviewer-1");
        message.Headers.Connection.Add("Upgrade");
        message.Headers.Upgrade.ParseAdd("canary/1");
        message.Headers.TryAddWithoutValidation("X-Canary", "1");

        using var answer = await pair.Gateway.Client.SendAsync(message, Token);

        Assert.Equal("1", await answer.Content.ReadAsStringAsync(Token));
        var headers = Assert.Single(pair.Arrived).Headers;
        Assert.DoesNotContain(headers, header => header.Value.Contains("canary", StringComparison.OrdinalIgnoreCase));
        Assert.DoesNotContain(headers.Keys, name => name is "Upgrade" or "X-Canary" or "X-Actor");
    }

    private static Task WaitedAsync(UpstreamPair pair) =>
        pair.Gateway.Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var earlier = (long)TrackingAdoption.SkippedFor.TotalMilliseconds;
                await session
                    .Db.Set<UpstreamProgressRow>()
                    .Where(row => row.Name.StartsWith("run:"))
                    .ExecuteUpdateAsync(
                        rows => rows.SetProperty(row => row.UpdatedMs, row => row.UpdatedMs - earlier),
                        token
                    );
                return default(Unit);
            },
            Token
        );

    private static async Task<bool> HasExperimentAsync(UpstreamPair pair, string name)
    {
        await using var db = pair.Gateway.Database.Read();
        return await db.Set<ExperimentRow>().AnyAsync(row => row.Name == name, Token);
    }

    private static async Task<bool> HasRunAsync(UpstreamPair pair, string run)
    {
        await using var db = pair.Gateway.Database.Read();
        return await db.Set<RunRow>().AnyAsync(row => row.RunId == run, Token);
    }

    private static object Tag(string name, string key, string value) =>
        new
        {
            name,
            version = "1",
            key,
            value,
        };

    private static Task StageAsync(RegistryHost host, string name, string stage) =>
        host.OkAsync(
            "POST",
            "model-versions/transition-stage",
            new
            {
                name,
                version = "1",
                stage,
            }
        );

    private static async Task<int> DownloadAsync(UpstreamPair pair, string name) =>
        (await pair.Gateway.SendAsync("GET", $"model-versions/get-download-uri?name={name}&version=1")).Status;

    private static async Task<string> StatusAsync(UpstreamPair pair, string name)
    {
        var answer = await pair.Gateway.OkAsync("GET", $"model-versions/get?name={name}&version=1");
        return (string)answer["model_version"]!["status"]!;
    }

    private static async Task<int> RepairAsync(UpstreamPair pair)
    {
        using var list = new HttpRequestMessage(HttpMethod.Get, "/api/v1/upstream/drift");
        list.Headers.Add("X-Actor", "admin");
        using var listed = await pair.Gateway.Client.SendAsync(list, Token);
        var body = await listed.Content.ReadFromJsonAsync<JsonNode>(Token);
        var id = (string)body!["drift"]![0]!["id"]!;
        using var message = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/upstream/drift/{id}/repair");
        message.Headers.Add("X-Actor", "admin");
        using var answer = await pair.Gateway.Client.SendAsync(message, Token);
        return (int)answer.StatusCode;
    }

    private static Task DeletedAsync(RegistryHost host, bool deleted) =>
        host.Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                (await session.Db.Set<ModelRow>().SingleAsync(row => row.Name == "m", token)).Deleted = deleted;
                return default(Unit);
            },
            Token
        );

    private static Task DescribeAsync(RegistryHost host, string model, string text) =>
        host.Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                (await VersionAsync(session, model, token)).Description = text;
                return default(Unit);
            },
            Token
        );

    private static Task<VersionRow> VersionAsync(WriteSession session, string model, CancellationToken token) =>
        (
            from version in session.Db.Set<VersionRow>()
            join owner in session.Db.Set<ModelRow>() on version.ModelId equals owner.Id
            where owner.Name == model
            select version
        ).FirstAsync(token);

    private static async Task FileAsync(RegistryHost host, string model, string path, string? content)
    {
        StoredBlob? blob = null;
        if (content is not null)
        {
            using var bytes = new MemoryStream(Encoding.UTF8.GetBytes(content));
            blob = (await host.Database.Blobs.PutAsync(bytes, 1000, Token)).Value;
        }

        await host.Database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var container = (await VersionAsync(session, model, token)).Container;
                if (await session.Db.Set<ArtifactRow>().FindAsync([container, path], token) is { } row)
                {
                    session.Db.Remove(row);
                    await session.Db.SaveChangesAsync(token);
                }

                if (blob is not null)
                {
                    await host.Database.Blobs.AttachAsync(session, blob, token);
                    session.Db.Add(
                        new ArtifactRow
                        {
                            Container = container,
                            Path = path,
                            Size = blob.Size,
                            Digest = blob.Digest.Hex,
                        }
                    );
                }

                return default(Unit);
            },
            Token
        );
    }
}
