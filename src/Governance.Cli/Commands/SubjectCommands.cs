using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Cli.Server;
using Governance.Kernel;

namespace Governance.Cli.Commands;

/// <summary><c>govern subjects</c>: erasing persons, legal holds, and the proof of an erasure.</summary>
internal static class SubjectCommands
{
    private const string Where = "--server https://localhost:8443 --ca ca.pem";
    private const string Somebody = "5f0c3a9e7b1d4c2f8a6e0d9b3c7f1a24";

    private static readonly Argument<string> Person = new("id") { Description = "Pseudonym of the person." };

    private static readonly Argument<Guid> Hold = new("hold") { Description = "Id of the hold." };

    private static readonly Option<string> Ground = new("--ground")
    {
        Description =
            "Why, after GDPR Art. 17(1): no-longer-needed, consent-withdrawn, objection, unlawful or legal-obligation.",
        HelpName = "ground",
        Required = true,
    };

    private static readonly Option<string> Reason = new("--reason")
    {
        Description = "Why; kept encrypted under the person's own key.",
        HelpName = "text",
        Required = true,
    };

    private static readonly Option<string> Root = Shared.RequiredFile(
        "--trusted-root",
        "trusted_root.json, obtained beforehand: the log's key is taken from it, never from the server."
    );

    private static readonly Option<string> Out = Shared.RequiredFile("--out", "Where the proof is written.");

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new("subjects", "Erases persons, and keeps them from being erased. Changes need a recent sign-in.")
        {
            new Verb(
                "erase",
                "Asks for the erasure of a person, which another administrator confirms. It cannot be undone.",
                $"govern subjects erase {Somebody} --ground no-longer-needed {Where}"
            )
            {
                Person,
                Ground,
                Format,
            }
                .WithServer()
                .Runs(surroundings, EraseAsync),
            new Verb("status", "Says how far an erasure is.", $"govern subjects status {Somebody} {Where}")
            {
                Person,
                Format,
            }
                .WithServer()
                .Runs(surroundings, StatusAsync),
            new Verb(
                "proof",
                "Writes the proof that the key of a person was destroyed, which govern verify checks offline. Needs audit:read on everything.",
                $"govern subjects proof {Somebody} {Where} --trusted-root trusted_root.json --out erased.json"
            )
            {
                Person,
                Root,
                Out,
            }
                .WithServer()
                .Runs(surroundings, ProofAsync),
            new Verb(
                "hold",
                "Sets a legal hold: while there is one, the person is not erased. Needs subject:hold on everything.",
                $"govern subjects hold {Somebody} --reason \"Case 12/2026\" {Where}"
            )
            {
                Person,
                Reason,
                Format,
            }
                .WithServer()
                .Runs(surroundings, HoldAsync),
            new Verb(
                "holds",
                "Lists the legal holds of a person with their reasons; that is logged.",
                $"govern subjects holds {Somebody} {Where}"
            )
            {
                Person,
                Format,
            }
                .WithServer()
                .Runs(surroundings, HoldsAsync),
            new Verb(
                "release",
                "Lifts a legal hold.",
                $"govern subjects release {Somebody} 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11 --reason Settled {Where}"
            )
            {
                Person,
                Hold,
                Reason,
            }
                .WithServer()
                .Runs(surroundings, ReleaseAsync),
        };

    private static async Task<int> EraseAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var body = new JsonObject { ["ground"] = run.Need(Ground) };
        var asked = await gateway.PostAsync($"{Path(run)}/erasure", body, run.Cancelled);
        Say(run, asked, $"Waits for another administrator: govern confirmation confirm {asked["confirmation"]}");
        return Exit.Fine;
    }

    private static async Task<int> StatusAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var status = await gateway.ReadAsync($"{Path(run)}/erasure", run.Cancelled);
        var holds = string.Join(' ', (status["holds"] as JsonArray ?? []).Select(hold => $"{hold}"));
        Say(
            run,
            status,
            $"{status["state"]}"
                + (status["entry"] is { } entry ? $", begun by entry {entry}" : "")
                + (status["proof"] is { } proof ? $", proved by entry {proof}" : "")
                + (holds.Length > 0 ? $", held by {holds}" : "")
        );
        return Exit.Fine;
    }

    private static async Task<int> ProofAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var subject = Uri.EscapeDataString($"subject:{run.Get(Person)}");
        var page = await gateway.ReadAsync(
            $"/api/v1/audit/entries?subject={subject}&kind=identity.erased&outcome=done&first=1",
            run.Cancelled
        );
        return page["entries"] is JsonArray { Count: 1 } entries && Guid.TryParse($"{entries[0]?["id"]}", out var id)
            ? await EntriesCommand.WriteProofAsync(
                run,
                gateway,
                id,
                Root,
                Out,
                entry =>
                    $"{entry["kind"]}" == "identity.erased" && $"{entry["subject"]}" == $"subject:{run.Get(Person)}"
            )
            : throw new Stop(
                Exit.Refused,
                Failure.NotFound("identity.not_erased", "The log does not say that this person was erased.")
            );
    }

    private static async Task<int> HoldAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var body = new JsonObject { ["reason"] = run.Need(Reason) };
        var set = await gateway.PostAsync($"{Path(run)}/holds", body, run.Cancelled);
        Say(run, set, $"Held: {set["id"]}");
        return Exit.Fine;
    }

    private static Task<int> HoldsAsync(Invocation run) =>
        Pages.SayAsync(
            run,
            Format,
            $"{Path(run)}/holds",
            hold => $"{hold["id"]} set {hold["setAt"]} by {hold["setBy"]}: {hold["reason"]}"
        );

    private static async Task<int> ReleaseAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var body = new JsonObject { ["reason"] = run.Need(Reason) };
        await gateway.DoAsync($"{Path(run)}/holds/{run.Get(Hold)}/release", body, run.Cancelled);
        run.Say("Lifted.");
        return Exit.Fine;
    }

    private static string Path(Invocation run) => $"/api/v1/subjects/{Uri.EscapeDataString(run.Get(Person))}";

    private static void Say(Invocation run, JsonObject answer, string text)
    {
        if (run.IsJson(Format))
        {
            run.Say(answer);
        }
        else
        {
            run.Say(text);
        }
    }
}
