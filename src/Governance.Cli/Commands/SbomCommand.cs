using System.CommandLine;
using Governance.Sbom;
using Governance.Sbom.Contracts;

namespace Governance.Cli.Commands;

/// <summary><c>govern sbom</c>: a bill of materials of a bare folder.</summary>
internal static class SbomCommand
{
    private static readonly Argument<string> Folder = new("dir") { Description = "Model folder." };
    private static readonly Option<string> Out = Shared.RequiredFile("--out", "CycloneDX 1.7 JSON to write.");

    private static readonly Option<string?> Name = new("--name")
    {
        Description = "Name of the model; the folder's name when left out.",
        HelpName = "name",
    };

    private static readonly Option<string> Version = new("--version")
    {
        Description = "Version of the model.",
        HelpName = "version",
        DefaultValueFactory = _ => "0",
    };

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "sbom",
            "Writes a bill of materials of a model folder, from its files and dependency files.",
            "govern sbom model/ --out model.cdx.json",
            "govern sbom model/ --out model.cdx.json --name fraud --version 3"
        )
        {
            Folder,
            Out,
            Name,
            Version,
        }.Runs(surroundings, RunAsync);

    private static async Task<int> RunAsync(Invocation run)
    {
        var (path, output) = (run.Get(Folder), run.Need(Out));
        var model = await ModelFolder.OpenAsync(path, output, Exit.Unusable, run.Cancelled);
        var subject = new BomSubject
        {
            Model = run.Get(Name) ?? ModelFolder.NameOf(path),
            Version = run.Need(Version),
            CreatedAt = run.Surroundings.Clock.GetUtcNow(),
            Subject = model.Manifest.Digest,
        };
        var bom = (await SbomModule.GenerateAsync(subject, model, run.Cancelled)).OrStop();
        OutputFile.Write(output, bom.Json);
        run.Say(
            $"{subject.Model}, version {subject.Version}: {model.Manifest.Files.Count} files, {bom.Components} components."
        );
        foreach (var finding in bom.Findings)
        {
            run.Say($"  note  {finding}");
        }

        run.Say($"Wrote {output}.");
        return Exit.Fine;
    }
}
