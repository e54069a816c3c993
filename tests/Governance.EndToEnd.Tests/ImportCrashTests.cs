using System.Diagnostics;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.EndToEnd.Tests;

/// <summary>
/// An import goes on by itself when the gateway that runs it was killed, and does not care when the <c>govern</c> that watches it
/// is. A kill of the gateway counts only when the job of the import was at work in the wanted phase, one of <c>govern</c> only when
/// that still watched and the import still ran.
/// </summary>
public sealed class ImportCrashTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(30);

    // As the API says them, in order.
    private static readonly string[] Phases = ["experiments", "runs", "logged-models", "models", "copies", "ended"];
    private static readonly string[] Kinds = ["experiment", "run", "logged_model", "model", "version"];
    private readonly List<string> _met = [];
    private JsonNode? _last;

    // Seven kills of the gateway and two of govern; ten times as many in a long run.
    private static int Seeds => Deaths.Long ? 10 : 1;

    [Fact]
    public async Task Everything_comes_over_once_whoever_dies_on_the_way()
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        for (var seed = 1; seed <= Seeds; seed++)
        {
            await DieAsync(new Random(seed), limit.Token);
        }

        output.WriteLine($"kills that met: {string.Join(", ", _met.CountBy(phase => phase))}");
        Assert.All(
            ["runs", "logged-models", "models", "govern"],
            phase => Assert.True(_met.Count(met => met == phase) >= Seeds, phase)
        );
    }

    private async Task DieAsync(Random random, CancellationToken cancellationToken)
    {
        using var source = new UpstreamProcess();
        await source.StartAsync(cancellationToken);
        var history = new ForeignHistory(source, cancellationToken);
        await history.MakeAsync();
        source.Kill();
        source.Pause = TimeSpan.FromMilliseconds(80); // an import of few objects takes long enough to be met
        await source.StartAsync(cancellationToken);
        await using var gateway = new GatewayProcess(
            new Dictionary<string, string>
            {
                ["Governance__Registry__ImportSources__old__Url"] = source.Url,
                ["Governance__Registry__ImportSources__old__AllowHttp"] = "true",
            }
        );
        await gateway.StartAsync(cancellationToken);
        var people = new People(gateway);
        await people.EnrolAsync(
            new Dictionary<string, string> { ["ada"] = "auditor", ["dana"] = "data-scientist" },
            cancellationToken
        );
        var (admin, ada) = (new Api(people, "admin", cancellationToken), new Api(people, "ada", cancellationToken));
        _last = null;
        var (watching, said) = Govern(gateway, people, "--source", "old", "--follow");
        string? id = null;
        while (id is null)
        {
            var list = await admin.ApiGetAsync("/api/v1/imports");
            id = list.Expect().Body["imports"]!.AsArray().FirstOrDefault()?["id"]?.ToString();
        }

        foreach (var phase in new[] { "runs", "govern", "runs", "runs", "govern", "logged-models", "models", "models" })
        {
            var (wanted, isGovern) = (phase == "govern" ? "runs" : phase, phase == "govern");
            while (Phase(await StatusAsync(admin, id)) < Array.IndexOf(Phases, wanted))
            {
                await Task.Delay(5, cancellationToken);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(random.NextDouble() * 200), cancellationToken);
            if (isGovern)
            {
                await said;
                var watched = !watching.HasExited;
                watching.Kill();
                await watching.WaitForExitAsync(cancellationToken);
                Note("govern", watched && (await StatusAsync(admin, id))["state"]!.ToString() == "running");
            }
            else
            {
                gateway.Kill();
                var remains = gateway.Remains();
                var name = phase.Replace("-", "", StringComparison.Ordinal);
                var (atWork, there) = (remains.Running.Contains("registry.import"), remains.Import);
                Note(phase, atWork && there.Equals(name, StringComparison.OrdinalIgnoreCase));
                await gateway.StartAsync(cancellationToken);
            }

            watching.Dispose();
            (watching, said) = Govern(gateway, people, "status", id, "--follow");
        }

        while ((await StatusAsync(admin, id))["state"]!.ToString() == "running")
        {
            await Task.Delay(50, cancellationToken);
        }

        await watching.WaitForExitAsync(cancellationToken);
        Assert.Equal(0, watching.ExitCode);
        watching.Dispose();
        source.Kill();
        source.Pause = TimeSpan.Zero;
        await source.StartAsync(cancellationToken);
        await CameOnceAsync(admin, ada, id, history, source, cancellationToken);
        (watching, _) = Govern(gateway, people, "--source", "old", "--follow");
        await watching.WaitForExitAsync(cancellationToken);
        Assert.Equal(0, watching.ExitCode);
        watching.Dispose();
        await CameOnceAsync(admin, ada, id, history, source, cancellationToken);
    }

    private void Note(string what, bool met)
    {
        output.WriteLine($"{what} {(met ? "met" : "missed")}");
        if (met)
        {
            _met.Add(what);
        }
    }

    // Progress never goes backwards.
    private async Task<JsonNode> StatusAsync(Api admin, string id)
    {
        var now = (await admin.ApiGetAsync($"/api/v1/imports/{id}")).Expect().Body;
        Assert.True(now["stop"] is null, now.ToJsonString());
        if (_last is { } before)
        {
            var numbers = Numbers(before).Zip(Numbers(now));
            Assert.True(
                numbers.All(pair => pair.First <= pair.Second),
                $"{before.ToJsonString()}\n{now.ToJsonString()}"
            );
        }

        return _last = now;

        static IEnumerable<long> Numbers(JsonNode import) =>
            import["counts"]!
                .AsArray()
                .SelectMany(count => new[] { (long)count!["seen"]!, (long)count["imported"]! })
                .Append(Phase(import))
                .Append((long)import["files"]!)
                .Append((long)import["bytes"]!);
    }

    private static int Phase(JsonNode import) => Array.IndexOf(Phases, import["phase"]!.ToString());

    private static async Task CameOnceAsync(
        Api admin,
        Api ada,
        string id,
        ForeignHistory history,
        UpstreamProcess source,
        CancellationToken cancellationToken
    )
    {
        var import = (await admin.ApiGetAsync($"/api/v1/imports/{id}")).Expect().Body;
        int[] expected =
        [
            ForeignHistory.Experiments + 1, // and the one that every server has
            history.Runs.Count,
            history.LoggedModels,
            ForeignHistory.Models,
            ForeignHistory.Models * ForeignHistory.VersionsOfEach,
        ];
        Assert.Equal("done", import["state"]!.ToString());
        Assert.Equal(
            expected.Select(count => $"{count} seen, {count} imported, 0 failed"),
            import["counts"]!
                .AsArray()
                .Select(count => $"{count!["seen"]} seen, {count["imported"]} imported, {count["failed"]} failed")
        );
        foreach (var (kind, count) in Kinds.Zip(expected))
        {
            var subjects = await SubjectsAsync(ada, $"registry.{kind}_imported");
            Assert.True(
                subjects.Count == count && subjects.Distinct().Count() == count,
                $"{subjects.Count} entries of {count} {kind}s"
            );
        }

        foreach (var run in history.Runs)
        {
            foreach (var key in new[] { "loss", "gain" })
            {
                var route = $"metrics/get-history?run_id={run}&metric_key={key}";
                Assert.Equal(
                    (await source.AskAsync(route, null, cancellationToken)).ToJsonString(),
                    (await ada.GetAsync(route)).Expect().Body.ToJsonString()
                );
            }
        }
    }

    private static async Task<List<string>> SubjectsAsync(Api ada, string kind)
    {
        var subjects = new List<string>();
        string? after = "";
        while (after is not null)
        {
            var page = (await ada.ApiGetAsync($"/api/v1/audit/entries?kind={kind}&first=200{after}")).Expect();
            subjects.AddRange(
                page.Body["entries"]!
                    .AsArray()
                    .Select(entry => JsonNode.Parse(entry!["entry"]!.ToString())!["subject"]!.ToString())
            );
            after = page.Text("nextToken") is { Length: > 0 } next ? $"&after={Uri.EscapeDataString(next)}" : null;
        }

        return subjects;
    }

    // The process, and when it said its first line.
    private static (Process Process, Task Said) Govern(GatewayProcess gateway, People people, params string[] verb)
    {
        string[] server = ["--server", gateway.Url, "--ca", Path.Combine(gateway.Data, "tls", "ca.pem")];
        var start = new ProcessStartInfo(
            GatewayProcess.Executable("Governance.Cli", "govern"),
            [.. new[] { "import" }.Concat(verb).Concat(server)]
        )
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["GOVERN_TOKEN"] = people.Token("admin");
        var said = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var govern = new Process { StartInfo = start };
        govern.OutputDataReceived += (_, _) => said.TrySetResult();
        govern.Start();
        govern.BeginOutputReadLine();
        govern.BeginErrorReadLine();
        return (govern, said.Task);
    }
}
