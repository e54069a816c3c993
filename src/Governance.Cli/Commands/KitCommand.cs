using System.CommandLine;
using Governance.Cli.Server;

namespace Governance.Cli.Commands;

/// <summary><c>govern kit</c>: takes along what verifies a version without the gateway.</summary>
internal static class KitCommand
{
    private static readonly Argument<string> Version = VersionName.Argument();

    private static readonly Option<string> Out = Shared.RequiredFile("--out", "Zip archive to write.");

    public static Command Create(Surroundings surroundings) =>
        new Verb(
            "kit",
            "Downloads what verifies a version offline: signature, attestations, receipts, trusted root, guide.",
            "govern kit fraud/3 --out fraud-3.zip --server https://localhost:8443 --ca ca.pem",
            "govern verify fraud-3.zip --artifacts model/ --trusted-root trusted_root.json"
        )
        {
            Version,
            Out,
        }
            .WithServer()
            .Runs(surroundings, RunAsync);

    private static async Task<int> RunAsync(Invocation run)
    {
        var (version, output) = (VersionName.Parse(run.Get(Version)), run.Need(Out));
        using var gateway = ServerOptions.Connect(run);
        var kit = await gateway.GetAsync(
            $"/api/v1/models/{Uri.EscapeDataString(version.Model)}/versions/{version.Version}/kit",
            run.Cancelled
        );
        OutputFile.Write(output, kit);
        run.Say($"Wrote {output} ({kit.Length} bytes).");
        run.Say($"Check it: govern verify {output} --trusted-root trusted_root.json");
        return Exit.Fine;
    }
}
