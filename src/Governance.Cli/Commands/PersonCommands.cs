using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Cli.Server;
using Governance.Kernel;

namespace Governance.Cli.Commands;

/// <summary><c>govern person</c> and <c>govern confirmation</c>.</summary>
internal static class PersonCommands
{
    private const string Where = "--server https://localhost:8443 --ca ca.pem";

    private static readonly Argument<string> UserName = new("user-name") { Description = "Name to sign in with." };

    private static readonly Argument<string> Person = new("id") { Description = "Pseudonym of the person." };

    private static readonly Argument<string> Confirmation = new("id") { Description = "Id of the confirmation." };

    private static readonly Option<string> DisplayName = new("--display-name")
    {
        Description = "Name for other people.",
        HelpName = "name",
        Required = true,
    };

    private static readonly Option<string[]> Role = new("--role")
    {
        Description = "Role on everything; may be repeated.",
        HelpName = "role",
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static IReadOnlyList<Command> Create(Surroundings surroundings) =>
        [
            new Command(
                "person",
                "Persons: enrol them, reset their credentials. Needs a recent sign-in of an administrator."
            )
            {
                new Verb(
                    "enrol",
                    "Enrols a person; prints the one-time code by which they set their own password.",
                    $"govern person enrol rita --display-name 'Rita Reviewer' --role reviewer {Where}"
                )
                {
                    UserName,
                    DisplayName,
                    Role,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, EnrolAsync),
                new Verb(
                    "reset",
                    "Takes every credential of a person away and prints a new one-time code.",
                    $"govern person reset 5f0c3a9e7b1d4c2f8a6e0d9b3c7f1a24 {Where}"
                )
                {
                    Person,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, ResetAsync),
                new Verb("list", "Lists persons and services.", $"govern person list {Where}") { Format }
                    .WithServer()
                    .Runs(surroundings, ListPersonsAsync),
            },
            new Command("confirmation", "Privileged changes that wait for a second administrator.")
            {
                new Verb("list", "Lists what waits.", $"govern confirmation list {Where}") { Format }
                    .WithServer()
                    .Runs(surroundings, ListAsync),
                Decides(surroundings, "confirm", "Confirms a change. Never one's own, never one that one gains by."),
                Decides(
                    surroundings,
                    "reject",
                    "Rejects a change and undoes it; a new, reset or reopened account is shut."
                ),
                Decides(surroundings, "renew", "Asks again for a confirmation that nobody gave in time."),
            },
        ];

    private static Verb Decides(Surroundings surroundings, string name, string description) =>
        new Verb(name, description, $"govern confirmation {name} 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11 {Where}")
        {
            Confirmation,
        }
            .WithServer()
            .Runs(surroundings, run => DecideAsync(run, name));

    private static async Task<int> EnrolAsync(Invocation run)
    {
        var grants = (run.Get(Role) ?? []).Select(role => (JsonNode)new JsonObject { ["role"] = role });
        using var gateway = ServerOptions.Connect(run);
        var invitation = await gateway.PostAsync(
            "/api/v1/persons",
            new JsonObject
            {
                ["userName"] = run.Get(UserName),
                ["displayName"] = run.Need(DisplayName),
                ["grants"] = new JsonArray([.. grants]),
            },
            run.Cancelled
        );
        return SayInvitation(run, invitation);
    }

    private static async Task<int> ResetAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var id = Uri.EscapeDataString(run.Get(Person));
        return SayInvitation(
            run,
            await gateway.PostAsync($"/api/v1/persons/{id}/reset", new JsonObject(), run.Cancelled)
        );
    }

    private static int SayInvitation(Invocation run, JsonObject invitation)
    {
        if (run.IsJson(Format))
        {
            run.Say(invitation);
            return Exit.Fine;
        }

        run.Say($"{invitation["id"]}");
        run.Say(
            $"  One-time code {invitation["code"]}, good until {invitation["expiresAt"]}, at {invitation["enrolAt"]}"
        );
        run.Say(
            invitation["confirmation"] is { } confirmation
                ? $"  Held until another administrator confirms: govern confirmation confirm {confirmation}"
                : "  Nobody has to confirm: this is the second administrator."
        );
        return Exit.Fine;
    }

    private static Task<int> ListPersonsAsync(Invocation run) =>
        Pages.SayAsync(
            run,
            Format,
            "/api/v1/subjects",
            subject =>
            {
                var roles = (subject["grants"] as JsonArray ?? []).Select(grant => grant?["role"]?.ToString());
                return $"{subject["id"]} {subject["kind"]} {subject["displayName"]}: {string.Join(", ", roles)}";
            }
        );

    private static Task<int> ListAsync(Invocation run) =>
        Pages.SayAsync(
            run,
            Format,
            "/api/v1/confirmations",
            one =>
                $"{one["id"]} {one["change"]} of {one["subject"] ?? $"group {one["group"]}"}, asked by {one["requestedBy"]}, until {one["expiresAt"]}: {one["details"]?.ToJsonString()}"
        );

    private static async Task<int> DecideAsync(Invocation run, string verb)
    {
        var id = run.Get(Confirmation);
        if (!Guid.TryParse(id, out var confirmation))
        {
            throw Stop.Usage("The id of a confirmation looks like 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11.");
        }

        using var gateway = ServerOptions.Connect(run);
        await gateway.DoAsync($"/api/v1/confirmations/{confirmation}/{verb}", null, run.Cancelled);
        run.Say("Done.");
        return Exit.Fine;
    }
}
