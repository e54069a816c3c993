using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Cli.Server;
using Governance.Kernel;

namespace Governance.Cli.Commands;

/// <summary><c>govern request</c>, <c>approve</c>, <c>reject</c>, <c>promote</c>.</summary>
internal static class PromotionCommands
{
    private const string RequestFields = "{ id model version target state evidenceSubject }";

    private static readonly Argument<string> Version = VersionName.Argument();

    private static readonly Argument<string> Id = new("id") { Description = "Id of the request." };

    private static readonly Option<string> To = new("--to")
    {
        Description = "stage:Staging, stage:Production, stage:Archived, stage:None or alias:NAME.",
        HelpName = "target",
        Required = true,
    };

    private static readonly Option<string> Reason = Words("--reason", "Why, for the reviewers; kept with the request.");

    private static readonly Option<string> Comment = Words("--comment", "Kept with the decision.");

    private static readonly Option<bool> ArchiveExisting = new("--archive-existing")
    {
        Description = "Archive what is in that stage now.",
    };

    private static readonly Option<string?> Receipt = Shared.File(
        "--receipt",
        "Write the promotion receipt, for govern verify."
    );

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static IReadOnlyList<Command> Create(Surroundings surroundings) =>
        [
            new Verb(
                "request",
                "Asks for a version to be promoted.",
                "govern request fraud/3 --to stage:Production --reason 'beats version 2' --server https://localhost:8443 --ca ca.pem"
            )
            {
                Version,
                To,
                Reason,
                Format,
            }
                .WithServer()
                .Runs(surroundings, RequestAsync),
            Decides(surroundings, "approve", "approveRequest", "Approves a request. Persons only, never one's own."),
            Decides(surroundings, "reject", "rejectRequest", "Rejects a request. Persons only, never one's own."),
            new Verb(
                "promote",
                "Moves a version into a stage or under an alias, if policy allows it now.",
                "govern promote fraud/3 --to stage:Production --receipt receipt.json --server https://localhost:8443 --ca ca.pem"
            )
            {
                Version,
                To,
                ArchiveExisting,
                Receipt,
                Format,
            }
                .WithServer()
                .Runs(surroundings, PromoteAsync),
        ];

    private static Verb Decides(Surroundings surroundings, string name, string field, string description) =>
        new Verb(
            name,
            description,
            $"govern {name} 0197c9a2-6c1e-7d30-9a55-0f4b6d0b7a11 --server https://localhost:8443 --ca ca.pem"
        )
        {
            Id,
            Comment,
            Format,
        }
            .WithServer()
            .Runs(surroundings, run => DecideAsync(run, field));

    private static async Task<int> RequestAsync(Invocation run)
    {
        var variables = Move(run);
        variables["reason"] = run.Need(Reason);
        return await SayRequestAsync(
            run,
            "requestPromotion",
            "mutation Request($model: String!, $version: Int!, $target: PromotionTarget!, $reason: String!) { "
                + $"requestPromotion(model: $model, version: $version, target: $target, reason: $reason) {RequestFields} }}",
            variables
        );
    }

    private static Task<int> DecideAsync(Invocation run, string field) =>
        SayRequestAsync(
            run,
            field,
            $"mutation Decide($id: ID!, $comment: String!) {{ {field}(id: $id, comment: $comment) {RequestFields} }}",
            new JsonObject { ["id"] = run.Get(Id), ["comment"] = run.Need(Comment) }
        );

    private static async Task<int> SayRequestAsync(Invocation run, string field, string document, JsonObject variables)
    {
        using var gateway = ServerOptions.Connect(run);
        var data = await gateway.AskAsync(document, variables, run.Cancelled);
        var request = data[field] as JsonObject ?? [];
        if (run.IsJson(Format))
        {
            run.Say(request);
        }
        else
        {
            run.Say(
                $"Request {request["id"]}: {request["model"]}/{request["version"]} to {request["target"]}, {request["state"]}"
            );
        }

        return Exit.Fine;
    }

    private static async Task<int> PromoteAsync(Invocation run)
    {
        var variables = Move(run);
        variables["archive"] = run.Get(ArchiveExisting);
        using var gateway = ServerOptions.Connect(run);
        var data = await gateway.AskAsync(
            "mutation Promote($model: String!, $version: Int!, $target: PromotionTarget!, $archive: Boolean!) { "
                + "carryOutPromotion(model: $model, version: $version, target: $target, archiveExisting: $archive) "
                + "{ version { model version stage aliases } receipt { id json } } }",
            variables,
            run.Cancelled
        );
        var promotion = data["carryOutPromotion"] as JsonObject ?? [];
        if (run.IsJson(Format))
        {
            run.Say(promotion);
        }
        else
        {
            var version = promotion["version"];
            run.Say($"{version?["model"]}/{version?["version"]} is in stage {version?["stage"]}.");
            run.Say(
                promotion["receipt"] is { } receipt
                    ? $"Receipt {receipt["id"]}"
                    : "Nothing changed: it held already, so there is no new receipt."
            );
        }

        if (run.Get(Receipt) is { } path)
        {
            var json =
                promotion["receipt"]?["json"]?.ToString()
                ?? throw new Stop(
                    Exit.Refused,
                    Failure.Conflict("cli.no_receipt", "The promotion holds, but there is no receipt to write yet.")
                );
            OutputFile.Write(path, Encoding.UTF8.GetBytes(json));
        }

        return Exit.Fine;
    }

    private static JsonObject Move(Invocation run)
    {
        var version = VersionName.Parse(run.Get(Version));
        return new JsonObject
        {
            ["model"] = version.Model,
            ["version"] = version.Version,
            ["target"] = VersionName.Target(run.Need(To)),
        };
    }

    private static Option<string> Words(string name, string description) =>
        new(name)
        {
            Description = description,
            HelpName = "text",
            DefaultValueFactory = _ => "",
        };
}
