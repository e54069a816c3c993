using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Governance.Registry;
using Governance.Registry.Contracts;
using Governance.Registry.Imports;
using Governance.Registry.Storage;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Registry;

public sealed class ImportTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_comes_over_under_the_ids_names_and_numbers_it_had()
    {
        await using var source = await RegistryHost.StartAsync();
        var scene = await SceneAsync(source);
        await using var host = await StartAsync(source.Client.BaseAddress!.ToString());

        var import = await ImportAsync(host);

        Assert.Equal(("done", null), ((string?)import["state"], import["stop"]));
        Assert.Equal("[]", await FailuresAsync(host, import));
        Assert.Equal(
            "experiment 3/3/0/0, run 3/3/0/0, logged-model 1/1/0/0, model 4/4/0/0, version 6/6/0/0",
            Counts(import)
        );
        foreach (var run in scene.Runs)
        {
            Assert.Equal(await RunAsync(source, run), await RunAsync(host, run));
            foreach (var key in new[] { "loss", "bad" })
            {
                var history = $"metrics/get-history?run_id={run}&metric_key={key}";
                Assert.Equal(
                    (await source.OkAsync("GET", history)).ToJsonString(),
                    (await host.OkAsync("GET", history)).ToJsonString()
                );
            }
        }

        var numbers = await host.OkAsync("GET", "model-versions/search?filter=name%3D%27m%27&order_by=version_number");
        Assert.Equal(["1", "3"], numbers["model_versions"]!.AsArray().Select(v => (string)v!["version"]!));
        Assert.All(numbers["model_versions"]!.AsArray(), v => Assert.Equal("None", (string)v!["current_stage"]!));
        var third = await VersionAsync(host, "m", 3);
        Assert.Equal(
            ("Production", "champion", "old"),
            (Tag(third, "stage"), Tag(third, "aliases"), Tag(third, "source"))
        );
        Assert.Equal(scene.Created, (long)third["creation_timestamp"]!);
        Assert.Null(third["aliases"]);
        Assert.Equal("READY", (string)third["status"]!);
        Assert.Equal($"models:/{scene.LoggedModel}", (string)(await VersionAsync(host, "lm", 1))["source"]!);
        Assert.Equal("models:/m/1", (string)(await VersionAsync(host, "a-copy", 1))["source"]!);
        Assert.Equal(
            "Say {{ x }}",
            (
                (await VersionAsync(host, "prompt", 1))["tags"]!
                    .AsArray()
                    .Single(t => (string)t!["key"]! == "mlflow.prompt.text")!
            )["value"]!.ToString()
        );
        var next = await host.RegisterAsync("m", $"runs:/{scene.Runs[0]}/model", null);
        Assert.Equal("4", (string)next["version"]!);
        using var bytes = await host.ArtifactAsync("GET", $"{scene.Path}/model.pkl");
        Assert.Equal("bytes of m", await bytes.Content.ReadAsStringAsync(Token));
        var kinds = host.Database.Log.Entries.Select(entry => entry.Kind).ToList();
        Assert.Equal(3, kinds.Count(kind => kind == "registry.run_imported"));
        Assert.Equal(6, kinds.Count(kind => kind == "registry.version_imported"));
        Assert.Contains("registry.import_started", kinds);
        Assert.Contains("registry.import_ended", kinds);
        Assert.Equal(7, host.Intake.Seen.Count);
        Assert.Empty(host.Gate.Asked);
    }

    [Fact]
    public async Task Killed_at_any_moment_it_goes_on_and_nothing_comes_twice()
    {
        await using var source = await RegistryHost.StartAsync();
        var scene = await SceneAsync(source);
        CrashingWriter writer = null!;
        await using var host = await StartAsync(
            source.Client.BaseAddress!.ToString(),
            services => AddCrashing(services, made => writer = made)
        );
        var started = await StartImportAsync(host, new JsonObject { ["source"] = "old" });
        var id = (string)started["id"]!;

        var deaths = 0;
        while (await StateAsync(host, id) == "running")
        {
            // Never so early that nothing moves: each life commits one unit at least, and dies before or after another.
            writer.DieAfter(1 + deaths % 3, committed: deaths % 2 == 0);
            try
            {
                await Job(host).RunAsync(id, Token);
            }
            catch (KilledException)
            {
                deaths++;
            }

            Assert.True(deaths < 500, "no progress");
        }

        writer.Live();
        Assert.True(deaths >= 30, $"only {deaths} deaths");
        var import = await ReadAsync(host, id);
        Assert.Equal("[]", await FailuresAsync(host, import));
        Assert.Equal(
            "experiment 3/3/0/0, run 3/3/0/0, logged-model 1/1/0/0, model 4/4/0/0, version 6/6/0/0",
            Counts(import)
        );
        foreach (var run in scene.Runs)
        {
            Assert.Equal(await RunAsync(source, run), await RunAsync(host, run));
        }

        await using var db = host.Database.Read();
        await using var there = source.Database.Read();
        Assert.Equal(await there.Set<MetricRow>().CountAsync(Token), await db.Set<MetricRow>().CountAsync(Token));
        Assert.Equal(await there.Set<ArtifactRow>().CountAsync(Token), await db.Set<ArtifactRow>().CountAsync(Token));
        Assert.Equal(6, host.Database.Log.Entries.Count(entry => entry.Kind == "registry.version_imported"));
    }

    [Fact]
    public async Task A_second_import_brings_what_is_new_and_an_open_run_anew()
    {
        await using var source = await RegistryHost.StartAsync();
        var scene = await SceneAsync(source);
        await using var host = await StartAsync(source.Client.BaseAddress!.ToString());
        await ImportAsync(host);
        await source.OkAsync(
            "POST",
            "runs/log-metric",
            $$"""{"run_id":"{{scene.Runs[2]}}","key":"loss","value":9,"timestamp":9,"step":9}"""
        );
        await source.OkAsync(
            "POST",
            "runs/update",
            new
            {
                run_id = scene.Runs[2],
                status = "FINISHED",
                end_time = 1_700_000_000_000,
            }
        );
        await source.RegisterAsync("m", $"runs:/{scene.Runs[0]}/model", null);

        var import = await ImportAsync(host);
        var third = await ImportAsync(host);

        Assert.Equal(
            "experiment 3/0/3/0, run 3/1/2/0, logged-model 1/0/1/0, model 4/0/4/0, version 7/1/6/0",
            Counts(import)
        );
        Assert.Equal(
            "experiment 3/0/3/0, run 3/0/3/0, logged-model 1/0/1/0, model 4/0/4/0, version 7/0/7/0",
            Counts(third)
        );
        Assert.Equal(await RunAsync(source, scene.Runs[2]), await RunAsync(host, scene.Runs[2]));
        Assert.Equal("4", (string)(await VersionAsync(host, "m", 4))["version"]!);
    }

    [Fact]
    public async Task What_is_here_already_is_not_touched_and_says_so()
    {
        await using var source = await RegistryHost.StartAsync();
        await SceneAsync(source);
        await using var host = await StartAsync(source.Client.BaseAddress!.ToString());
        await host.VersionAsync("m");
        await host.OkAsync("POST", "registered-models/create", new { name = "LM" });
        await host.OkAsync("POST", "experiments/create", new { name = "e-other" });

        var import = await ImportAsync(host);
        var failures = JsonNode.Parse(await FailuresAsync(host, import))!.AsArray();

        Assert.Equal("done", (string)import["state"]!);
        Assert.Equal(
            [
                "experiment registry.import_conflict",
                "experiment registry.import_conflict",
                "model registry.import_conflict",
                "model registry.import_name_used",
                "version registry.import_source_missing",
                "version registry.import_source_missing",
            ],
            failures.Select(failure => $"{failure!["kind"]} {failure["code"]}").Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            "1",
            Assert.Single(
                (await host.OkAsync("GET", "model-versions/search?filter=name%3D%27m%27"))["model_versions"]!.AsArray()
            )!["version"]!.ToString()
        );
    }

    [Fact]
    public async Task A_dry_run_counts_and_changes_nothing()
    {
        await using var source = await RegistryHost.StartAsync();
        await SceneAsync(source);
        await using var host = await StartAsync(source.Client.BaseAddress!.ToString());

        var import = await ImportAsync(host, new JsonObject { ["source"] = "old", ["dryRun"] = true });

        Assert.Equal(
            "experiment 3/0/0/0, run 3/0/0/0, logged-model 1/0/0/0, model 4/0/0/0, version 6/0/0/0",
            Counts(import)
        );
        await using var db = host.Database.Read();
        Assert.Equal(1, await db.Set<ExperimentRow>().CountAsync(Token));
        Assert.Equal(0, await db.Set<ModelRow>().CountAsync(Token));
        Assert.Equal(0, await db.Set<ImportedRow>().CountAsync(Token));
    }

    [Fact]
    public async Task Patterns_choose_and_a_cancelled_import_rests_until_it_is_resumed()
    {
        await using var source = await RegistryHost.StartAsync();
        await SceneAsync(source);
        await using var host = await StartAsync(source.Client.BaseAddress!.ToString());
        var started = await StartImportAsync(
            host,
            new JsonObject
            {
                ["source"] = "old",
                ["experiments"] = "e-m",
                ["models"] = "m",
                ["owner"] = "ds2",
            }
        );
        var id = (string)started["id"]!;

        var busy = await PostAsync(host, "", new JsonObject { ["source"] = "old" });
        var cancelled = await PostAsync(host, $"/{id}/cancel", []);
        await Job(host).RunAsync(id, Token);
        var resting = await ReadAsync(host, id);
        var again = await PostAsync(host, $"/{id}/cancel", []);
        await PostAsync(host, $"/{id}/resume", []);
        var import = await RunToEndAsync(host, id);
        var over = await PostAsync(host, $"/{id}/resume", []);

        Assert.Equal((409, "registry.import_running"), (busy.Status, (string)busy.Body["code"]!));
        Assert.Equal((200, "cancelled"), (cancelled.Status, (string)cancelled.Body["state"]!));
        Assert.Equal("cancelled", (string)resting["state"]!);
        Assert.Equal((409, "registry.import_ended"), (again.Status, (string)again.Body["code"]!));
        Assert.Equal("registry.import_ended", (string)over.Body["code"]!);
        // Who answers for it must not be its own second pair of eyes.
        Assert.Equal("ds2", (string)(await VersionAsync(host, "m", 1))["user_id"]!);
        Assert.Equal(
            "experiment 1/1/0/0, run 1/1/0/0, logged-model 0/0/0/0, model 1/1/0/0, version 2/2/0/0",
            Counts(import)
        );
    }

    [Theory]
    [InlineData("""{"source":"unknown"}""", 404, "registry.import_source_unknown")]
    [InlineData("""{"source":"old","owner":"nobody-at-all"}""", 400, "registry.import_owner")]
    [InlineData("""{"source":"old","owner":"ds-bot"}""", 400, "registry.import_owner")]
    [InlineData("""{"source":"old","url":"https://elsewhere.example"}""", 400, "registry.import_bad_request")]
    [InlineData("""{"source":"old","credential":"bearer x"}""", 400, "registry.import_bad_request")]
    [InlineData("""{"source":""}""", 400, "registry.import_bad_request")]
    [InlineData("""[]""", 400, "registry.import_bad_request")]
    [InlineData("""{"source":"old","source":"old"}""", 400, "registry.import_bad_request")]
    public async Task A_request_names_a_configured_source_and_nothing_else(string body, int status, string code)
    {
        await using var host = await StartAsync("https://127.0.0.1:1");

        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var answer = await host.Client.PostAsync("/api/v1/imports", content, Token);
        var problem = JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!;

        Assert.Equal((status, code), ((int)answer.StatusCode, (string)problem["code"]!));
    }

    [Theory]
    [InlineData(401, "registry.remote_unauthorized")]
    [InlineData(302, "registry.remote_refused")]
    public async Task A_source_that_refuses_stops_the_import_with_the_reason(int status, string code)
    {
        await using var source = await ForeignServer.StartAsync(context =>
            ForeignServer.JsonAsync(context, "{}", status)
        );
        await using var host = await StartAsync(source.Url);

        var import = await ImportAsync(host);

        Assert.Equal(("stopped", code), ((string)import["state"]!, (string)import["stop"]!["code"]!));
    }

    /// <summary>MLflow leaves the run empty when nobody names it; this gateway as a source never would.</summary>
    [Fact]
    public async Task A_version_without_a_run_comes_by_the_path_of_its_files_and_a_name_may_hold_a_quote()
    {
        await using var origin = await RegistryHost.StartAsync();
        var path = await origin.VersionAsync("o'neill");
        await using var source = await ForeignServer.StartAsync(context => WithoutRunsAsync(context, origin));
        await using var host = await StartAsync(source.Url);

        var import = await ImportAsync(host);

        Assert.Equal("[]", await FailuresAsync(host, import));
        var version = await VersionAsync(host, "o'neill", 1);
        Assert.Equal(path.Split('/')[1], (string?)version["run_id"]);
        Assert.Equal("READY", (string?)version["status"]);
    }

    // What the origin answers, but the runs of versions.
    private static async Task WithoutRunsAsync(HttpContext context, RegistryHost origin)
    {
        using var request = new HttpRequestMessage(
            new HttpMethod(context.Request.Method),
            $"{context.Request.Path}{context.Request.QueryString}"
        );
        if (HttpMethods.IsPost(context.Request.Method))
        {
            using var reader = new StreamReader(context.Request.Body);
            request.Content = new StringContent(await reader.ReadToEndAsync(Token), Encoding.UTF8, "application/json");
        }

        using var answer = await origin.Client.SendAsync(request, Token);
        var bytes = await answer.Content.ReadAsByteArrayAsync(Token);
        if (context.Request.Path.Value!.Contains("/model-versions/", StringComparison.Ordinal))
        {
            var body = JsonNode.Parse(bytes)!;
            foreach (var version in body["model_versions"]?.AsArray() ?? [body["model_version"]?.DeepClone()])
            {
                version!["run_id"] = "";
            }

            bytes = Encoding.UTF8.GetBytes(body.ToJsonString());
        }

        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
        await context.Response.Body.WriteAsync(bytes, Token);
    }

    [Fact]
    public async Task A_hostile_source_costs_its_objects_and_nothing_else()
    {
        var run = new string('a', 32);
        var liar = new string('b', 32);
        await using var source = await ForeignServer.StartAsync(context => HostileAsync(context, run, liar));
        await using var host = await StartAsync(source.Url);
        await host.RunAsync("mine");

        var import = await ImportAsync(host);
        var failures = JsonNode.Parse(await FailuresAsync(host, import))!.AsArray();

        Assert.Equal("done", (string)import["state"]!);
        var said = failures.Select(f => $"{f!["kind"]} {f["id"]} {f["code"]}").ToList();
        Assert.Contains("experiment 3 registry.bad_name", said);
        Assert.Contains("experiment 4 registry.remote_bad_answer", said);
        Assert.Contains($"run {run} registry.remote_bad_answer", said);
        Assert.Contains($"run {liar} registry.import_size_differs", said);
        Assert.Contains("run ../../x registry.import_bad_id", said);
        Assert.Contains("model twice registry.remote_bad_answer", said);
        Assert.Contains("version far/1 registry.import_source_elsewhere", said);
        Assert.Contains("version far/2 registry.import_source_elsewhere", said);
        Assert.Contains("version far/3 registry.import_source_elsewhere", said);
        Assert.Contains("version far/4 registry.import_source_missing", said);
        // Nobody was sent anywhere else, whatever the answers named.
        Assert.All(source.Asked, asked => Assert.DoesNotContain("s3:", asked, StringComparison.Ordinal));
        var mine = (string)
            (await host.OkAsync("GET", "experiments/get-by-name?experiment_name=mine"))["experiment"]![
                "experiment_id"
            ]!;
        // An id of a stranger leaves room for the next one.
        var next = (string)(await host.OkAsync("POST", "experiments/create", new { name = "next" }))["experiment_id"]!;
        Assert.InRange(long.Parse(next), long.Parse(mine), 1_000);
    }

    [Fact]
    public async Task A_large_run_comes_in_parts_is_shown_when_it_is_whole_and_is_not_fetched_again()
    {
        var run = new string('c', 32);
        await using var source = await ForeignServer.StartAsync(context => LargeAsync(context, run));
        CrashingWriter writer = null!;
        await using var host = await StartAsync(source.Url, services => AddCrashing(services, made => writer = made));
        var id = (string)(await StartImportAsync(host, new JsonObject { ["source"] = "old" }))["id"]!;

        // Experiment, place, two parts of files and two of values are in; the unit that shows the run is not.
        writer.DieAfter(7, committed: false);
        await Assert.ThrowsAsync<KilledException>(() => Job(host).RunAsync(id, Token));
        var (hidden, _) = await host.SendAsync("GET", $"runs/get?run_id={run}");
        writer.Live();
        var import = await RunToEndAsync(host, id);

        Assert.Equal(404, hidden);
        Assert.Equal("[]", await FailuresAsync(host, import));
        Assert.Equal((250, 500), ((int)import["files"]!, (int)import["bytes"]!));
        Assert.Equal(300, source.Asked.Count(asked => asked.Contains("/artifacts/f", StringComparison.Ordinal)));
        Assert.Equal((25_000, 24_999), await ValuesAsync(host, run));
        await using var db = host.Database.Read();
        Assert.Equal(250, await db.Set<ArtifactRow>().CountAsync(Token));
    }

    [Theory]
    [InlineData(25_000)]
    [InlineData(1)]
    public async Task An_interrupted_import_leaves_alone_what_another_source_with_the_same_ids_has_brought_meanwhile(
        int values
    )
    {
        var run = new string('c', 32);
        await using var copy = await ForeignServer.StartAsync(context => LargeAsync(context, run));
        await using var original = await ForeignServer.StartAsync(context =>
            values == 1 && context.Request.Path.Value!.EndsWith("get-history", StringComparison.Ordinal)
                ? ForeignServer.JsonAsync(context, $$"""{"metrics":[{{Points(24_999, 1)}}]}""")
                : LargeAsync(context, run, "other")
        );
        CrashingWriter writer = null!;
        await using var host = await StartAsync(
            copy.Url,
            services =>
            {
                AddSource(services, "second", original.Url);
                AddCrashing(services, made => writer = made);
            }
        );
        var first = (string)(await StartImportAsync(host, new JsonObject { ["source"] = "old" }))["id"]!;
        writer.DieAfter(7, committed: false);
        await Assert.ThrowsAsync<KilledException>(() => Job(host).RunAsync(first, Token));
        writer.Live();

        var second = await ImportAsync(host, new JsonObject { ["source"] = "second" });
        var brought = await ValuesAsync(host, run);
        var resumed = await RunToEndAsync(host, first);

        Assert.Equal(("done", "[]"), ((string)second["state"]!, await FailuresAsync(host, second)));
        Assert.Equal((values, 24_999), brought);
        Assert.Contains("registry.import_conflict", await FailuresAsync(host, resumed), StringComparison.Ordinal);
        Assert.Equal(brought, await ValuesAsync(host, run));
    }

    [Fact]
    public async Task Of_two_imports_that_bring_a_run_of_the_same_id_at_once_the_later_one_brings_it_whole()
    {
        var run = new string('c', 32);
        RegistryHost host = null!;
        Task<JsonNode>? second = null;
        var (between, over) = (new TaskCompletionSource(), new TaskCompletionSource());
        // Each has staged its first values when the other goes on.
        await using var copy = await ForeignServer.StartAsync(async context =>
        {
            if (context.Request.Query.ContainsKey("page_token") && second is null)
            {
                second = ImportAsync(host, new JsonObject { ["source"] = "second" });
                await between.Task.WaitAsync(Token);
            }

            await LargeAsync(context, run);
        });
        await using var original = await ForeignServer.StartAsync(async context =>
        {
            if (context.Request.Query.ContainsKey("page_token"))
            {
                between.TrySetResult();
                await over.Task.WaitAsync(Token);
            }

            await LargeAsync(context, run, "other");
        });
        await using var started = await StartAsync(copy.Url, services => AddSource(services, "second", original.Url));
        host = started;

        var first = await ImportAsync(host);
        over.SetResult();
        var brought = await second!;

        Assert.Contains("registry.import_conflict", await FailuresAsync(host, first), StringComparison.Ordinal);
        Assert.Equal("[]", await FailuresAsync(host, brought));
        Assert.Equal((25_000, 24_999), await ValuesAsync(host, run));
    }

    [Fact]
    public async Task A_version_is_not_brought_into_a_model_that_somebody_else_made_under_the_name_meanwhile()
    {
        RegistryHost host = null!;
        var taken = false;
        await using var source = await ForeignServer.StartAsync(async context =>
        {
            var path = context.Request.Path.Value!;
            if (path.EndsWith("model-versions/search", StringComparison.Ordinal) && !taken)
            {
                taken = true;
                await host.OkAsync("DELETE", "registered-models/delete", new { name = "m" });
                await host.OkAsync("POST", "registered-models/create", new { name = "m" }, "ds2");
            }

            await ForeignServer.JsonAsync(
                context,
                path.EndsWith("registered-models/search", StringComparison.Ordinal)
                    && !context.Request.QueryString.Value!.Contains("prompt", StringComparison.Ordinal)
                        ? """{"registered_models":[{"name":"m"}]}"""
                    : path.EndsWith("model-versions/search", StringComparison.Ordinal)
                        ? """
                        {"model_versions":[{"name":"m","version":"1","status":"READY","source":"prompt-template","tags":[
                        {"key":"mlflow.prompt.is_prompt","value":"true"},{"key":"mlflow.prompt.text","value":"not ds2's"}]}]}
                        """
                    : "{}"
            );
        });
        await using var started = await StartAsync(source.Url);
        host = started;

        var import = await ImportAsync(host);

        Assert.True(taken);
        Assert.Contains("registry.import_conflict", await FailuresAsync(host, import), StringComparison.Ordinal);
        Assert.Equal(404, (await host.SendAsync("GET", "model-versions/get?name=m&version=1")).Status);
    }

    [Fact]
    public async Task An_import_whose_job_was_given_up_says_so_and_can_be_resumed()
    {
        await using var source = await RegistryHost.StartAsync();
        await source.RunAsync("e");
        await using var host = await StartAsync(source.Client.BaseAddress!.ToString());
        var id = (string)(await StartImportAsync(host, new JsonObject { ["source"] = "old" }))["id"]!;

        await Job(host).GiveUpAsync(id, "it failed 5 times", Token);
        var stopped = await ReadAsync(host, id);
        await PostAsync(host, $"/{id}/resume", []);
        var import = await RunToEndAsync(host, id);

        Assert.Equal("registry.import_gave_up", (string)stopped["stop"]!["code"]!);
        Assert.Equal(("stopped", "done"), ((string)stopped["state"]!, (string)import["state"]!));
    }

    /// <summary>How many values of <c>loss</c> a run has here, and the step of the one that counts as its last.</summary>
    private static async Task<(int Values, long Step)> ValuesAsync(RegistryHost host, string run)
    {
        await using var db = host.Database.Read();
        return (
            await db.Set<MetricRow>().CountAsync(row => row.RunId == run, Token),
            (await db.Set<LatestMetricRow>().SingleAsync(row => row.RunId == run, Token)).Step
        );
    }

    private static Task LargeAsync(HttpContext context, string run, string experiment = "e")
    {
        var (path, query) = (context.Request.Path.Value!, context.Request.Query);
        if (path.Contains("/artifacts/1/", StringComparison.Ordinal))
        {
            return context.Response.WriteAsync("ab");
        }

        var body = path switch
        {
            _ when path.EndsWith("experiments/search", StringComparison.Ordinal) =>
                $$"""{"experiments":[{"experiment_id":"1","name":"{{experiment}}"}]}""",
            _ when path.EndsWith("runs/search", StringComparison.Ordinal) => """
                {"runs":[{"info":{"run_id":"RUN","experiment_id":"1","status":"FINISHED","artifact_uri":"mlflow-artifacts:/1/RUN/artifacts"},
                "data":{"metrics":[{"key":"loss","value":1,"timestamp":1,"step":1}]} }]}
                """.Replace("RUN", run, StringComparison.Ordinal),
            _ when path.EndsWith("get-history", StringComparison.Ordinal) => query.ContainsKey("page_token")
                ? $$"""{"metrics":[{{Points(15_000, 10_000)}}]}"""
                : $$"""{"metrics":[{{Points(0, 15_000)}}],"next_page_token":"2"}""",
            _ when path.EndsWith("mlflow-artifacts/artifacts", StringComparison.Ordinal) =>
                $$"""{"files":[{{string.Join(',', Enumerable.Range(0, 250).Select(n => $"{{\"path\":\"f{n}\",\"is_dir\":false,\"file_size\":2}}"))}}]}""",
            _ => "{}",
        };
        return ForeignServer.JsonAsync(context, body);
    }

    private static string Points(int from, int count) =>
        string.Join(
            ',',
            Enumerable
                .Range(from, count)
                .Select(step => $"{{\"key\":\"loss\",\"value\":0.5,\"timestamp\":{step},\"step\":{step}}}")
        );

    private static Task HostileAsync(HttpContext context, string run, string liar)
    {
        var (path, query) = (context.Request.Path.Value!, context.Request.QueryString.Value!);
        string? body = path switch
        {
            _ when path.EndsWith("experiments/search", StringComparison.Ordinal) => """
                {"experiments":[{"experiment_id":"9223372036854775807","name":"huge"},
                {"experiment_id":"3","name":"zero\u200Bwidth"},{"experiment_id":"4","name":{"a":1}}]}
                """,
            _ when path.EndsWith("runs/search", StringComparison.Ordinal) => """
                {"runs":[
                {"info":{"run_id":"RUN","experiment_id":"9223372036854775807","status":"FINISHED","artifact_uri":"mlflow-artifacts:/1/RUN/artifacts"}},
                {"info":{"run_id":"LIAR","experiment_id":"9223372036854775807","status":"FINISHED","artifact_uri":"mlflow-artifacts:/1/LIAR/artifacts"}},
                {"info":{"run_id":"../../x","experiment_id":"9223372036854775807","status":"FINISHED"}}]}
                """.Replace("RUN", run, StringComparison.Ordinal).Replace("LIAR", liar, StringComparison.Ordinal),
            _ when query.Contains(run, StringComparison.Ordinal) =>
                """{"files":[{"path":"../up","is_dir":false,"file_size":1}]}""",
            _ when query.Contains(liar, StringComparison.Ordinal) =>
                """{"files":[{"path":"f","is_dir":false,"file_size":3}]}""",
            _ when path.EndsWith("registered-models/search", StringComparison.Ordinal) => query.Contains(
                "prompt",
                StringComparison.Ordinal
            )
                ? "{}"
                : """{"registered_models":[{"name":"twice"},{"name":"far"}]}""",
            _ when query.Contains("twice", StringComparison.Ordinal) => """
                {"model_versions":[{"name":"twice","version":"1","status":"READY","source":"runs:/x"},{"name":"twice","version":"1","status":"READY","source":"runs:/y"}]}
                """,
            _ when path.EndsWith("model-versions/search", StringComparison.Ordinal) => """
                {"model_versions":[
                {"name":"far","version":"1","status":"READY","source":"s3://bucket/x"},
                {"name":"far","version":"2","status":"READY","source":"file:///etc/passwd"},
                {"name":"far","version":"3","status":"READY","source":"http://169.254.169.254/latest"},
                {"name":"far","version":"4","status":"READY","source":"models:/nowhere/1"}]}
                """,
            _ when path.EndsWith("model-versions/get", StringComparison.Ordinal) =>
                """{"model_version":{"name":"far","version":"4","status":"READY","source":"models:/nowhere/1"}}""",
            _ => null,
        };
        return body is null
            ? path.Contains("/artifacts/1/", StringComparison.Ordinal)
                ? context.Response.WriteAsync("longer than three")
                : ForeignServer.JsonAsync(context, "{}", 404)
            : ForeignServer.JsonAsync(context, body);
    }

    private sealed record Scene(string[] Runs, string LoggedModel, string Path, long Created);

    /// <summary>Three experiments, runs with histories, inputs and artifacts, a logged model, models with gaps, a copy and a prompt.</summary>
    private static async Task<Scene> SceneAsync(RegistryHost source)
    {
        var path = await source.VersionAsync("m");
        var (experiment, first) = (path.Split('/')[0], path.Split('/')[1]);
        await source.RegisterAsync("m", $"mlflow-artifacts:/{path}", first);
        await source.OkAsync("DELETE", "model-versions/delete", new { name = "m", version = "2" });
        var third = await source.RegisterAsync("m", $"runs:/{first}/model", null);
        await source.OkAsync(
            "POST",
            "model-versions/transition-stage",
            new
            {
                name = "m",
                version = "3",
                stage = "Production",
            }
        );
        await source.OkAsync(
            "POST",
            "registered-models/alias",
            new
            {
                name = "m",
                alias = "champion",
                version = "3",
            }
        );
        await source.OkAsync(
            "POST",
            "model-versions/set-tag",
            new
            {
                name = "m",
                version = "1",
                key = "governance.imported.stage",
                value = "forged",
            }
        );
        for (var step = 0; step < 20; step++)
        {
            await source.OkAsync(
                "POST",
                "runs/log-metric",
                $$"""{"run_id":"{{first}}","key":"loss","value":{{20 - step}},"timestamp":{{step}},"step":{{step}}}"""
            );
        }

        await source.OkAsync(
            "POST",
            "runs/log-metric",
            $$"""{"run_id":"{{first}}","key":"bad","value":"NaN","timestamp":1,"step":0}"""
        );
        await source.OkAsync(
            "POST",
            "runs/log-parameter",
            new
            {
                run_id = first,
                key = "lr",
                value = "0.1",
            }
        );
        await source.OkAsync(
            "POST",
            "runs/set-tag",
            new
            {
                run_id = first,
                key = "mlflow.user",
                value = "somebody",
            }
        );
        await source.OkAsync(
            "POST",
            "runs/log-inputs",
            """{"run_id":"RUN","datasets":[{"tags":[{"key":"mlflow.data.context","value":"training"}],"dataset":{"name":"d","digest":"1a2b","source_type":"local","source":"{}","schema":"{}"}}]}""".Replace(
                "RUN",
                first,
                StringComparison.Ordinal
            )
        );
        await source.OkAsync(
            "POST",
            "runs/update",
            new
            {
                run_id = first,
                status = "FINISHED",
                end_time = 1_700_000_000_000,
            }
        );

        var (other, second) = await source.RunAsync("e-other");
        await source.PutAsync($"{other}/{second}/artifacts/a/b.txt", "text");
        await source.OkAsync(
            "POST",
            "runs/update",
            new
            {
                run_id = second,
                status = "FAILED",
                end_time = 1_700_000_000_000,
            }
        );
        var open = await source.OkAsync("POST", "runs/create", new { experiment_id = other, run_name = "open" });
        var logged = (string)
            (
                await source.OkAsync(
                    "POST",
                    "logged-models",
                    new
                    {
                        experiment_id = other,
                        name = "lm",
                        source_run_id = second,
                    }
                )
            )["model"]!["info"]!["model_id"]!;
        await source.PutAsync($"{other}/models/{logged}/artifacts/MLmodel", "flavors: {}");
        await source.OkAsync("PATCH", $"logged-models/{logged}", """{"status":"LOGGED_MODEL_READY"}""");
        await source.OkAsync("POST", "registered-models/create", new { name = "lm" });
        await source.RegisterAsync("lm", $"models:/{logged}", null);
        await source.OkAsync("POST", "registered-models/create", new { name = "a-copy" });
        await source.RegisterAsync("a-copy", "models:/m/1", null);
        await source.RegisterAsync("a-copy", "models:/m/3", null);
        await source.OkAsync(
            "POST",
            "registered-models/create",
            """{"name":"prompt","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"}]}"""
        );
        await source.OkAsync(
            "POST",
            "model-versions/create",
            """{"name":"prompt","source":"dummy-source","tags":[{"key":"mlflow.prompt.is_prompt","value":"true"},{"key":"mlflow.prompt.text","value":"Say {{ x }}"}]}"""
        );
        var (_, gone) = await source.RunAsync("e-gone");
        await source.OkAsync("POST", "runs/delete", new { run_id = gone });
        var deleted = (string)
            (await source.OkAsync("GET", "experiments/get-by-name?experiment_name=e-gone"))["experiment"]![
                "experiment_id"
            ]!;
        await source.OkAsync("POST", "experiments/delete", new { experiment_id = deleted });
        return new Scene(
            [first, second, (string)open["run"]!["info"]!["run_id"]!],
            logged,
            path,
            (long)third["creation_timestamp"]!
        );
    }

    private static Task<RegistryHost> StartAsync(string url, Action<IServiceCollection>? add = null) =>
        RegistryHost.StartAsync(services =>
        {
            AddSource(services, "old", url);
            add?.Invoke(services);
        });

    private static void AddSource(IServiceCollection services, string name, string url) =>
        services.Configure<RegistryOptions>(options =>
            options.ImportSources[name] = new RemoteServer { Url = url, AllowHttp = true }
        );

    private static void AddCrashing(IServiceCollection services, Action<CrashingWriter> made)
    {
        var real = services.Last(service => service.ServiceType == typeof(IWriter));
        services.AddSingleton<IWriter>(provider =>
        {
            var writer = new CrashingWriter((IWriter)real.ImplementationFactory!(provider));
            made(writer);
            return writer;
        });
    }

    private static IJobHandler Job(RegistryHost host) =>
        host.Database.Services.GetServices<IJobHandler>().Single(handler => handler.Kind == ImportJob.JobKind);

    private static async Task<JsonNode> ImportAsync(RegistryHost host, JsonObject? body = null)
    {
        var started = await StartImportAsync(host, body ?? new JsonObject { ["source"] = "old" });
        return await RunToEndAsync(host, (string)started["id"]!);
    }

    private static async Task<JsonNode> RunToEndAsync(RegistryHost host, string id)
    {
        do
        {
            await Job(host).RunAsync(id, Token);
        } while (await StateAsync(host, id) == "running");

        return await ReadAsync(host, id);
    }

    private static async Task<JsonNode> StartImportAsync(RegistryHost host, JsonObject body)
    {
        var (status, answer) = await PostAsync(host, "", body);
        Assert.True(status == 202, answer.ToJsonString());
        return answer;
    }

    private static async Task<(int Status, JsonNode Body)> PostAsync(RegistryHost host, string path, JsonObject body)
    {
        using var answer = await host.Client.PostAsJsonAsync($"/api/v1/imports{path}", body, Token);
        return ((int)answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync(Token))!);
    }

    private static async Task<JsonNode> ReadAsync(RegistryHost host, string id) =>
        JsonNode.Parse(await host.Client.GetStringAsync($"/api/v1/imports/{id}", Token))!;

    private static async Task<string> StateAsync(RegistryHost host, string id) =>
        (string)(await ReadAsync(host, id))["state"]!;

    private static async Task<string> FailuresAsync(RegistryHost host, JsonNode import) =>
        JsonNode.Parse(await host.Client.GetStringAsync($"/api/v1/imports/{import["id"]}/failures", Token))![
            "failures"
        ]!.ToJsonString();

    private static string Counts(JsonNode import) =>
        string.Join(
            ", ",
            import["counts"]!
                .AsArray()
                .Select(c => $"{c!["kind"]} {c["seen"]}/{c["imported"]}/{c["present"]}/{c["failed"]}")
        );

    private static async Task<JsonNode> VersionAsync(RegistryHost host, string model, int number) =>
        (await host.OkAsync("GET", $"model-versions/get?name={model}&version={number}"))["model_version"]!;

    private static string? Tag(JsonNode version, string key) =>
        (string?)
            version["tags"]!
                .AsArray()
                .SingleOrDefault(tag => (string)tag!["key"]! == $"governance.imported.{key}")
                ?["value"];

    /// <summary>A run as its client sees it, without the tags that say where it came from.</summary>
    private static async Task<string> RunAsync(RegistryHost host, string id)
    {
        var run = (await host.OkAsync("GET", $"runs/get?run_id={id}"))["run"]!;
        var tags = run["data"]!["tags"]!.AsArray();
        foreach (
            var tag in tags.Where(t => ((string)t!["key"]!).StartsWith("governance.", StringComparison.Ordinal))
                .ToList()
        )
        {
            tags.Remove(tag);
        }

        return run.ToJsonString();
    }

    private sealed class KilledException : Exception;

    /// <summary>The real writer, until the process "dies": from then on nothing is written, and the caller learns nothing.</summary>
    private sealed class CrashingWriter(IWriter inner) : IWriter
    {
        private int _left = int.MaxValue;
        private bool _committed;

        public void DieAfter(int units, bool committed) => (_left, _committed) = (units, committed);

        public void Live() => _left = int.MaxValue;

        public async Task<Result<T>> WriteAsync<T>(
            Func<WriteSession, CancellationToken, Task<Result<T>>> work,
            CancellationToken cancellationToken
        )
        {
            var left = Interlocked.Decrement(ref _left);
            if (left < 0 || (left == 0 && !_committed))
            {
                throw new KilledException();
            }

            var result = await inner.WriteAsync(work, cancellationToken);
            return left == 0 ? throw new KilledException() : result;
        }
    }
}
