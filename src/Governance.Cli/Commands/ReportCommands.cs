using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Cli.Server;

namespace Governance.Cli.Commands;

/// <summary><c>govern report create</c>.</summary>
internal static class ReportCommands
{
    private static readonly Option<string> Regulation = new("--regulation")
    {
        Description = "gdpr, lgpd or hipaa.",
        HelpName = "name",
        Required = true,
    };

    private static readonly Option<string?> Model = new("--model") { Description = "Model.", HelpName = "name" };
    private static readonly Option<int?> Version = new("--version") { Description = "Its version.", HelpName = "n" };

    private static readonly Option<string?> Scope = new("--scope")
    {
        Description = "MODEL/VERSION, instead of --model and --version.",
        HelpName = "model/n",
    };

    private static readonly Option<string> Out = Shared.RequiredFile(
        "--out",
        "File to write. Beside a PDF or CSV its signature is written to FILE.sigstore.json."
    );

    private static readonly Option<string> Format = Shared.Format("json", "pdf", "csv");

    public static Command Create(Surroundings surroundings) =>
        new("report", "Compliance reports.")
        {
            new Verb(
                "create",
                "Creates a signed compliance report about a version and downloads it.",
                "govern report create --regulation gdpr --scope fraud/3 --out report.json --server https://localhost:8443 --ca ca.pem",
                "govern report create --regulation lgpd --model fraud --version 3 --out report.pdf --format pdf --server https://localhost:8443 --ca ca.pem"
            )
            {
                Regulation,
                Model,
                Version,
                Scope,
                Out,
                Format,
            }
                .WithServer()
                .Runs(surroundings, RunAsync),
        };

    private static async Task<int> RunAsync(Invocation run)
    {
        var (format, output) = (run.Need(Format), run.Need(Out));
        var body = About(run);
        body["regulation"] = run.Need(Regulation).ToLowerInvariant();
        using var gateway = ServerOptions.Connect(run);
        var report = await gateway.PostAsync("/api/v1/reports", body, run.Cancelled);
        var address = $"/api/v1/reports/{Uri.EscapeDataString(report["id"]?.ToString() ?? "")}";
        OutputFile.Write(output, await gateway.GetAsync($"{address}?format={format}", run.Cancelled));
        run.Say($"Report {report["id"]}: {report["regulation"]} about {report["model"]}/{report["version"]}");
        run.Say($"Wrote {output}.");
        var bundle = $"{output}.sigstore.json";
        if (format != "json")
        {
            OutputFile.Write(bundle, await gateway.GetAsync($"{address}?format=bundle", run.Cancelled));
            run.Say($"Wrote {bundle}.");
        }

        run.Say(
            $"Check it: govern verify {output}{(format == "json" ? "" : $" --bundle {bundle}")} --trusted-root trusted_root.json"
        );
        return Exit.Fine;
    }

    private static JsonObject About(Invocation run) =>
        (run.Get(Scope), run.Get(Model), run.Get(Version)) switch
        {
            ({ } scope, null, null) when VersionName.Parse(scope) is var version => new JsonObject
            {
                ["model"] = version.Model,
                ["version"] = version.Version,
            },
            (null, { } model, { } version) => new JsonObject { ["model"] = model, ["version"] = version },
            _ => throw Stop.Usage("Name the version: either --scope MODEL/VERSION, or --model and --version."),
        };
}
