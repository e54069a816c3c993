using System.CommandLine;
using System.Net.Http.Headers;
using Governance.Cli.Server;

namespace Governance.Cli.Commands;

/// <summary><c>govern datasets upload</c>.</summary>
internal static class DatasetCommands
{
    private static readonly Argument<string> FileArgument = new("file") { Description = "CSV file with a header row." };

    private static readonly Option<string> Name = new("--name")
    {
        Description = "Name of the dataset.",
        HelpName = "name",
        Required = true,
    };

    private static readonly Option<string> Format = Shared.Format("text", "json");

    public static Command Create(Surroundings surroundings) =>
        new("datasets", "Datasets of the gateway.")
        {
            new Verb(
                "upload",
                "Uploads a dataset; it is encrypted at rest and scanned. Prints the SHA-256 that names it from then on.",
                "govern datasets upload train.csv --name credit-train --server https://localhost:8443 --ca ca.pem"
            )
            {
                FileArgument,
                Name,
                Format,
            }
                .WithServer()
                .Runs(surroundings, RunAsync),
        };

    private static async Task<int> RunAsync(Invocation run)
    {
        using var gateway = ServerOptions.Connect(run);
        await using var file = InputFile.Open(run.Get(FileArgument));
        using var content = new StreamContent(file);
        content.Headers.ContentType = new MediaTypeHeaderValue("text/csv");
        var dataset = await gateway.PostAsync(
            $"/api/v1/datasets?name={Uri.EscapeDataString(run.Need(Name))}&format=csv",
            content,
            run.Cancelled
        );
        if (run.IsJson(Format))
        {
            run.Say(dataset);
        }
        else
        {
            run.Say($"sha256:{dataset["sha256"]}");
            run.Say($"  {dataset["name"]}, {dataset["size"]} bytes, scan {dataset["scanState"]}");
            run.Say(
                $"  In MLflow, log_input with the source governance:/datasets/sha256:{dataset["sha256"]} binds a run to it."
            );
        }

        return Exit.Fine;
    }
}
