using Governance.Policy.Engine;

namespace Governance.Tests.Policy;

public class LineDiffTests
{
    [Theory]
    [InlineData("a\nb\nc", "a\nb\nc", " a| b| c")]
    [InlineData("a\nb\nc", "a\nx\nc", " a|-b|+x| c")]
    [InlineData("", "a", "-|+a")]
    [InlineData("a\na", "a", " a|-a")]
    [InlineData("a", "a\na", " a|+a")]
    [InlineData("a\nb\nc\nd", "b\nd\ne", "-a| b|-c| d|+e")]
    public void Lines_that_stay_go_and_come_are_told_apart(string before, string after, string expected) =>
        Assert.Equal(expected, string.Join('|', LineDiff.Of(before, after)));

    [Fact]
    public void Of_any_two_texts_it_says_both()
    {
        var random = new Random(7);
        for (var i = 0; i < 2_000; i++)
        {
            var (before, after) = (Random(random, 12), Random(random, 12));

            AssertSaysBoth(before, after);
        }
    }

    [Fact]
    public void Texts_too_long_to_compare_line_by_line_are_shown_whole()
    {
        var before = string.Join('\n', Enumerable.Range(0, 3_000));
        var after = string.Join('\n', Enumerable.Range(0, 3_000).Select(line => -line));

        AssertSaysBoth(before, after);
    }

    private static void AssertSaysBoth(string before, string after)
    {
        var lines = LineDiff.Of(before, after);
        Assert.Equal(before, string.Join('\n', lines.Where(line => line[0] != '+').Select(line => line[1..])));
        Assert.Equal(after, string.Join('\n', lines.Where(line => line[0] != '-').Select(line => line[1..])));
    }

    private static string Random(Random random, int most) =>
        string.Join('\n', Enumerable.Range(0, random.Next(1, most)).Select(_ => random.Next(3)));
}
