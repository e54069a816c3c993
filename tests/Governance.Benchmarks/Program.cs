using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Governance.Benchmarks;

if (args is ["serve", .. var rest])
{
    return await ServedGateway.RunAsync(rest);
}

if (args is ["edge"])
{
    return await Edge.RunAsync();
}

if (args is ["--help" or "-h"])
{
    Console.WriteLine(Settings.Help);
    return 0;
}

try
{
    var settings = Settings.Parse(args);
    await using var target = await Target.OpenAsync(settings);
    if (settings.Only.Contains(Settings.Artifact))
    {
        await new Artifact(target, settings.ArtifactMegabytes).RunAsync();
        return 0;
    }

    return await new Session(settings, target).RunAsync();
}
catch (FormatException problem)
{
    await Console.Error.WriteLineAsync(problem.Message);
    return 2;
}

/// <summary>One run: data, then each operation warmed up and measured.</summary>
internal sealed class Session(Settings settings, Target target)
{
    private const string Lineage =
        "query($u:String!,$d:Direction!){lineage(start:{urn:$u},direction:$d,depth:16){nodes{urn}}}";

    private readonly Load _load = new(target, settings.Connections);
    private readonly Data _data = new(target.Http, settings.Connections);
    private readonly List<Figures> _all = [];

    public async Task<int> RunAsync()
    {
        var clock = Stopwatch.StartNew();
        if (target.HoldsJobs)
        {
            await target.JobsAsync(on: true);
        }

        await _data.FillAsync(settings.Models);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{settings.Models} models in {clock.Elapsed.TotalSeconds:F0} s"
            )
        );
        await SettleAsync();
        Console.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"jobs done after {clock.Elapsed.TotalSeconds:F0} s")
        );
        await ReadAsync("health", _ => Get("/health"));
        await ReadAsync("whoami", _ => Get("/api/v1/whoami"));
        await ReadAsync("get-version", i => Get($"/api/2.0/mlflow/model-versions/get?name={Model(i)}&version=1"));
        await ReadAsync(
            "search",
            i => Get($"/api/2.0/mlflow/model-versions/search?filter={Uri.EscapeDataString($"name='{Model(i)}'")}")
        );
        await ReadAsync("lineage", i => Ask($"version:{Model(i)}/1"));
        if (settings.Only.Contains("register"))
        {
            await RegisterAsync();
        }

        Load.Print(_all);
        Console.WriteLine();
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{settings.Connections} connections, {Environment.ProcessorCount} cores shared with this script, server memory {target.Memory()} MB"
            )
        );
        return _all.Any(figures => figures.Failed > 0) ? 1 : 0;
    }

    private string Model(int request) => _data.Model((int)(request * 7919L % settings.Models));

    private async Task ReadAsync(string name, Func<int, HttpRequestMessage> request)
    {
        if (settings.Only.Contains(name))
        {
            await _load.RunAsync(name, settings.WarmUp, int.MaxValue, request);
            _all.Add(await _load.RunAsync(name, settings.Measured, int.MaxValue, request));
            Console.WriteLine(_all[^1]);
        }
    }

    private async Task RegisterAsync()
    {
        // The fill above has warmed the route up; these runs and files are made before the clock starts.
        var requests = await _data.RegistrationsAsync(settings.Registrations, settings.Models);
        await SettleAsync();
        if (target.HoldsJobs)
        {
            await target.JobsAsync(on: false);
        }

        var registered = await _load.RunAsync(
            "register",
            TimeSpan.FromMinutes(2),
            requests.Length,
            i => new HttpRequestMessage(HttpMethod.Post, "/api/2.0/mlflow/model-versions/create")
            {
                Content = JsonContent.Create(requests[i]),
            }
        );
        _all.Add(registered);
        if (!target.HoldsJobs)
        {
            return; // its jobs ran meanwhile: the figure is foreground and jobs together
        }

        var cpu = target.Cpu();
        var clock = Stopwatch.GetTimestamp();
        await target.JobsAsync(on: true);
        await target.DrainAsync();
        var seconds = Stopwatch.GetElapsedTime(clock).TotalSeconds;
        var each = (target.Cpu() - cpu) / registered.Requests;
        _all.Add(new Figures("register, its jobs", registered.Requests, 0, seconds, 0, 0, each, Load.MachineLoad()));
    }

    private async Task SettleAsync()
    {
        if (target.HoldsJobs)
        {
            await target.DrainAsync();
        }

        await Task.Delay(TimeSpan.FromSeconds(2));
    }

    private static HttpRequestMessage Get(string path) => new(HttpMethod.Get, path);

    private static HttpRequestMessage Ask(string urn) =>
        new(HttpMethod.Post, "/graphql")
        {
            Content = JsonContent.Create(
                new JsonObject
                {
                    ["query"] = Lineage,
                    ["variables"] = new JsonObject { ["u"] = urn, ["d"] = "UP" },
                }
            ),
        };
}
