using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Governance.ArchitectureTests;

/// <summary>Every package has its line with licence and reason in docs/decisions/0001-packages.md, and every project its lock file.</summary>
public sealed partial class PackagesPageTests
{
    private static readonly string[] Packages =
    [
        .. XDocument
            .Load(Path.Combine(RankTests.Root(), "Directory.Packages.props"))
            .Descendants("PackageVersion")
            .Select(package => package.Attribute("Include")!.Value),
    ];

    [Fact]
    public void Every_package_has_its_line()
    {
        var page = File.ReadLines(Path.Combine(RankTests.Root(), "docs", "decisions", "0001-packages.md"))
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal))
            .SelectMany(line => Name().Matches(line.Split('|')[1]).Select(name => name.Value))
            .ToHashSet();

        Assert.True(Packages.Length > 30);
        Assert.Empty(Packages.Except(page));
    }

    [Fact]
    public void Every_project_locks_what_it_gets_and_names_no_version_itself()
    {
        var projects = new[] { "src", "tests" }
            .SelectMany(folder =>
                Directory.EnumerateFiles(
                    Path.Combine(RankTests.Root(), folder),
                    "*.csproj",
                    SearchOption.AllDirectories
                )
            )
            .ToList();

        Assert.True(projects.Count > 20);
        Assert.Empty(
            projects
                .Where(path => !File.Exists(Path.Combine(Path.GetDirectoryName(path)!, "packages.lock.json")))
                .Select(Path.GetFileName)
        );
        Assert.Empty(
            projects
                .Where(path =>
                    XDocument
                        .Load(path)
                        .Descendants("PackageReference")
                        .Any(package =>
                            package.Attribute("Version") is not null || package.Attribute("VersionOverride") is not null
                        )
                )
                .Select(Path.GetFileName)
        );
    }

    [GeneratedRegex(@"[A-Za-z][\w.-]*\w", RegexOptions.None, 1000)]
    private static partial Regex Name();
}
