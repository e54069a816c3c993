using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Platform.Blobs;
using Governance.Scanning;
using Governance.Scanning.Contracts;

namespace Governance.Cli.Commands;

/// <summary><c>govern scan</c>: looks into model files and never loads one.</summary>
internal static class ScanCommand
{
    private static readonly Argument<string[]> Paths = new("path")
    {
        Description = "Files or folders.",
        Arity = ArgumentArity.OneOrMore,
    };

    private static readonly Option<string> Format = Shared.Format("text", "jsonl");

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "scan",
            "Scans model files for code and threats, without ever loading them. Exit 1 if anything is found.",
            "govern scan model/",
            "govern scan model.pkl adapter.safetensors --format jsonl"
        )
        {
            Paths,
            Format,
        }.Runs(surroundings, RunAsync);

    private static async Task<int> RunAsync(Invocation run)
    {
        var scanner = ScanningModule.CreateScanner();
        var worst = ScanClass.Clean;
        foreach (var path in run.Get(Paths))
        {
            var source = await ModelFolder.OpenAsync(path, null, Exit.Refused, run.Cancelled);
            var report = await scanner.ScanAsync(source, run.Cancelled);
            worst = report.Class > worst ? report.Class : worst;
            if (run.IsJson(Format))
            {
                SayLines(run, path, source, report);
            }
            else
            {
                SayText(run, path, report);
            }
        }

        return worst == ScanClass.Clean ? Exit.Fine : Exit.Refused;
    }

    private static void SayText(Invocation run, string path, ScanReport report)
    {
        run.Say(
            $"{path}: {Word(report.Class)} ({report.FilesScanned} files, {report.BytesScanned} bytes, rules {report.RulesVersion})"
        );
        foreach (var finding in report.Findings)
        {
            var place = finding.Offset is { } offset ? $" at byte {offset}" : "";
            run.Say($"  {Word(finding.Class)}  {finding.Path}  {finding.Rule}: {finding.Detail}{place}");
        }
    }

    // One line a finding, and one for each file without any. A report that is full may lack findings, so it calls no file clean.
    private static void SayLines(Invocation run, string path, FolderArtifacts source, ScanReport report)
    {
        foreach (var finding in report.Findings)
        {
            run.Say(
                new JsonObject
                {
                    ["root"] = path,
                    ["path"] = finding.Path,
                    ["class"] = Word(finding.Class),
                    ["rule"] = finding.Rule,
                    ["detail"] = finding.Detail,
                    ["offset"] = finding.Offset,
                }
            );
        }

        var found = report.Findings.Select(finding => finding.Path.Split('!')[0]).ToHashSet(StringComparer.Ordinal);
        var full = report.Findings.Count >= 1000;
        foreach (var file in source.Manifest.Files.Where(file => !full && !found.Contains(file.Path)))
        {
            run.Say(
                new JsonObject
                {
                    ["root"] = path,
                    ["path"] = file.Path,
                    ["class"] = Word(ScanClass.Clean),
                }
            );
        }
    }

    private static string Word(ScanClass scanClass) =>
        scanClass switch
        {
            ScanClass.Clean => "clean",
            ScanClass.ContainsCode => "contains-code",
            ScanClass.Suspicious => "suspicious",
            ScanClass.Unparsable => "unparsable",
            ScanClass.TimedOut => "timed-out",
            _ => "malicious",
        };
}
