using Governance.Sbom.Engine;

namespace Governance.Tests.Sbom;

public sealed class MarkerTests
{
    [Theory]
    [InlineData("python_version < '3.8'", false)]
    [InlineData("python_version >= '3.11'", true)]
    [InlineData("python_version > '3.9'", true)]
    [InlineData("'3.9' < python_version", true)]
    [InlineData("python_full_version == \"3.11.2\"", true)]
    [InlineData("sys_platform == 'win32'", false)]
    [InlineData("sys_platform == 'linux' and python_version == '3.11'", true)]
    [InlineData("os_name == 'nt' or platform_system == 'Linux'", true)]
    [InlineData("(os_name == 'nt' or os_name == 'posix') and python_version < '3'", false)]
    [InlineData("sys_platform in 'linux darwin'", true)]
    [InlineData("sys_platform not in 'linux darwin'", false)]
    [InlineData("extra == 'test'", false)]
    [InlineData("platform_machine == 'x86_64'", null)]
    [InlineData("platform_machine == 'x86_64' and os_name == 'nt'", false)]
    [InlineData("platform_machine == 'x86_64' or os_name == 'posix'", true)]
    [InlineData("python_version ~= '3.8'", null)]
    public void Markers_are_evaluated_for_CPython_on_Linux(string text, bool? expected)
    {
        Assert.True(Marker.TryParse(text, out var marker));
        Assert.Equal(expected, marker.Evaluate("3.11.2"));
    }

    [Fact]
    public void An_unknown_python_version_excludes_nothing()
    {
        Assert.True(Marker.TryParse("python_version < '3.8'", out var marker));
        Assert.Null(marker.Evaluate(python: null));
    }

    [Theory]
    [InlineData("")]
    [InlineData("python_version")]
    [InlineData("python_version <")]
    [InlineData("python_version < '3")]
    [InlineData("(python_version < '3'")]
    [InlineData("python_version < '3' nonsense")]
    [InlineData("((((((((((((((((((((os_name=='nt'))))))))))))))))))))")]
    public void Malformed_markers_are_refused(string text) => Assert.False(Marker.TryParse(text, out _));
}
