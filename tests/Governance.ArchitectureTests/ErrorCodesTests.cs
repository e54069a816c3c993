using System.Text.RegularExpressions;

namespace Governance.ArchitectureTests;

/// <summary>docs/reference/errors.md lists exactly the codes that the source can answer with.</summary>
public partial class ErrorCodesTests
{
    private static readonly HashSet<string> InSource = CodesInSource();
    private static readonly IReadOnlyList<string> OnPage = CodesOnPage();

    [Fact]
    public void Every_code_of_the_source_is_on_the_page() => Assert.Empty(InSource.Except(OnPage).Order());

    [Fact]
    public void Every_code_on_the_page_is_in_the_source() => Assert.Empty(OnPage.Except(InSource).Order());

    [Fact]
    public void No_code_is_explained_twice() =>
        Assert.Empty(OnPage.GroupBy(code => code).Where(codes => codes.Count() > 1).Select(codes => codes.Key));

    // A pattern that stops matching would make the page look complete: the number is a floor, not a count to maintain.
    [Fact]
    public void The_source_is_really_read() => Assert.True(InSource.Count > 150, $"only {InSource.Count} codes found");

    private static HashSet<string> CodesInSource()
    {
        var codes = new HashSet<string>(StringComparer.Ordinal);
        var files = Directory
            .EnumerateFiles(Path.Combine(RankTests.Root(), "src"), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}"));
        foreach (var path in files)
        {
            var text = File.ReadAllText(path);
            codes.UnionWith(
                Own().Matches(text).SelectMany(match => match.Groups["code"].Captures.Select(one => one.Value))
            );
            codes.UnionWith(Signing().Matches(text).Select(match => $"signing.{match.Groups[1].Value}"));
            codes.UnionWith(CommandLine().Matches(text).Select(match => $"cli.{match.Groups[1].Value}"));
            if (path.Contains("GraphQl"))
            {
                codes.UnionWith(GraphQl().Matches(text).Select(match => match.Groups[1].Value));
            }
        }

        return codes;
    }

    private static IReadOnlyList<string> CodesOnPage() =>
        [
            .. Row()
                .Matches(File.ReadAllText(Path.Combine(RankTests.Root(), "docs", "reference", "errors.md")))
                .Select(match => match.Groups[1].Value),
        ];

    // Failure.Kind("code"  ·  FailureKind.X, [condition ?] "code" [: "code"]  ·  the two local shorthands  ·  the gate's own answers
    [GeneratedRegex(
        """
            (?:Failure\s*\.\s*(?:Invalid|NotFound|Denied|Conflict)\(|FailureKind\.\w+,(?:\s*\w+\s*\?)?|\bBroken\(|new\sUnmetCondition\(|Refusal\s\w+\s=\snew\(\s*\d+,)
            \s*"(?<code>[a-z]+\.[a-z_0-9]+)"(?:\s*:\s*"(?<code>[a-z]+\.[a-z_0-9]+)")?
            """,
        RegexOptions.IgnorePatternWhitespace
    )]
    private static partial Regex Own();

    [GeneratedRegex("""SigningFailure\.Of\(\s*"([a-z0-9_]+)""")]
    private static partial Regex Signing();

    [GeneratedRegex(
        """(?:Code\s=\s|\["code"\]\s=\s|Info\(\w+,\s(?:\w+\.Code\s\?\?\s)?|StatusCodes\.\w+,\s*|Failure\.Denied\()"([A-Z]{3,}(?:_[A-Z]+)*)"""
    )]
    private static partial Regex GraphQl();

    [GeneratedRegex("""\bUnusable\(\s*"([a-z0-9_]+)""")]
    private static partial Regex CommandLine();

    [GeneratedRegex("^\\| `([a-z]+\\.[a-z_0-9]+|[A-Z]{3,}(?:_[A-Z]+)*)` \\|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
