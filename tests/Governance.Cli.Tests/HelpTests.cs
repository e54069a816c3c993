using System.CommandLine;
using System.Text;

namespace Governance.Cli.Tests;

/// <summary>docs/reference/cli.md is the help of every verb; rewritten only with <c>UPDATE_GOLDEN=1</c>, never on CI.</summary>
public class HelpTests
{
    private static readonly Surroundings Nowhere = new(() => Stream.Null, _ => null, TimeProvider.System);

    public static TheoryData<string> Verbs => [.. All(Govern.CreateRoot(Nowhere), "").Select(verb => verb.Path)];

    [Fact]
    public async Task The_reference_is_the_help()
    {
        var page = new StringBuilder(
            "# govern\n\nThe command line, verb by verb. This page is made from `govern --help`; a test keeps it so.\n"
        );
        foreach (var (path, _) in All(Govern.CreateRoot(Nowhere), ""))
        {
            page.Append($"\n## govern{path}\n\n```text\n{await HelpAsync(path)}\n```\n");
        }

        var reference = Repository.At("docs/reference/cli.md");
        if (
            Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1"
            && Environment.GetEnvironmentVariable("CI") is null
        )
        {
            Directory.CreateDirectory(Path.GetDirectoryName(reference)!);
            File.WriteAllText(reference, page.ToString());
        }

        Assert.True(File.Exists(reference), "docs/reference/cli.md is missing; run once with UPDATE_GOLDEN=1.");
        Assert.Equal(File.ReadAllText(reference), page.ToString(), ignoreLineEndingDifferences: true);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Every_verb_that_does_something_has_examples(string path)
    {
        var command = All(Govern.CreateRoot(Nowhere), "").Single(verb => verb.Path == path).Command;

        Assert.True(command.Subcommands.Count > 0 || command is Verb { Examples.Count: > 0 });
    }

    private static IEnumerable<(string Path, Command Command)> All(Command command, string path) =>
        command.Subcommands.SelectMany(child => All(child, $"{path} {child.Name}")).Prepend((path, command));

    private static async Task<string> HelpAsync(string path)
    {
        using var cli = new CliRun();
        var answer = await cli.RunAsync([.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
        Assert.Equal((0, ""), (answer.Exit, answer.Error));
        return string.Join(
            '\n',
            answer.Out.ReplaceLineEndings("\n").TrimEnd().Split('\n').Select(line => line.TrimEnd())
        );
    }
}
