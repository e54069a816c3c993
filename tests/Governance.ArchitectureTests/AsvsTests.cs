using System.Text.RegularExpressions;

namespace Governance.ArchitectureTests;

/// <summary>docs/reference/asvs.md has a row for every requirement, and the tests that it names exist.</summary>
public partial class AsvsTests
{
    // How many requirements of levels 1 and 2 the chapters have in version 5.0.0.
    private static readonly Dictionary<string, int> Chapters = new()
    {
        ["1"] = 27,
        ["2"] = 11,
        ["3"] = 19,
        ["4"] = 10,
        ["5"] = 9,
        ["6"] = 35,
        ["7"] = 18,
        ["8"] = 7,
        ["9"] = 7,
        ["10"] = 29,
        ["11"] = 14,
        ["12"] = 9,
        ["13"] = 13,
        ["14"] = 9,
        ["15"] = 13,
        ["16"] = 16,
    };

    private static readonly string[] Page = File.ReadAllLines(
        Path.Combine(RankTests.Root(), "docs", "reference", "asvs.md")
    );

    private static readonly Row[] Rows =
    [
        .. Page.Where(line => line.StartsWith("| ", StringComparison.Ordinal) && char.IsAsciiDigit(line[2]))
            .Select(line => line.Split('|')[1..^1].Select(cell => cell.Trim()).ToArray())
            .Select(cells => new Row(
                cells[0],
                cells[1],
                cells[3],
                [.. Name().Matches(cells[4]).Select(name => name.Groups[1].Value)]
            )),
    ];

    [Fact]
    public void Every_requirement_of_the_chapters_has_one_row()
    {
        Assert.Equal(Rows.Length, Rows.Select(row => row.Id).Distinct().Count());
        Assert.Equal(
            Chapters.OrderBy(chapter => chapter.Key),
            Rows.GroupBy(row => row.Id.Split('.')[0])
                .ToDictionary(chapter => chapter.Key, chapter => chapter.Count())
                .OrderBy(chapter => chapter.Key)
        );
        Assert.All(Rows, row => Assert.Contains(row.Level, new[] { "1", "2" }));
        Assert.All(Rows, row => Assert.Contains(row.Status, new[] { "met", "partly", "not applicable", "gap" }));
    }

    [Fact]
    public void The_line_of_totals_counts_the_rows()
    {
        int Count(string status) => Rows.Count(row => row.Status == status);

        Assert.Contains(
            $"{Count("met")} met, {Count("partly")} partly, {Count("gap")} gaps, {Count("not applicable")} not applicable.",
            Page
        );
    }

    [Fact]
    public void What_is_met_or_partly_met_names_a_test() =>
        Assert.Empty(Rows.Where(row => row.Status is "met" or "partly" && row.Tests.Count == 0).Select(row => row.Id));

    [Fact]
    public void Every_test_that_is_named_exists()
    {
        var tests = Directory
            .EnumerateFiles(Path.Combine(RankTests.Root(), "tests"), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal))
            .SelectMany(path => TestsOf(File.ReadAllText(path)))
            .ToHashSet();

        Assert.True(tests.Count > 500);
        Assert.Empty(
            Rows.SelectMany(row => row.Tests.Where(test => !tests.Contains(test)).Select(test => (row.Id, test)))
        );
    }

    // The sources and not the assemblies: this project knows no other test project.
    private static IEnumerable<string> TestsOf(string source)
    {
        var space = Space().Match(source).Groups[1].Value;
        var type = "";
        var marked = false;
        foreach (var line in source.Split('\n'))
        {
            if (Type().Match(line) is { Success: true } found)
            {
                type = found.Groups[1].Value;
            }

            marked |=
                line.TrimStart() is var text
                && (
                    text.StartsWith("[Fact", StringComparison.Ordinal)
                    || text.StartsWith("[Theory", StringComparison.Ordinal)
                );
            if (marked && Method().Match(line) is { Success: true } method)
            {
                marked = false;
                yield return $"{space}.{type}.{method.Groups[1].Value}";
            }
        }
    }

    private sealed record Row(string Id, string Level, string Status, IReadOnlyList<string> Tests);

    [GeneratedRegex("`([^`]+)`", RegexOptions.None, 1000)]
    private static partial Regex Name();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline, 1000)]
    private static partial Regex Space();

    [GeneratedRegex(@"^\s*(?:public|internal) (?:sealed )?(?:partial )?class (\w+)", RegexOptions.None, 1000)]
    private static partial Regex Type();

    [GeneratedRegex(@"^\s+public (?:async )?(?:Task|void|ValueTask) (\w+)\(", RegexOptions.None, 1000)]
    private static partial Regex Method();
}
