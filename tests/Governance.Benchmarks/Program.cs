using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Governance.Benchmarks;
using Governance.Tests.Identity;

if (args is ["serve", .. var rest])
{
    return await ServedGateway.RunAsync(rest);
}

if (args is ["edge"])
{
    return await Edge.RunAsync();
}

if (args is ["appends", .. var callers])
{
    return await Appends.RunAsync(callers);
}

if (args is ["hash", .. var size])
{
    return await Hashing.RunAsync(size is [var megabytes] ? int.Parse(megabytes, CultureInfo.InvariantCulture) : 2048);
}

if (args is ["secrets", .. var asked])
{
    return await Secrets.RunAsync(asked);
}

if (args is ["log", .. var log])
{
    return await LogFigures.RunAsync(log);
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

    using var beside = Target.Beside(settings);
    return await new Session(settings, target, beside).RunAsync();
}
catch (FormatException problem)
{
    await Console.Error.WriteLineAsync(problem.Message);
    return 2;
}

/// <summary>One run: data, then each operation warmed up and measured, on one server or on two in turn.</summary>
internal sealed class Session
{
    private const string Mlflow = "/api/2.0/mlflow/";
    private const string TokenPath = "/connect/token";
    private const int LogEntries = 20_000;
    private static readonly KeyValuePair<string, string> CommandLine = new("client_id", "governance-cli");

    private const string Lineage =
        "query($u:String!,$d:Direction!){lineage(start:{urn:$u},direction:$d,depth:16){nodes{urn}}}";

    private readonly Settings _settings;
    private readonly Target _own;
    private readonly List<Side> _sides;
    private readonly List<Figures> _all = [];

    /// <summary>A server, what to send to it and what was put into it.</summary>
    private sealed record Side(string Name, Target Target, Load Load, Data Data)
    {
        /// <summary>Whether it is a gateway: it knows who asks.</summary>
        public bool IsGateway { get; set; }
    }

    public Session(Settings settings, Target own, Target? beside)
    {
        (_settings, _own) = (settings, own);
        _sides = [Of("", own)];
        if (beside is not null)
        {
            _sides.Add(Of(", beside", beside));
        }

        Side Of(string name, Target target) =>
            new(
                name,
                target,
                new Load(target, settings.Connections, settings.Rate),
                new Data(target.Http, settings.Connections)
            );
    }

    public async Task<int> RunAsync()
    {
        if (_own.HoldsJobs)
        {
            await _own.JobsAsync(on: true);
        }

        var clock = Stopwatch.StartNew();
        foreach (var side in _sides)
        {
            using var who = await side.Target.Http.GetAsync(new Uri("/api/v1/whoami", UriKind.Relative));
            side.IsGateway = who.IsSuccessStatusCode;
            await side.Data.FillAsync(_settings.Models);
            Say($"{_settings.Models} models{side.Name}", clock);
        }

        await SettleAsync();
        Say("jobs done", clock);
        foreach (var side in _sides)
        {
            await side.Data.AliasAsync(_settings.Models);
        }

        if (_settings.Seed > 0)
        {
            await _own.SeedAsync(_sides[0].Data.Model(0), _settings.Seed, _settings.SeedVersions);
            Say($"{_settings.Seed} x {_settings.SeedVersions} seeded", clock);
        }

        await ReadAsync("health", (_, _) => Get("/health"));
        await ReadAsync("whoami", (_, _) => Get("/api/v1/whoami"), gatewayOnly: true);
        if (_own.Credentials is { } credentials)
        {
            await LogAsync();
            using var key = new ClientKey();
            var endpoint = new Uri(_own.Http.BaseAddress!, TokenPath).AbsoluteUri;
            await ReadAsync("token", (_, _) => TokenOf(credentials), gatewayOnly: true);
            await ReadAsync(
                "dpop",
                (_, _) => BoundTokenOf(credentials, key.Proof("POST", endpoint)),
                gatewayOnly: true
            );
            await ReadAsync("par", (_, _) => PushedRequest(), gatewayOnly: true);
            await ReadAsync("device", (_, _) => Form("/connect/device", CommandLine), gatewayOnly: true);
        }

        await ReadAsync("get-version", (side, i) => Get($"{Mlflow}model-versions/get?name={Name(side, i)}&version=1"));
        await ReadAsync("get-model", (side, i) => Get($"{Mlflow}registered-models/get?name={Name(side, i)}"));
        await ReadAsync(
            "alias",
            (side, i) => Get($"{Mlflow}registered-models/alias?name={Name(side, i)}&alias={Data.Alias}")
        );
        await ReadAsync(
            "latest",
            (side, i) => Get($"{Mlflow}registered-models/get-latest-versions?name={Name(side, i)}")
        );
        await ReadAsync(
            "search",
            (side, i) => Get($"{Mlflow}model-versions/search?filter={Filter($"name='{Name(side, i)}'")}")
        );
        await ReadAsync(
            "like",
            (side, i) =>
                Get(
                    $"{Mlflow}registered-models/search?max_results=10&filter={Filter($"name LIKE '{Name(side, i)[..^1]}%'")}"
                )
        );
        await ReadAsync("lineage", (side, i) => Ask($"version:{Name(side, i)}/1"), gatewayOnly: true);
        if (_settings.Only.Contains("register"))
        {
            foreach (var side in _sides)
            {
                await RegisterAsync(side);
            }
        }

        Load.Print(_all);
        Console.WriteLine();
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{_settings.Connections} connections, {Environment.ProcessorCount} cores shared with this script, server memory {_own.Memory()} MB"
            )
        );
        return _all.Any(figures => figures.Failed > 0) ? 1 : 0;
    }

    private async Task LogAsync()
    {
        if (!_settings.Only.Contains("log"))
        {
            return;
        }

        await _own.LogAsync(LogEntries, _settings.Connections);
        var cpu = _own.Cpu();
        var clock = Stopwatch.GetTimestamp();
        await _own.LogAsync(LogEntries, _settings.Connections);
        var seconds = Stopwatch.GetElapsedTime(clock).TotalSeconds;
        _all.Add(new Figures("log", LogEntries, 0, seconds, 0, 0, (_own.Cpu() - cpu) / LogEntries, Load.MachineLoad()));
        Console.WriteLine(_all[^1]);
    }

    private static HttpRequestMessage TokenOf(AuthenticationHeaderValue credentials)
    {
        var message = Form(TokenPath, new KeyValuePair<string, string>("grant_type", "client_credentials"));
        message.Headers.Authorization = credentials;
        return message;
    }

    private static HttpRequestMessage BoundTokenOf(AuthenticationHeaderValue credentials, string proof)
    {
        var message = TokenOf(credentials);
        message.Headers.Add("DPoP", proof);
        return message;
    }

    private static HttpRequestMessage PushedRequest() =>
        Form(
            "/connect/par",
            CommandLine,
            new("response_type", "code"),
            new("redirect_uri", "http://127.0.0.1:5000/callback"),
            new("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), // RFC 7636, appendix B
            new("code_challenge_method", "S256")
        );

    private static HttpRequestMessage Form(string path, params KeyValuePair<string, string>[] fields) =>
        new(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = new FormUrlEncodedContent(fields) };

    // Half of the requests go to what was seeded, if anything was.
    private string Name(Side side, int request)
    {
        var spread = request * 7919L;
        return _settings.Seed > 0 && request % 2 == 1
            ? Seeding.Name((int)(spread % _settings.Seed))
            : side.Data.Model((int)(spread % _settings.Models));
    }

    private async Task ReadAsync(string name, Func<Side, int, HttpRequestMessage> request, bool gatewayOnly = false)
    {
        if (!_settings.Only.Contains(name))
        {
            return;
        }

        foreach (var side in _sides.Where(side => side.IsGateway || !gatewayOnly))
        {
            var label = name + side.Name;
            await side.Load.RunAsync(label, _settings.WarmUp, int.MaxValue, i => request(side, i));
            _all.Add(await side.Load.RunAsync(label, _settings.Measured, int.MaxValue, i => request(side, i)));
            Console.WriteLine(_all[^1]);
        }
    }

    private async Task RegisterAsync(Side side)
    {
        // The compiler has done its work when the clock starts; runs and files are made before, too.
        var warm = await side.Data.RegistrationsAsync(_settings.Registrations, _settings.Models, perRun: 50);
        var requests = await side.Data.RegistrationsAsync(_settings.Registrations, _settings.Models, perRun: 1);
        var name = "register" + side.Name;
        await side.Load.RunAsync(name, TimeSpan.FromMinutes(2), warm.Length, i => Create(warm[i]));
        await SettleAsync();
        var holdsJobs = side.Target.HoldsJobs;
        if (holdsJobs)
        {
            await side.Target.JobsAsync(on: false);
        }

        Console.WriteLine($"{requests.Length} registrations prepared");
        var registered = await side.Load.RunAsync(
            name,
            TimeSpan.FromMinutes(2),
            requests.Length,
            i => Create(requests[i])
        );
        _all.Add(registered);
        if (!holdsJobs)
        {
            return; // its jobs, if it has any, ran meanwhile: the figure is foreground and jobs together
        }

        var cpu = side.Target.Cpu();
        var clock = Stopwatch.GetTimestamp();
        await side.Target.JobsAsync(on: true);
        await side.Target.DrainAsync();
        var seconds = Stopwatch.GetElapsedTime(clock).TotalSeconds;
        var each = (side.Target.Cpu() - cpu) / registered.Requests;
        _all.Add(new Figures("register, its jobs", registered.Requests, 0, seconds, 0, 0, each, Load.MachineLoad()));
    }

    private async Task SettleAsync()
    {
        if (_own.HoldsJobs)
        {
            await _own.DrainAsync();
        }

        await Task.Delay(TimeSpan.FromSeconds(2));
    }

    private static void Say(string what, Stopwatch clock) =>
        Console.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"{what} after {clock.Elapsed.TotalSeconds:F0} s")
        );

    private static string Filter(string filter) => Uri.EscapeDataString(filter);

    private static HttpRequestMessage Get(string path) => new(HttpMethod.Get, path);

    private static HttpRequestMessage Create(JsonObject version) =>
        new(HttpMethod.Post, $"{Mlflow}model-versions/create") { Content = JsonContent.Create(version) };

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
