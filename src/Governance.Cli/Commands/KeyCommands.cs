using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Cli.Server;

namespace Governance.Cli.Commands;

/// <summary><c>govern keys</c>: which keys the gateway has, what they signed, replacing and revoking them.</summary>
internal static class KeyCommands
{
    private const string Where = "--server https://localhost:8443 --ca ca.pem";

    private static readonly Argument<string> Name = new("name")
    {
        Description = "Task of the key: signing, ca-signers, certificate-log, timestamp or signature-log.",
    };

    private static readonly Argument<string> Key = new("id")
    {
        Description = "Id of the key: the hint that signatures name it by.",
    };

    private static readonly Option<string?> OfKey = new("--key") { Description = "Id of a key.", HelpName = "id" };

    private static readonly Option<string?> Identity = new("--identity")
    {
        Description = "Whom certificates name: the address of a signer.",
        HelpName = "address",
    };

    private static readonly Option<string?> Since = new("--from")
    {
        Description = "Signatures of this time or later, UTC, such as 2026-01-31T12:00:00Z.",
        HelpName = "time",
    };

    private static readonly Option<string> BadSince = new("--from")
    {
        Description = "Since when it is bad, UTC, such as 2026-01-31T12:00:00Z.",
        HelpName = "time",
        Required = true,
    };

    private static readonly Option<string> Reason = new("--reason")
    {
        Description = "Why; it stands in the log.",
        HelpName = "text",
        Required = true,
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new("keys", "Keys of the gateway. Changes need a recent sign-in of an administrator.")
        {
            new Verb("list", "Lists the keys with their windows.", $"govern keys list {Where}") { Format }
                .WithServer()
                .Runs(surroundings, ListAsync),
            new Verb(
                "signatures",
                "Says what a key, or the keys of a person, signed; for auditors.",
                $"govern keys signatures --key 5f0c… --from 2026-01-31T12:00:00Z {Where}"
            )
            {
                OfKey,
                Identity,
                Since,
                Format,
            }
                .WithServer()
                .Runs(surroundings, SignaturesAsync),
            new Verb(
                "rotate",
                "Replaces a key; the old one counts for what it signed.",
                $"govern keys rotate signing {Where}"
            )
            {
                Name,
                Format,
            }
                .WithServer()
                .Runs(surroundings, RotateAsync),
            new Verb(
                "revoke",
                "Declares a key bad since a time: what it signed from then on does not count.",
                $"govern keys revoke 5f0c… --from 2026-01-31T12:00:00Z --reason \"Laptop stolen\" {Where}"
            )
            {
                Key,
                BadSince,
                Reason,
                Format,
            }
                .WithServer()
                .Runs(surroundings, RevokeAsync),
        };

    private static Task<int> ListAsync(Invocation run) => Pages.SayAsync(run, Format, "/api/v1/keys", Line);

    private static Task<int> SignaturesAsync(Invocation run)
    {
        var query = new[] { ("key", run.Get(OfKey)), ("identity", run.Get(Identity)), ("from", run.Get(Since)) }
            .Where(part => part.Item2 is not null)
            .Select(part => $"{part.Item1}={Uri.EscapeDataString(part.Item2!)}");
        return Pages.SayAsync(
            run,
            Format,
            $"/api/v1/keys/signatures?{string.Join('&', query)}",
            use => $"{use["at"]} {use["role"]} {use["subject"]} {use["identity"]}".TrimEnd()
        );
    }

    private static async Task<int> RotateAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var name = Uri.EscapeDataString(run.Get(Name));
        var key = await gateway.PostAsync($"/api/v1/keys/{name}/rotate", [], run.Cancelled);
        Say(run, key, Line(key));
        return Exit.Fine;
    }

    private static async Task<int> RevokeAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        var body = new JsonObject
        {
            ["key"] = run.Get(Key),
            ["from"] = run.Need(BadSince),
            ["reason"] = run.Need(Reason),
        };
        var done = await gateway.PostAsync("/api/v1/keys/revoke", body, run.Cancelled);
        Say(run, done, $"Revoked. Signatures that do not count any more: {done["signatures"]}.");
        return Exit.Fine;
    }

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

    private static string Line(JsonNode key) =>
        $"{key["name"]} {key["number"]} {key["state"]} {key["id"]} from {key["activeFrom"]}"
        + (key["end"] is { } end ? $" until {end}" : "");
}
