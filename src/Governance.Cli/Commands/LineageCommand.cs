using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Cli.Server;
using Governance.Kernel;

namespace Governance.Cli.Commands;

/// <summary><c>govern lineage</c>.</summary>
internal static class LineageCommand
{
    private const string Document =
        "query Lineage($start: LineageStart!, $direction: Direction!, $depth: Int!) { "
        + "lineage(start: $start, direction: $direction, depth: $depth) "
        + "{ nodes { urn kind label } edges { from to verb grade } truncated frontier } }";

    private static readonly Argument<string> Start = new("start")
    {
        Description = "MODEL/VERSION, the SHA-256 of a dataset, the id of a run, or any URN of an earlier answer.",
    };

    private static readonly Option<string> Direction = Shared.OneOf(
        "--direction",
        "up: where it comes from. down: what it touches.",
        "up",
        "down",
        "both"
    );

    private static readonly Option<int> Depth = new("--depth")
    {
        Description = "Most edges from the start, 1 to 64.",
        HelpName = "n",
        DefaultValueFactory = _ => 16,
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "lineage",
            "Shows where something comes from, or what it touches. A cut is announced.",
            "govern lineage fraud/3 --direction up --server https://localhost:8443 --ca ca.pem"
        )
        {
            Start,
            Direction,
            Depth,
            Format,
        }
            .WithServer()
            .Runs(surroundings, RunAsync);

    private static async Task<int> RunAsync(Invocation run)
    {
        var variables = new JsonObject
        {
            ["start"] = StartOf(run.Get(Start)),
            ["direction"] = run.Need(Direction).ToUpperInvariant(),
            ["depth"] = run.Get(Depth),
        };
        using var gateway = ServerOptions.Connect(run);
        var data = await gateway.AskAsync(Document, variables, run.Cancelled);
        var graph =
            data["lineage"] as JsonObject
            ?? throw new Stop(
                Exit.Refused,
                Failure.NotFound("lineage.not_found", "There is no such start, or you may not see it.")
            );
        if (run.IsJson(Format))
        {
            run.Say(graph);
            return Exit.Fine;
        }

        foreach (var node in graph["nodes"] as JsonArray ?? [])
        {
            run.Say($"{node?["kind"]}  {node?["label"]}  {node?["urn"]}");
        }

        foreach (var edge in graph["edges"] as JsonArray ?? [])
        {
            run.Say($"  {edge?["from"]} -> {edge?["to"]}  {edge?["verb"]}, {edge?["grade"]}");
        }

        if (graph["truncated"] is { } cut)
        {
            run.Say($"Cut at the limit of {cut}; {(graph["frontier"] as JsonArray)?.Count ?? 0} nodes lead on.");
        }

        run.Say($"Walked {run.Need(Direction)}, at most {run.Get(Depth)} edges from the start (--depth).");
        return Exit.Fine;
    }

    private static JsonObject StartOf(string text)
    {
        if (Digest.TryParse(text, out _))
        {
            return new JsonObject { ["dataset"] = text };
        }

        if (text.Length == 32 && text.All(char.IsAsciiHexDigitLower))
        {
            return new JsonObject { ["run"] = text };
        }

        var isUrn =
            text.Contains(':', StringComparison.Ordinal) && !text.StartsWith("models:/", StringComparison.Ordinal);
        return !isUrn && VersionName.TryParse(text) is { } version
            ? new JsonObject
            {
                ["version"] = new JsonObject { ["model"] = version.Model, ["version"] = version.Version },
            }
            : new JsonObject { ["urn"] = text };
    }
}
