using System.Xml.Linq;

namespace Governance.ArchitectureTests;

/// <summary>A project references only lower ranks (docs/explanation/architecture.md). Changing the table needs a decision record.</summary>
public class RankTests
{
    private static readonly Dictionary<string, int> Rank = new()
    {
        ["Kernel"] = 0,
        ["Platform"] = 1,
        ["Audit"] = 2,
        ["Identity"] = 3,
        ["Registry"] = 4,
        ["Signing"] = 4,
        ["Sbom"] = 4,
        ["Scanning"] = 4,
        ["Lineage"] = 4,
        ["Privacy"] = 4,
        ["Policy"] = 4,
        ["Evidence"] = 5,
        ["Promotion"] = 6,
        ["Compliance"] = 7,
        ["Console"] = 7,
        ["Gateway"] = 8,
        ["Cli"] = 8,
    };

    public static TheoryData<string> Projects =>
        [.. Directory.EnumerateFiles(Path.Combine(Root(), "src"), "*.csproj", SearchOption.AllDirectories)];

    [Theory]
    [MemberData(nameof(Projects))]
    public void References_point_down(string path)
    {
        var name = NameOf(path);
        Assert.True(Rank.ContainsKey(name), $"{name} has no rank");

        var bad = XDocument
            .Load(path)
            .Descendants("ProjectReference")
            .Select(reference => NameOf(reference.Attribute("Include")!.Value))
            .Where(reference => Rank[reference] >= Rank[name]);

        Assert.Empty(bad);
    }

    [Fact]
    public void Every_ranked_project_exists() =>
        Assert.Equal(Rank.Keys.Order(), Projects.Select(row => NameOf(row.Data)).Order());

    internal static string Root()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Governance.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("Run from the repository.");
    }

    private static string NameOf(string path) =>
        Path.GetFileNameWithoutExtension(path.Replace('\\', '/'))["Governance.".Length..];
}
