using System.Net;
using System.Net.Sockets;
using System.Text;
using Governance.Kernel;
using Governance.Platform.Logging;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Registry;

public sealed class UpstreamMirrorTests
{
    [Theory]
    [InlineData("client-2.22.1.jsonl")]
    [InlineData("client-3.5.2.jsonl")]
    public async Task Recorded_client_traffic_is_answered_as_ever_and_made_upstream_under_the_same_ids(string recording)
    {
        await using var pair = await UpstreamPair.StartAsync();

        var differences = await MlflowReplay.RunAsync(
            pair.Gateway.Client,
            MlflowReplay.Recording(recording),
            TestContext.Current.CancellationToken
        );

        Assert.True(differences.Count == 0, string.Join('\n', differences.Take(40)));
        Assert.Equal(0, await pair.PendingAsync());
        Assert.DoesNotContain(pair.Gateway.Database.Log.Entries, entry => entry.Kind == "upstream.failed");
        Assert.Empty(await pair.SweepAsync());
        var experiments = await pair.Gateway.OkAsync(
            "POST",
            "experiments/search",
            new { max_results = 1000, view_type = "ALL" }
        );
        var ids = experiments["experiments"]!.AsArray().Select(one => (string)one!["experiment_id"]!).ToArray();
        Assert.True(ids.Length > 1);
        await pair.SameAsync("POST", "experiments/search", new { max_results = 1000, view_type = "ALL" });
        await pair.SameAsync(
            "POST",
            "runs/search",
            new
            {
                experiment_ids = ids,
                run_view_type = "ALL",
                order_by = new[] { "attributes.run_id ASC" },
                max_results = 1000,
            }
        );
        await pair.SameAsync("GET", "registered-models/search?max_results=1000");
        await pair.SameAsync("GET", "model-versions/search?max_results=1000&order_by=name&order_by=version_number");
        await using var here = pair.Gateway.Database.Read();
        await using var there = pair.Upstream.Database.Read();
        Assert.Equal(await FilesAsync(there), await FilesAsync(here));
        Assert.Equal(await here.Set<MetricRow>().CountAsync(), await there.Set<MetricRow>().CountAsync());
        Assert.Equal(await here.Set<InputRow>().CountAsync(), await there.Set<InputRow>().CountAsync());
    }

    private static async Task<List<string>> FilesAsync(Governance.Platform.Database.GovernanceDb db) =>
        await db.Set<ArtifactRow>()
            .Where(row => !row.Container.Contains("/traces/"))
            .OrderBy(row => row.Container)
            .ThenBy(row => row.Path)
            .Select(row => row.Container + row.Path + row.Digest)
            .ToListAsync();

    [Fact]
    public async Task Nothing_of_a_clients_request_arrives_upstream_but_what_it_means()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("plain");
        pair.Arrived.Clear();
        using var message = new HttpRequestMessage(HttpMethod.Post, "/api/2.0/mlflow/registered-models/set-tag")
        {
            Content = new StringContent(
                """{"name":"plain","key":"k","value":"v","canary":"canary","nested":{"canary":[1]}}""",
                Encoding.UTF8,
                "application/json"
            ),
        };
        message.Headers.Add("Authorization", "Bearer canary-token");
        message.Headers.Add("Cookie", "session=canary");
        message.Headers.Add("X-Canary", "canary");
        message.Headers.Add("Connection", "X-Canary");
        message.Headers.Add("TE", "trailers");
        message.Headers.Add("X-Forwarded-For", "canary");
        message.Headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        message.Headers.Host = "canary.example";

        using var answer = await pair.Gateway.Client.SendAsync(message, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains(
            pair.Arrived,
            request => request.Target.EndsWith("registered-models/set-tag", StringComparison.Ordinal)
        );
        Assert.All(
            pair.Arrived,
            request =>
            {
                var text = request.Target + request.Body + string.Join('\n', request.Headers);
                Assert.DoesNotContain("canary", text, StringComparison.OrdinalIgnoreCase);
                Assert.Equal(pair.Upstream.Client.BaseAddress!.Authority, request.Headers["Host"]);
                Assert.Equal(
                    "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("gateway:upstream-secret")),
                    request.Headers["Authorization"]
                );
                Assert.Empty(
                    request.Headers.Keys.Except([
                        "Host",
                        "Authorization",
                        "User-Agent",
                        "Content-Type",
                        "Content-Length",
                    ])
                );
            }
        );
    }

    // Each of these would be two requests to a server that reads one header and a proxy that reads the other.
    [Fact]
    public async Task What_a_client_smuggles_reaches_upstream_as_no_request_of_its_own()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("plain");
        pair.Arrived.Clear();
        const string inner = "DELETE /api/2.0/mlflow/registered-models/delete HTTP/1.1\r\nHost: x\r\n\r\n";
        const string json = """{"name":"plain","key":"k","value":"v"}""";
        var heads = new List<string>();
        foreach (
            var coding in new[]
            {
                "chunked",
                "Chunked",
                " chunked",
                "identity, chunked",
                "chunked, identity",
                "x",
                "\"chunked\"",
            }
        )
        {
            foreach (var length in new[] { json.Length, 0, json.Length + inner.Length })
            {
                heads.Add($"Content-Length: {length}\r\nTransfer-Encoding: {coding}\r\n");
                heads.Add($"Transfer-Encoding: {coding}\r\nContent-Length: {length}\r\n");
                heads.Add($"Transfer-Encoding:{coding}\r\nTransfer-Encoding: identity\r\nContent-Length: {length}\r\n");
                heads.Add($"Content-Length: {length}\r\nContent-Length: {length + 1}\r\n");
                heads.Add($"Content-Length : {length}\r\n");
            }
        }

        foreach (var head in heads)
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(
                IPAddress.Loopback,
                pair.Gateway.Client.BaseAddress!.Port,
                TestContext.Current.CancellationToken
            );
            var bytes = Encoding.ASCII.GetBytes(
                "POST /api/2.0/mlflow/registered-models/set-tag HTTP/1.1\r\nHost: localhost\r\n"
                    + "Content-Type: application/json\r\nConnection: close\r\n"
                    + $"{head}\r\n{json}\r\n0\r\n\r\n{inner}"
            );
            var stream = socket.GetStream();
            using var all = new MemoryStream();
            try
            {
                await stream.WriteAsync(bytes, TestContext.Current.CancellationToken);
                socket.Client.Shutdown(SocketShutdown.Send);
                await stream.CopyToAsync(all, TestContext.Current.CancellationToken);
            }
            catch (Exception broken) when (broken is IOException or SocketException)
            {
                // A server may break off at such a head.
            }
        }

        Assert.True(heads.Count >= 100);
        Assert.DoesNotContain(pair.Arrived, request => request.Method == "DELETE");
        Assert.All(
            pair.Arrived.Where(request => request.Method == "POST"),
            request => Assert.Equal(json, request.Body)
        );
        await pair.Upstream.OkAsync("GET", "registered-models/get?name=plain");
    }

    [Fact]
    public async Task A_change_that_upstream_does_not_take_in_time_stands_and_is_made_when_it_is_asked_for_again()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("m");
        pair.Decide = _ => Fate.Busy;
        var tag = new
        {
            name = "m",
            key = "k",
            value = "v",
        };

        var (status, body) = await pair.Gateway.SendAsync("POST", "registered-models/set-tag", tag);

        Assert.Equal((503, "upstream.pending"), (status, (string)body["code"]!));
        Assert.Equal("TEMPORARILY_UNAVAILABLE", (string)body["error_code"]!);
        Assert.Equal((503, "upstream.pending"), await CodeAsync(pair, tag));
        pair.Decide = _ => Fate.Served;
        Assert.Equal(200, (await pair.Gateway.SendAsync("POST", "registered-models/set-tag", tag)).Status);
        await pair.SameAsync("GET", "registered-models/get?name=m");
        Assert.Equal(0, await pair.PendingAsync());
    }

    private static async Task<(int, string)> CodeAsync(UpstreamPair pair, object tag)
    {
        var (status, body) = await pair.Gateway.SendAsync("POST", "registered-models/set-tag", tag);
        return (status, (string)body["code"]!);
    }

    [Fact]
    public async Task What_waits_is_made_without_anybody_asking()
    {
        await using var pair = await UpstreamPair.StartAsync(
            settings => settings.Upstream.AnswerSeconds = 1,
            startSweeps: true
        );
        await pair.Gateway.VersionAsync("m");
        pair.Decide = _ => Fate.Busy;
        var (status, _) = await pair.Gateway.SendAsync(
            "POST",
            "registered-models/set-tag",
            new
            {
                name = "m",
                key = "k",
                value = "v",
            }
        );
        Assert.Equal(503, status);
        pair.Decide = _ => Fate.Served;

        for (var i = 0; i < 100 && await pair.PendingAsync() > 0; i++)
        {
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        await pair.SameAsync("GET", "registered-models/get?name=m");
    }

    [Fact]
    public async Task A_redirect_of_upstream_is_not_followed()
    {
        await using var canary = await RegistryHost.StartAsync();
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("m");
        pair.RedirectTo = new Uri(canary.Client.BaseAddress!, "api/2.0/mlflow/experiments/create").ToString();
        pair.Decide = _ => Fate.Redirected;

        var (status, _) = await pair.Gateway.SendAsync("POST", "experiments/create", new { name = "somewhere" });

        Assert.Equal(503, status);
        Assert.Empty(canary.Database.Log.Entries);
    }

    [Fact]
    public async Task What_upstream_refuses_for_good_is_a_finding_and_holds_nothing_up()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("m");
        pair.Decide = request =>
            request.Body.Contains("\"bad\"", StringComparison.Ordinal) ? Fate.Refused : Fate.Served;

        await pair.Gateway.SendAsync(
            "POST",
            "registered-models/set-tag",
            new
            {
                name = "m",
                key = "bad",
                value = "v",
            }
        );

        Assert.Contains("m/0 model_tag bad", await pair.OpenAsync());
        Assert.Equal(
            200,
            (
                await pair.Gateway.SendAsync(
                    "POST",
                    "registered-models/set-tag",
                    new
                    {
                        name = "m",
                        key = "good",
                        value = "v",
                    }
                )
            ).Status
        );
        Assert.Equal(0, await pair.PendingAsync());
    }

    public static TheoryData<string, Fate> Crashes
    {
        get
        {
            var data = new TheoryData<string, Fate>();
            foreach (var kind in new[] { "experiment", "run", "logged_model", "model", "version" })
            {
                data.Add(kind, Fate.Lost);
                data.Add(kind, Fate.AnswerLost);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Crashes))]
    public async Task A_creation_that_broke_off_is_there_once_when_it_is_asked_for_again(string kind, Fate fate)
    {
        await using var pair = await UpstreamPair.StartAsync();
        var (path, body) = await ScenarioAsync(pair, kind);
        pair.Decide = Once(path, fate);

        var (status, _) = await pair.Gateway.SendAsync("POST", path, body);
        Assert.Equal(503, status);
        await pair.Gateway.OkAsync("POST", path, body);

        Assert.Equal(0, await pair.PendingAsync());
        await SameCountsAsync(pair);
        Assert.Empty(await pair.SweepAsync());
    }

    [Theory]
    [MemberData(nameof(Crashes))]
    public async Task A_creation_that_broke_off_is_ended_at_the_next_start(string kind, Fate fate)
    {
        await using var pair = await UpstreamPair.StartAsync();
        var (path, body) = await ScenarioAsync(pair, kind);
        pair.Decide = Once(path, fate);
        Assert.Equal(503, (await pair.Gateway.SendAsync("POST", path, body)).Status);

        await pair.RestartAsync();

        Assert.Equal(0, await pair.PendingAsync());
        var outcome = fate == Fate.Lost ? "upstream.not_made" : "upstream.undone";
        Assert.Single(pair.Gateway.Database.Log.Entries, entry => entry.Kind == outcome);
        Assert.DoesNotContain(await pair.SweepAsync(), open => open.Contains("made", StringComparison.Ordinal));
        await pair.Gateway.OkAsync("POST", path, body);
        Assert.Empty(await pair.SweepAsync());
    }

    [Fact]
    public async Task What_a_proxy_says_in_the_servers_place_ends_no_change()
    {
        await using var pair = await UpstreamPair.StartAsync();
        await pair.Gateway.VersionAsync("m");
        var tag = new
        {
            name = "m",
            key = "k",
            value = "v",
        };
        pair.Decide = _ => Fate.Nowhere;
        Assert.Equal(503, (await pair.Gateway.SendAsync("POST", "registered-models/set-tag", tag)).Status);
        Assert.Equal(1, await pair.PendingAsync());

        pair.Decide = _ => Fate.Served;
        await pair.RestartAsync();

        Assert.Equal(0, await pair.PendingAsync());
        await pair.SameAsync("GET", "registered-models/get?name=m");
        Assert.DoesNotContain(pair.Gateway.Database.Log.Entries, entry => entry.Kind == "upstream.failed");
    }

    [Fact]
    public async Task What_the_server_does_not_serve_while_it_is_there_is_refused()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var (experiment, _) = await pair.Gateway.RunAsync("e");
        pair.Decide = arrived =>
            arrived.Target.Contains("logged-models", StringComparison.Ordinal) ? Fate.Nowhere : Fate.Served;

        var asked = await pair.Gateway.SendAsync("POST", "logged-models", new { experiment_id = experiment });

        Assert.Equal(409, asked.Status);
        Assert.Equal(0, await pair.PendingAsync());
    }

    [Fact]
    public async Task A_lane_with_many_waiting_changes_delays_no_other()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var (_, refused) = await pair.Gateway.RunAsync("a");
        var (_, other) = await pair.Gateway.RunAsync("b");
        pair.Decide = arrived => arrived.Body.Contains(refused, StringComparison.Ordinal) ? Fate.Busy : Fate.Served;
        await pair.Gateway.Database.Writer.WriteAsync<Unit>(
            (session, _) =>
            {
                for (var i = 0; i < 800; i++)
                {
                    Add(session.Db, refused, $"k{i}", due: i);
                }

                Add(session.Db, other, "k", due: 1000);
                return Task.FromResult<Result<Unit>>(default(Unit));
            },
            TestContext.Current.CancellationToken
        );
        using var pump = ActivatorUtilities.CreateInstance<MirrorPump>(
            pair.Gateway.Database.Services,
            pair.Gateway.Database.Get<RegistryPorts>().Mirror
        );
        await pump.StartAsync(TestContext.Current.CancellationToken);

        await using var db = pair.Gateway.Database.Read();
        var lane = Lanes.OfRun(other);
        for (var i = 0; i < 100 && await db.Set<UpstreamWorkRow>().AnyAsync(row => row.Lane == lane); i++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        await pump.StopAsync(TestContext.Current.CancellationToken);
        Assert.False(await db.Set<UpstreamWorkRow>().AnyAsync(row => row.Lane == lane));
        Assert.True(await db.Set<UpstreamWorkRow>().AnyAsync(row => row.Lane != lane));

        static void Add(Governance.Platform.Database.GovernanceDb db, string run, string key, long due)
        {
            db.Add(
                new UpstreamWorkRow
                {
                    Lane = Lanes.OfRun(run),
                    Touched = new Touched { Tags = { key } }.ToJson(),
                    DueMs = due,
                }
            );
        }
    }

    [Fact]
    public async Task A_version_that_is_taken_away_again_leaves_no_trace_on_the_logged_model_it_came_from()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var (experiment, run) = await pair.Gateway.RunAsync("e");
        var made = await pair.Gateway.OkAsync(
            "POST",
            "logged-models",
            new { experiment_id = experiment, source_run_id = run }
        );
        var id = (string)made["model"]!["info"]!["model_id"]!;
        await pair.Gateway.PutAsync($"{experiment}/models/{id}/artifacts/MLmodel", "flavors: {}");
        await pair.Gateway.OkAsync("POST", "registered-models/create", new { name = "m" });
        pair.Decide = Once("model-versions/create", Fate.AnswerLost);
        var version = new
        {
            name = "m",
            source = $"models:/{id}",
            model_id = id,
        };
        Assert.Equal(503, (await pair.Gateway.SendAsync("POST", "model-versions/create", version)).Status);
        var there = await pair.Upstream.OkAsync("GET", $"logged-models/{id}");
        Assert.Contains("mlflow.modelVersions", there.ToJsonString(), StringComparison.Ordinal);

        await pair.RestartAsync();

        Assert.Equal(0, await pair.PendingAsync());
        await pair.SameAsync("GET", $"logged-models/{id}");
        await pair.Gateway.OkAsync("POST", "model-versions/create", version);
        await pair.SameAsync("GET", $"logged-models/{id}");
    }

    [Theory]
    [InlineData(Fate.Lost)]
    [InlineData(Fate.AnswerLost)]
    public async Task A_change_that_broke_off_at_any_step_is_made_at_the_next_start(Fate fate)
    {
        for (var step = 1; step <= 4; step++)
        {
            await using var pair = await UpstreamPair.StartAsync();
            await pair.Gateway.VersionAsync("m");
            var left = step;
            pair.Decide = _ => --left == 0 ? fate : Fate.Served;
            await pair.Gateway.SendAsync(
                "POST",
                "model-versions/transition-stage",
                new
                {
                    name = "m",
                    version = "1",
                    stage = "Production",
                }
            );
            await pair.Gateway.SendAsync("POST", "registered-models/rename", new { name = "m", new_name = "n" });
            await pair.Gateway.SendAsync(
                "POST",
                "registered-models/alias",
                new
                {
                    name = "n",
                    alias = "a",
                    version = "1",
                }
            );
            pair.Decide = _ => Fate.Served;

            await pair.RestartAsync();

            Assert.Empty(await pair.SweepAsync());
            await pair.SameAsync("GET", "registered-models/get?name=n");
        }
    }

    [Fact]
    public async Task An_intent_precedes_and_an_outcome_follows_what_upstream_gives_an_id()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var seen = new List<string>();
        pair.Decide = request =>
        {
            if (request.Target.EndsWith("registered-models/create", StringComparison.Ordinal))
            {
                seen.AddRange(pair.Gateway.Database.Log.Entries.Select(entry => entry.Kind));
            }

            return Fate.Served;
        };

        await pair.Gateway.OkAsync("POST", "registered-models/create", new { name = "m" });

        Assert.Equal(["upstream.intended"], seen);
        Assert.Equal(
            ["upstream.intended", "registry.model_created", "upstream.done"],
            pair.Gateway.Database.Log.Entries.Select(entry => entry.Kind)
        );
        Assert.Equal(LogOutcome.Begun, pair.Gateway.Database.Log.Entries[0].Outcome);
    }

    [Fact]
    public async Task A_caller_without_the_right_causes_no_request_upstream()
    {
        await using var pair = await UpstreamPair.StartAsync();
        var path = await pair.Gateway.VersionAsync("m");
        var run = path.Split('/')[1];
        pair.Arrived.Clear();

        await pair.Gateway.SendAsync("POST", "experiments/create", new { name = "x" }, "viewer-1");
        await pair.Gateway.SendAsync("POST", "runs/create", new { experiment_id = path.Split('/')[0] }, "viewer-1");
        await pair.Gateway.SendAsync(
            "POST",
            "runs/set-tag",
            new
            {
                run_id = run,
                key = "k",
                value = "v",
            },
            "viewer-1"
        );
        await pair.Gateway.SendAsync("POST", "registered-models/create", new { name = "x" }, "viewer-1");
        await pair.Gateway.SendAsync(
            "POST",
            "registered-models/set-tag",
            new
            {
                name = "m",
                key = "k",
                value = "v",
            },
            "viewer-1"
        );
        await pair.Gateway.SendAsync(
            "POST",
            "model-versions/create",
            new
            {
                name = "m",
                source = $"mlflow-artifacts:/{path}",
                run_id = run,
            },
            "viewer-1"
        );
        Assert.Equal(404, await pair.Gateway.PutAsync($"{path}/x", "y", "nobody"));
        pair.Gateway.Gate.Refusal = Failure.Denied("promotion.denied", "no");
        await pair.Gateway.SendAsync(
            "POST",
            "model-versions/transition-stage",
            new
            {
                name = "m",
                version = "1",
                stage = "Production",
            }
        );
        await pair.Gateway.SendAsync("DELETE", "registered-models/delete", new { name = "m" });

        Assert.Empty(pair.Arrived);
    }

    private static async Task<(string Path, object Body)> ScenarioAsync(UpstreamPair pair, string kind)
    {
        var path = await pair.Gateway.VersionAsync("m");
        var (experiment, run) = (path.Split('/')[0], path.Split('/')[1]);
        return kind switch
        {
            "experiment" => ("experiments/create", new { name = "new" }),
            "run" => (
                "runs/create",
                new
                {
                    experiment_id = experiment,
                    run_name = "new",
                    start_time = 5,
                }
            ),
            "logged_model" => (
                "logged-models",
                new
                {
                    experiment_id = experiment,
                    name = "new",
                    source_run_id = run,
                }
            ),
            "model" => ("registered-models/create", new { name = "new" }),
            _ => (
                "model-versions/create",
                new
                {
                    name = "m",
                    source = $"mlflow-artifacts:/{path}",
                    run_id = run,
                }
            ),
        };
    }

    private static Func<Arrived, Fate> Once(string path, Fate fate)
    {
        var done = false;
        return request =>
        {
            if (done || !request.Target.EndsWith(path, StringComparison.Ordinal))
            {
                return Fate.Served;
            }

            done = true;
            return fate;
        };
    }

    private static async Task SameCountsAsync(UpstreamPair pair)
    {
        await using var here = pair.Gateway.Database.Read();
        await using var there = pair.Upstream.Database.Read();
        Assert.Equal(await here.Set<ExperimentRow>().CountAsync(), await there.Set<ExperimentRow>().CountAsync());
        Assert.Equal(await here.Set<RunRow>().CountAsync(), await there.Set<RunRow>().CountAsync());
        Assert.Equal(await here.Set<LoggedModelRow>().CountAsync(), await there.Set<LoggedModelRow>().CountAsync());
        Assert.Equal(await here.Set<ModelRow>().CountAsync(), await there.Set<ModelRow>().CountAsync());
        Assert.Equal(await here.Set<VersionRow>().CountAsync(), await there.Set<VersionRow>().CountAsync());
    }
}
