using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Governance.ArchitectureTests;

/// <summary>A published gateway starts without the repository beside it.</summary>
public class PublishTests
{
    [Fact]
    public async Task The_policies_are_published_with_the_gateway()
    {
        var root = RankTests.Root();
        var start = new ProcessStartInfo(
            "dotnet",
            [
                "msbuild",
                Path.Combine(root, "src", "Governance.Gateway", "Governance.Gateway.csproj"),
                "-getItem:Content", // evaluated only: a target of publishing would leave files of its own for the next one
            ]
        )
        {
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(process.ExitCode == 0, output);
        var published = JsonNode.Parse(output)!["Items"]!["Content"]!
            .AsArray()
            .Where(item => (string?)item!["CopyToPublishDirectory"] == "PreserveNewest")
            .Select(item => (string?)item!["Link"] ?? "")
            .ToHashSet();
        var policies = Directory
            .EnumerateFiles(Path.Combine(root, "policies"), "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(root, file))
            .ToList();
        Assert.NotEmpty(policies);
        Assert.Empty(policies.Except(published));
    }
}
