using System.Globalization;

namespace Governance.Benchmarks;

/// <summary>What to measure and for how long; every number is bounded, and the target is on this machine only.</summary>
internal sealed record Settings
{
    public const string Help = """
        Load script: measures a gateway, or any server that speaks MLflow's REST API, on this machine.

          dotnet run -c Release --project tests/Governance.Benchmarks -- [options]

        Without --url it starts a gateway of its own in a child process, on an empty data directory that it deletes afterwards.

          --models N          models to make, each with one version (default 1000, at most 20000)
          --registrations N   versions to register while measured (default 400, at most 5000)
          --connections N     connections kept open (default 8, at most 64)
          --warmup S          seconds before each measured operation (default 20, at most 120)
          --seconds S         seconds measured (default 15, at most 120)
          --rate N            requests a second, sent on time whether or not answers came (default 0: as fast as answers come;
                              at most 20000); latency then counts from the moment that a request was due
          --only A,B          operations: health, whoami, log (entries alone), token, dpop, par, device, get-version, get-model, alias,
                              latest, search, like, lineage, register;
                              or artifact, alone
          --seed N            models to add beside them in the database of its own gateway (default 0, at most 200000)
          --seed-versions N   versions of each of those (default 10, at most 100)
          --artifact-mb N     size of the artifact (default 1024, at most 100000); it lies on disk while measured
          --url URL           a server that already runs, http or https, on localhost, 127.0.0.1 or [::1]
          --token TOKEN       its bearer token (a data scientist's), if it wants one; or GOVERN_TOKEN
          --ca FILE           its CA certificate, for https
          --pid N             its process, for CPU figures; the processes that it started count with it
          --beside URL        a second server, without token, measured side by side: operation by operation, in turn
          --beside-pid N      its process
        """;

    public const string Artifact = "artifact";

    public static readonly string[] Operations =
    [
        "health",
        "whoami",
        "log",
        "token",
        "dpop",
        "par",
        "device",
        "get-version",
        "get-model",
        "alias",
        "latest",
        "search",
        "like",
        "lineage",
        "register",
    ];

    public int Models { get; init; } = 1000;
    public int Registrations { get; init; } = 400;
    public int Connections { get; init; } = 8;
    public TimeSpan WarmUp { get; init; } = TimeSpan.FromSeconds(20);
    public TimeSpan Measured { get; init; } = TimeSpan.FromSeconds(15);
    public int Rate { get; init; }
    public IReadOnlyList<string> Only { get; init; } = Operations;
    public int Seed { get; init; }
    public int SeedVersions { get; init; } = 10;
    public int ArtifactMegabytes { get; init; } = 1024;
    public Uri? Url { get; init; }
    public string Token { get; init; } = "";
    public string Authority { get; init; } = "";
    public int? ProcessId { get; init; }
    public Uri? Beside { get; init; }
    public int? BesideProcessId { get; init; }

    public static Settings Parse(string[] args)
    {
        var settings = new Settings { Token = Environment.GetEnvironmentVariable("GOVERN_TOKEN") ?? "" };
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : throw new FormatException($"{args[i]} needs a value.");
            settings = args[i] switch
            {
                "--models" => settings with { Models = Number(args[i], value, 1, 20_000) },
                "--registrations" => settings with { Registrations = Number(args[i], value, 1, 5_000) },
                "--connections" => settings with { Connections = Number(args[i], value, 1, 64) },
                "--warmup" => settings with { WarmUp = TimeSpan.FromSeconds(Number(args[i], value, 0, 120)) },
                "--seconds" => settings with { Measured = TimeSpan.FromSeconds(Number(args[i], value, 1, 120)) },
                "--rate" => settings with { Rate = Number(args[i], value, 0, 20_000) },
                "--only" => settings with { Only = Names(value) },
                "--seed" => settings with { Seed = Number(args[i], value, 0, 200_000) },
                "--seed-versions" => settings with { SeedVersions = Number(args[i], value, 1, 100) },
                "--artifact-mb" => settings with { ArtifactMegabytes = Number(args[i], value, 1, 100_000) },
                "--url" => settings with { Url = Loopback(args[i], value) },
                "--token" => settings with { Token = value },
                "--ca" => settings with { Authority = value },
                "--pid" => settings with { ProcessId = Number(args[i], value, 1, int.MaxValue) },
                "--beside" => settings with { Beside = Loopback(args[i], value) },
                "--beside-pid" => settings with { BesideProcessId = Number(args[i], value, 1, int.MaxValue) },
                _ => throw new FormatException($"Unknown option {args[i]}; see --help."),
            };
        }

        if (settings.Url is { Scheme: "https" } && settings.Authority.Length == 0)
        {
            throw new FormatException("--url with https needs --ca.");
        }

        return settings.Url is not null && settings.Seed > 0
            ? throw new FormatException("--seed goes with a gateway of its own only.")
            : settings;
    }

    private static int Number(string option, string value, int least, int most) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && number >= least
        && number <= most
            ? number
            : throw new FormatException($"{option} takes a number from {least} to {most}.");

    private static string[] Names(string value)
    {
        var names = value.Split(',');
        if (names is [Artifact])
        {
            return names;
        }

        return names.FirstOrDefault(name => !Operations.Contains(name)) is { } unknown
            ? throw new FormatException($"Unknown operation {unknown}; see --help.")
            : names;
    }

    private static Uri Loopback(string option, string value) =>
        Uri.TryCreate(value, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.IsLoopback
            ? url
            : throw new FormatException($"{option} takes an http or https address on this machine.");
}
