using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Cli.Server;
using Governance.Kernel;

namespace Governance.Cli.Commands;

/// <summary><c>govern policy propose</c> and what follows: a new text takes another person.</summary>
internal static class PolicyChangeCommands
{
    private const string Where = "--server https://localhost:8443 --ca ca.pem";
    private const string Id = "0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11";

    private static readonly Argument<string> Name = new("name") { Description = "Policy: promotion or signers." };

    private static readonly Argument<string> AnyName = new("name")
    {
        Description = "Policy: promotion, signers or privacy.",
    };

    private static readonly Argument<string> Proposal = new("id") { Description = "Id of the proposal." };

    private static readonly Option<string?> Text = Shared.File("--file", "Text to propose.");

    private static readonly Option<string?> Former = new("--rollback")
    {
        Description = "Instead of a file: SHA-256 of a text that was in force before.",
        HelpName = "digest",
    };

    private static readonly Option<string> Reason = new("--reason")
    {
        Description = "Why; the other person reads it.",
        HelpName = "text",
        Required = true,
    };

    private static readonly Option<string?> ActiveFrom = new("--active-from")
    {
        Description = "Not in force before this time, UTC, such as 2026-01-31T12:00:00Z.",
        HelpName = "time",
    };

    private static readonly Option<string?> OldText = new("--digest")
    {
        Description = "SHA-256 of a text that was in force before. Left out: the one in force.",
        HelpName = "digest",
    };

    private static readonly Option<string?> Proposed = new("--proposal")
    {
        Description = "Instead: a proposal, and what it would change.",
        HelpName = "id",
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static IEnumerable<Verb> Create(Surroundings surroundings) =>
        [
            new Verb(
                "propose",
                "Proposes a new text, which another person approves. Exit 1 if it breaks its grammar.",
                $"govern policy propose promotion --file promotion.yaml --reason \"Two reviewers\" {Where}",
                $"govern policy propose promotion --rollback 5f0c… --reason \"Back to one\" {Where}"
            )
            {
                Name,
                Text,
                Former,
                Reason,
                ActiveFrom,
                Format,
            }
                .WithServer()
                .Runs(surroundings, ProposeAsync),
            new Verb("proposals", "Lists proposals, newest first.", $"govern policy proposals promotion {Where}")
            {
                Name,
                Format,
            }
                .WithServer()
                .Runs(surroundings, ListAsync),
            Decides(surroundings, "approve", "Approves a proposal of another person, which brings it into force."),
            Decides(surroundings, "reject", "Rejects a proposal of another person."),
            Decides(surroundings, "withdraw", "Takes one's own proposal back."),
            new Verb(
                "show",
                "Shows the text in force, an old one, or a proposal with what it would change.",
                $"govern policy show promotion {Where}",
                $"govern policy show promotion --proposal {Id} {Where}"
            )
            {
                AnyName,
                OldText,
                Proposed,
                Format,
            }
                .WithServer()
                .Runs(surroundings, ShowAsync),
            new Verb(
                "history",
                "Lists the texts that were, are and will be in force, newest first.",
                $"govern policy history promotion {Where}"
            )
            {
                AnyName,
                Format,
            }
                .WithServer()
                .Runs(surroundings, HistoryAsync),
        ];

    private static Verb Decides(Surroundings surroundings, string name, string description) =>
        new Verb(name, description, $"govern policy {name} promotion {Id} {Where}") { Name, Proposal, Format }
            .WithServer()
            .Runs(surroundings, run => DecideAsync(run, name));

    private static async Task<int> ProposeAsync(Invocation run)
    {
        var (file, former) = (run.Get(Text), run.Get(Former));
        if (file is null == former is null)
        {
            throw Stop.Usage("Name a file or a text to go back to, one of them.");
        }

        var text = file is null ? null : InputFile.ReadText(file);
        using var gateway = ServerOptions.Connect(run);
        var body = new JsonObject
        {
            ["text"] = text ?? $"{(await TextAsync(run, gateway, run.Get(Name), former))["text"]}",
            ["reason"] = run.Need(Reason),
        };
        if (run.Get(ActiveFrom) is { } time)
        {
            body["activeFrom"] = time;
        }

        var proposed = await gateway.PostAsync(At(run.Get(Name)), body, run.Cancelled);
        Say(
            run,
            proposed,
            $"Proposed. Another person decides: govern policy show {proposed["name"]} --proposal {proposed["id"]}"
        );
        return Exit.Fine;
    }

    private static Task<int> ListAsync(Invocation run) => Pages.SayAsync(run, Format, At(run.Get(Name)), Line);

    private static async Task<int> DecideAsync(Invocation run, string verb)
    {
        using var gateway = ServerOptions.Connect(run);
        var path = $"{At(run.Get(Name))}/{IdOf(run.Get(Proposal))}/{verb}";
        var decided = await gateway.PostAsync(path, [], run.Cancelled);
        Say(run, decided, Line(decided));
        return Exit.Fine;
    }

    private static async Task<int> ShowAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        if (run.Get(Proposed) is not { } id)
        {
            var shown = await TextAsync(run, gateway, run.Get(AnyName), run.Get(OldText));
            Say(run, shown, [.. $"{shown["text"]}".TrimEnd('\n').Split('\n')]);
            return Exit.Fine;
        }

        var proposal = await gateway.ReadAsync($"{At(run.Get(AnyName))}/{IdOf(id)}", run.Cancelled);
        var changes = (proposal["changes"] as JsonArray ?? []).Select(line => $"{line}");
        Say(run, proposal, [Line(proposal), $"  why: {proposal["reason"]}", .. changes]);
        return Exit.Fine;
    }

    private static Task<int> HistoryAsync(Invocation run)
    {
        var name = run.Get(AnyName);
        return Pages.SayAsync(
            run,
            Format,
            "/api/v1/policies",
            text =>
                $"{text["name"]}" == name
                    ? $"{text["state"]} sha256:{text["sha256"]} from {text["activeFrom"]} by {text["editor"]} {text["proposal"]}".TrimEnd()
                    : null
        );
    }

    private static Task<JsonObject> TextAsync(Invocation run, GatewayClient gateway, string name, string? digest)
    {
        var query = digest is null ? "" : $"?sha256={Uri.EscapeDataString(digest)}";
        return gateway.ReadAsync($"/api/v1/policies/{Uri.EscapeDataString(name)}{query}", run.Cancelled);
    }

    private static string At(string name) => $"/api/v1/policies/{Uri.EscapeDataString(name)}/proposals";

    private static Guid IdOf(string text) =>
        Guid.TryParse(text, out var id) ? id : throw Stop.Usage($"The id of a proposal looks like {Id}.");

    private static void Say(Invocation run, JsonObject answer, params IReadOnlyList<string> lines)
    {
        if (run.IsJson(Format))
        {
            run.Say(answer);
            return;
        }

        foreach (var line in lines)
        {
            run.Say(line);
        }
    }

    private static string Line(JsonNode proposal) =>
        $"{proposal["id"]} {proposal["state"]} sha256:{proposal["sha256"]} by {proposal["proposedBy"]}"
        + (proposal["activeFrom"] is { } time ? $" from {time}" : "");
}
