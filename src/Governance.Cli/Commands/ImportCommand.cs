using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Cli.Server;

namespace Governance.Cli.Commands;

/// <summary><c>govern import</c>: moves an MLflow server's data in, and says how far it is.</summary>
internal static class ImportCommand
{
    private const string Base = "/api/v1/imports";
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(2);

    private static readonly Option<string?> Source = new("--source")
    {
        Description = "Name of a source that the gateway's configuration knows.",
        HelpName = "name",
    };

    private static readonly Option<string?> Experiments = new("--experiments")
    {
        Description = "Only experiments of such names; * stands for anything.",
        HelpName = "pattern",
    };

    private static readonly Option<string?> Models = new("--models")
    {
        Description = "Only registered models of such names.",
        HelpName = "pattern",
    };

    private static readonly Option<string?> Owner = new("--owner")
    {
        Description = "Id of who owns what comes in; whoever starts the import if not given.",
        HelpName = "id",
    };

    private static readonly Option<bool> DryRun = new("--dry-run")
    {
        Description = "Look only: count what is there and which names are in the way.",
    };

    private static readonly Option<bool> Follow = new("--follow")
    {
        Description = "Stay until it ends and say how far it is.",
    };

    private static readonly Argument<string> Id = new("id") { Description = "Id of the import." };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings)
    {
        var import = new Verb(
            "import",
            "Imports experiments, runs, models and artifacts from an MLflow server that the gateway's configuration names.",
            "govern import --source old --dry-run --follow --server https://localhost:8443 --ca ca.pem",
            "govern import --source old --experiments 'fraud*' --models 'fraud*' --follow --server https://localhost:8443 --ca ca.pem",
            "govern import status 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11 --server https://localhost:8443 --ca ca.pem"
        )
        {
            Source,
            Experiments,
            Models,
            Owner,
            DryRun,
            Follow,
            Format,
        }
            .WithServer()
            .Runs(surroundings, StartAsync);
        import.Add(
            new Verb(
                "list",
                "Lists imports, newest first, and the sources that are configured.",
                "govern import list --server https://localhost:8443 --ca ca.pem"
            )
            {
                Format,
            }
                .WithServer()
                .Runs(surroundings, ListAsync)
        );
        import.Add(
            new Verb(
                "status",
                "Says how far an import is.",
                "govern import status 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11 --follow --server https://localhost:8443 --ca ca.pem"
            )
            {
                Id,
                Follow,
                Format,
            }
                .WithServer()
                .Runs(surroundings, run => TurnAsync(run, null))
        );
        import.Add(
            new Verb(
                "failures",
                "Lists what an import did not bring, and why.",
                "govern import failures 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11 --server https://localhost:8443 --ca ca.pem"
            )
            {
                Id,
                Format,
            }
                .WithServer()
                .Runs(surroundings, FailuresAsync)
        );
        import.Add(
            new Verb(
                "cancel",
                "Stops an import; what it brought stays.",
                "govern import cancel 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11 --server https://localhost:8443 --ca ca.pem"
            )
            {
                Id,
                Follow,
                Format,
            }
                .WithServer()
                .Runs(surroundings, run => TurnAsync(run, "cancel"))
        );
        import.Add(
            new Verb(
                "resume",
                "Goes on with a cancelled or stopped import where it was.",
                "govern import resume 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11 --follow --server https://localhost:8443 --ca ca.pem"
            )
            {
                Id,
                Follow,
                Format,
            }
                .WithServer()
                .Runs(surroundings, run => TurnAsync(run, "resume"))
        );
        return import;
    }

    private static async Task<int> StartAsync(Invocation run)
    {
        var source = run.Get(Source) ?? throw Stop.Usage("Name a source with --source, or see govern import list.");
        var body = new JsonObject { ["source"] = source, ["dryRun"] = run.Get(DryRun) };
        AddIf(body, "experiments", run.Get(Experiments));
        AddIf(body, "models", run.Get(Models));
        AddIf(body, "owner", run.Get(Owner));
        using var gateway = ServerOptions.Connect(run);
        return await SayAsync(run, gateway, await gateway.PostAsync(Base, body, run.Cancelled));
    }

    private static async Task<int> TurnAsync(Invocation run, string? verb)
    {
        using var gateway = ServerOptions.Connect(run);
        var path = PathOf(run.Get(Id));
        return await SayAsync(
            run,
            gateway,
            verb is null
                ? await gateway.ReadAsync(path, run.Cancelled)
                : await gateway.PostAsync($"{path}/{verb}", new JsonObject(), run.Cancelled)
        );
    }

    private static async Task<int> ListAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var page = await gateway.ReadAsync(Base, run.Cancelled);
        if (run.IsJson(Format))
        {
            run.Say(page);
            return Exit.Fine;
        }

        var sources = page["sources"] as JsonArray ?? [];
        run.Say(sources.Count == 0 ? "No sources are configured." : $"Sources: {string.Join(", ", sources)}");
        foreach (var import in (page["imports"] as JsonArray ?? []).OfType<JsonObject>())
        {
            run.Say(
                $"{import["id"]}  {import["startedAt"]}  {import["source"]}  {import["state"]}{Dry(import)}  {Counts(import)}"
            );
        }

        return Exit.Fine;
    }

    private static async Task<int> FailuresAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var path = $"{PathOf(run.Get(Id))}/failures";
        string? token = null;
        var any = false;
        do
        {
            var query = token is null ? "" : $"?pageToken={Uri.EscapeDataString(token)}";
            var page = await gateway.ReadAsync(path + query, run.Cancelled);
            foreach (var failure in (page["failures"] as JsonArray ?? []).OfType<JsonObject>())
            {
                any = true;
                if (run.IsJson(Format))
                {
                    run.Say(failure);
                }
                else
                {
                    run.Say($"{failure["kind"]} {failure["id"]}: {failure["code"]}: {failure["message"]}");
                }
            }

            token = page["nextToken"]?.ToString();
        } while (token is not null);

        if (!any && !run.IsJson(Format))
        {
            run.Say("Nothing was left out.");
        }

        return Exit.Fine;
    }

    private static async Task<int> SayAsync(Invocation run, GatewayClient gateway, JsonObject import)
    {
        var (follow, json, watch) = (run.Get(Follow), run.IsJson(Format), Stopwatch.StartNew());
        var (path, said) = (PathOf(import["id"]?.ToString() ?? ""), "");
        while (follow && IsRunning(import))
        {
            var line = $"{import["phase"]}: {Counts(import)}{Waits(import)}";
            if (!json && line != said)
            {
                run.Say(line);
                said = line;
            }

            await Task.Delay(Poll, run.Cancelled);
            import = await gateway.ReadAsync(path, run.Cancelled);
        }

        if (json)
        {
            run.Say(import);
        }
        else
        {
            SayWhole(run, import, follow ? watch.Elapsed : null);
        }

        return !IsRunning(import) && (import["state"]?.ToString() != "done" || Sum(import, "failed") > 0)
            ? Exit.Refused
            : Exit.Fine;
    }

    private static void SayWhole(Invocation run, JsonObject import, TimeSpan? took)
    {
        run.Say($"Import {import["id"]} from {import["source"]}{Dry(import)}: {import["state"]}{Waits(import)}");
        run.Say($"{"", -14}{"seen", 10}{"imported", 10}{"before", 10}{"failed", 10}");
        foreach (var count in Rows(import))
        {
            run.Say(
                $"{count["kind"], -14}{count["seen"], 10}{count["imported"], 10}{count["present"], 10}{count["failed"], 10}"
            );
        }

        var bytes = Number(import["bytes"]);
        run.Say($"{Number(import["files"])} files, {Size(bytes)}");
        if (took is { TotalSeconds: > 1 } time && Sum(import, "imported") > 0)
        {
            run.Say(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{Sum(import, "imported") / time.TotalSeconds:0.0} objects/s, {bytes / 1e6 / time.TotalSeconds:0.0} MB/s over {time.TotalSeconds:0} s"
                )
            );
        }

        if (Sum(import, "failed") > 0)
        {
            run.Say($"What was left out, and why: govern import failures {import["id"]}");
        }

        if (IsRunning(import))
        {
            run.Say($"It runs in the gateway. How far it is: govern import status {import["id"]}");
        }
    }

    private static string PathOf(string id) => $"{Base}/{Uri.EscapeDataString(id)}";

    private static bool IsRunning(JsonObject import) => import["state"]?.ToString() == "running";

    private static string Dry(JsonObject import) => import["dryRun"]?.ToString() == "true" ? " (dry run)" : "";

    private static string Waits(JsonObject import) =>
        import["stop"] is JsonObject stop ? $", {stop["code"]}: {stop["message"]}" : "";

    private static IEnumerable<JsonObject> Rows(JsonObject import) =>
        (import["counts"] as JsonArray ?? []).OfType<JsonObject>();

    private static string Counts(JsonObject import)
    {
        var counts = Rows(import)
            .Where(count => Number(count["seen"]) > 0)
            .Select(count =>
                $"{Number(count["imported"]) + Number(count["present"])}/{count["seen"]} {count["kind"]}s"
                + (Number(count["failed"]) > 0 ? $" ({count["failed"]} failed)" : "")
            )
            .ToList();
        return counts.Count == 0 ? "nothing yet" : $"{string.Join(", ", counts)}; {Size(Number(import["bytes"]))}";
    }

    private static long Sum(JsonObject import, string member) => Rows(import).Sum(count => Number(count[member]));

    private static long Number(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<long>(out var number) ? number : 0;

    private static string Size(long bytes) =>
        bytes switch
        {
            >= 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.0} GB"),
            >= 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
            >= 1_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.0} kB"),
            _ => $"{bytes} bytes",
        };

    private static void AddIf(JsonObject body, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            body[name] = value;
        }
    }
}
