using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Cli.Server;

namespace Governance.Cli.Commands;

/// <summary><c>govern whoami</c>.</summary>
internal static class WhoAmICommand
{
    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "whoami",
            $"Says who your token is and what it may do. Like all verbs with --server it reads the token from {ServerOptions.TokenVariable}.",
            "govern whoami --server https://localhost:8443 --ca ca.pem"
        )
        {
            Format,
        }
            .WithServer()
            .Runs(surroundings, RunAsync);

    private static async Task<int> RunAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var data = await gateway.AskAsync(
            "query WhoAmI { whoAmI { id kind authenticatedAt roles { role on pattern targets exceptTargets expiresAt group } permissions } }",
            [],
            run.Cancelled
        );
        var me = data["whoAmI"] as JsonObject ?? [];
        if (run.IsJson(Format))
        {
            run.Say(me);
            return Exit.Fine;
        }

        run.Say($"{me["kind"]} {me["id"]}");
        foreach (var role in me["roles"] as JsonArray ?? [])
        {
            var pattern = role?["pattern"]?.ToString();
            run.Say(
                $"  {role?["role"]}"
                    + (pattern is null or "" ? " on everything" : $" on {role?["on"]} {pattern}")
                    + (role?["targets"] is JsonArray { Count: > 0 } only ? $" only {string.Join(", ", only)}" : "")
                    + (
                        role?["exceptTargets"] is JsonArray { Count: > 0 } not
                            ? $" except {string.Join(", ", not)}"
                            : ""
                    )
                    + (role?["expiresAt"] is { } end ? $" until {end}" : "")
                    + (role?["group"] is { } group ? $" through group {group}" : "")
            );
        }

        run.Say($"May: {string.Join(", ", me["permissions"] as JsonArray ?? [])}");
        return Exit.Fine;
    }
}
