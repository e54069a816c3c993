using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Cli.Server;
using Governance.Kernel;

namespace Governance.Cli.Commands;

/// <summary><c>govern person</c> and <c>govern confirmation</c>.</summary>
internal static class PersonCommands
{
    private const string Where = "--server https://localhost:8443 --ca ca.pem";

    private const string SomePerson = "5f0c3a9e7b1d4c2f8a6e0d9b3c7f1a24";

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

    private static readonly Option<string> Issuer = new("--issuer")
    {
        Description = "Address of the provider, as its tokens name it.",
        HelpName = "url",
        Required = true,
    };

    private static readonly Option<string> Subject = new("--subject")
    {
        Description = "What the provider calls the person, and never anybody else (sub, or the claim in SubjectClaim).",
        HelpName = "text",
        Required = true,
    };

    private static readonly Argument<string> Login = new("login")
    {
        Description = "Id of the login, as 'logins' lists it.",
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static IReadOnlyList<Command> Create(Surroundings surroundings) =>
        [
            new Command(
                "person",
                "Persons: enrol them, shut and open their accounts, reset credentials, link logins. Needs a recent sign-in of an administrator."
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
                    $"govern person reset {SomePerson} {Where}"
                )
                {
                    Person,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, ResetAsync),
                Opens(surroundings, "disable", "Shuts an account: its sessions and tokens end within 5 seconds."),
                Opens(surroundings, "enable", "Opens an account again, once another administrator confirms it."),
                new Verb(
                    "logins",
                    "Lists the logins of a person at providers.",
                    $"govern person logins {SomePerson} {Where}"
                )
                {
                    Person,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, ListLoginsAsync),
                new Verb(
                    "link",
                    "Links a login at a provider to a person, once another administrator confirms it.",
                    $"govern person link {SomePerson} --issuer https://id.example --subject 00u1ab2cd {Where}"
                )
                {
                    Person,
                    Issuer,
                    Subject,
                    Format,
                }
                    .WithServer()
                    .Runs(surroundings, LinkAsync),
                new Verb(
                    "unlink",
                    "Takes a login away from a person.",
                    $"govern person unlink {SomePerson} 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11 {Where}"
                )
                {
                    Person,
                    Login,
                }
                    .WithServer()
                    .Runs(surroundings, UnlinkAsync),
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

    private static Verb Opens(Surroundings surroundings, string name, string description) =>
        new Verb(name, description, $"govern person {name} {SomePerson} {Where}") { Person }
            .WithServer()
            .Runs(surroundings, run => OpenAsync(run, name == "enable"));

    private static async Task<int> OpenAsync(Invocation run, bool enabled)
    {
        using var gateway = ServerOptions.Connect(run);
        await gateway.DoAsync(
            $"/api/v1/subjects/{Id(run)}/enabled",
            new JsonObject { ["enabled"] = enabled },
            run.Cancelled
        );
        run.Say(enabled ? "Held until another administrator confirms: govern confirmation list" : "Done.");
        return Exit.Fine;
    }

    private static Task<int> ListLoginsAsync(Invocation run) =>
        Pages.SayAsync(
            run,
            Format,
            $"/api/v1/persons/{Id(run)}/logins",
            login =>
                $"{login["id"]} {login["issuer"]} {login["subject"]}{(login["confirmed"]?.ToString() == "false" ? " (waits for a confirmation)" : "")}"
        );

    private static async Task<int> LinkAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var answer = await gateway.PostAsync(
            $"/api/v1/persons/{Id(run)}/logins",
            new JsonObject { ["issuer"] = run.Need(Issuer), ["subject"] = run.Need(Subject) },
            run.Cancelled
        );
        if (run.IsJson(Format))
        {
            run.Say(answer);
        }
        else
        {
            run.Say($"Held until another administrator confirms: govern confirmation confirm {answer["confirmation"]}");
        }

        return Exit.Fine;
    }

    private static async Task<int> UnlinkAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        await gateway.DeleteAsync(
            $"/api/v1/persons/{Id(run)}/logins/{Uri.EscapeDataString(run.Get(Login))}",
            run.Cancelled
        );
        run.Say("Done.");
        return Exit.Fine;
    }

    private static string Id(Invocation run) => Uri.EscapeDataString(run.Get(Person));

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
        return SayInvitation(
            run,
            await gateway.PostAsync($"/api/v1/persons/{Id(run)}/reset", new JsonObject(), run.Cancelled)
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
