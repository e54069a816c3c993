using Governance.Sbom.Engine;

namespace Governance.Tests.Sbom;

public sealed class EnvironmentFileTests
{
    private readonly Findings _findings = new();

    [Theory]
    [InlineData("numpy=1.26.*=py310_0", "numpy", null, "py310_0", null)]
    [InlineData("numpy=1.26.4=py310_0", "numpy", "1.26.4", "py310_0", null)]
    [InlineData("numpy==1.26", "numpy", "1.26", null, null)]
    [InlineData("numpy=1.26", "numpy", null, null, null)]
    [InlineData("numpy=1.26.4", "numpy", "1.26.4", null, null)]
    [InlineData("numpy 1.26.4 py310_0", "numpy", "1.26.4", "py310_0", null)]
    [InlineData("numpy>=1.20,<2", "numpy", null, null, null)]
    [InlineData("numpy", "numpy", null, null, null)]
    [InlineData("conda-forge::numpy=1.26.4", "numpy", "1.26.4", null, "conda-forge")]
    [InlineData("https://u:pw@c.example/x::numpy", "numpy", null, null, "https://c.example/x")]
    [InlineData("_libgcc_mutex=0.1=main", "_libgcc_mutex", "0.1", "main", null)]
    public void Conda_specifications_are_read(string spec, string name, string? version, string? build, string? channel)
    {
        var mention = Assert.Single(Conda($"dependencies:\n- '{spec}'").Mentions);

        Assert.Equal(
            (name, version, build, channel),
            (mention.Name, mention.Version, mention.CondaBuild, mention.CondaChannel)
        );
    }

    [Fact]
    public void Nested_pip_lists_use_the_grammar_of_pip()
    {
        var environment = Conda("dependencies:\n- python=3.11.2\n- pip:\n  - numpy==1.0 # c\n  - -r requirements.txt");

        Assert.Equal((Origin.CondaPip, "1.0"), (environment.Mentions[0].Origin, environment.Mentions[0].Version));
        Assert.Equal("requirements.txt", Assert.Single(environment.Includes).Path);
        Assert.Equal("3.11.2", environment.Python?.Version);
    }

    [Fact]
    public void A_line_break_inside_a_list_item_cannot_start_another_requirement()
    {
        Assert.Empty(Conda("dependencies:\n- pip:\n  - \"numpy==1.0\\nevil==6.6\"").Mentions);
        Assert.NotEmpty(_findings.Lines);
    }

    [Fact]
    public void Channels_by_address_are_findings_without_credentials()
    {
        Conda("channels:\n- conda-forge\n- https://u:secret@c.example/t/x\ndependencies: []");

        Assert.Equal(["conda.yaml takes packages from the channel https://c.example/t/x."], _findings.Lines);
    }

    [Theory]
    [InlineData("- 'numpy[version=1]'")]
    [InlineData("- '!!'")]
    [InlineData("- [a]")]
    [InlineData("- {pip: x}")]
    public void Unreadable_conda_dependencies_are_findings(string item)
    {
        Assert.Empty(Conda($"dependencies:\n{item}").Mentions);
        Assert.NotEmpty(_findings.Lines);
    }

    [Fact]
    public void Build_dependencies_are_told_apart()
    {
        var environment = PythonEnvironment
            .Parse(
                "python: 3.10\nbuild_dependencies:\n- pip==23.0.1\ndependencies:\n- -r requirements.txt\n- six==1.0",
                "python_env.yaml",
                _findings
            )
            .Value;

        Assert.Equal(
            [("six", Origin.PythonEnv), ("pip", Origin.Build)],
            environment.Mentions.Select(mention => (mention.Name, mention.Origin))
        );
        Assert.Equal("3.10", environment.Python?.Version);
        Assert.Equal("requirements.txt", Assert.Single(environment.Includes).Path);
    }

    private EnvironmentFile Conda(string text) => CondaEnvironment.Parse(text, "conda.yaml", _findings).Value;
}
