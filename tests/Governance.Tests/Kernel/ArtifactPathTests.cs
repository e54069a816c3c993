using Governance.Kernel;

namespace Governance.Tests.Kernel;

public class ArtifactPathTests
{
    [Theory]
    [InlineData("")]
    [InlineData("model/model.pkl")]
    [InlineData("ünïcode dir/a+b (1).txt")]
    [InlineData("a..b/c.d")]
    [InlineData("100% sure.txt")]
    [InlineData("a;b.txt")]
    [InlineData("12:30 notes.txt")]
    public void Ordinary_paths_are_accepted(string text)
    {
        Assert.True(ArtifactPath.TryParse(text, out var path));
        Assert.Equal(text, path.Value);
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/../b")]
    [InlineData("/etc/passwd")]
    [InlineData("a//b")]
    [InlineData("a/")]
    [InlineData("./a")]
    [InlineData("a\\b")]
    [InlineData("%2e%2e/x")]
    [InlineData("%252e%252e/x")]
    [InlineData("a%2fb")]
    [InlineData("a\0b")]
    [InlineData("a\nb")]
    [InlineData("a\u202eb")]
    [InlineData("trailing.")]
    [InlineData("trailing ")]
    [InlineData("..;/x")]
    [InlineData("a/..;b=c/x")]
    [InlineData("a/;b")]
    [InlineData("C:/Windows/win.ini")]
    [InlineData("a/c:x")]
    [InlineData("\uFF0E\uFF0E/x")]
    [InlineData("\u2025/x")]
    [InlineData("..\uFF0Fx")]
    [InlineData("..\uFF3Cx")]
    [InlineData(null)]
    public void Tricks_are_refused(string? text) => Assert.False(ArtifactPath.TryParse(text, out _));

    [Theory]
    [InlineData("a/bc", "a/b", false)]
    [InlineData("a/b/c", "a/b", true)]
    [InlineData("a/b", "a/b", true)]
    [InlineData("a/b", "", true)]
    public void Within_respects_segment_borders(string path, string ancestor, bool expected)
    {
        Assert.True(ArtifactPath.TryParse(path, out var below));
        Assert.True(ArtifactPath.TryParse(ancestor, out var above));
        Assert.Equal(expected, below.IsWithin(above));
    }
}
