using Governance.Sbom.Engine;

namespace Governance.Tests.Sbom;

public sealed class SafeYamlTests
{
    [Fact]
    public void Scalars_stay_text_and_plain_nulls_are_null()
    {
        var root = SafeYaml.ParseMapping("a: 3.10\nb: null\nc: 'null'\nd: yes\ne:\n", "x").Value;

        Assert.Equal("""{"a":"3.10","b":null,"c":"null","d":"yes","e":null}""", root.ToJsonString());
    }

    [Fact]
    public void A_few_aliases_are_copied()
    {
        var root = SafeYaml.ParseMapping("a: &x [1]\nb: *x\n", "x").Value;

        Assert.Equal("""{"a":["1"],"b":["1"]}""", root.ToJsonString());
    }

    [Theory]
    [InlineData("a: 1\na: 2")]
    [InlineData("a: !!python/object/apply:os.system [id]")]
    [InlineData("a: !!str b")]
    [InlineData("!custom\na: 1")]
    [InlineData("a: &x [*x]")]
    [InlineData("a: *missing")]
    [InlineData("[a]: b")]
    [InlineData("- a")]
    [InlineData("text")]
    [InlineData("")]
    [InlineData("a: 1\n---\nb: 2")]
    [InlineData("a: [1")]
    [InlineData("a: \"\\uD800\"")]
    [InlineData("a: 'x")]
    [InlineData("%YAML 9.9\n---\na: 1")]
    public void Anything_but_one_plain_mapping_is_refused(string text) =>
        Assert.Equal("sbom.bad_yaml", SafeYaml.ParseMapping(text, "x").Failure?.Code);

    [Fact]
    public void Depth_is_capped()
    {
        var text = "a: " + new string('[', 100_000);

        Assert.Contains("deeply", SafeYaml.ParseMapping(text, "x").Failure?.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Alias_bombs_are_refused()
    {
        var lines = Enumerable
            .Range(1, 9)
            .Select(i => $"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 9))}]");

        var result = SafeYaml.ParseMapping("a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + string.Join('\n', lines), "x");

        Assert.Contains("aliases", result.Failure?.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Many_nodes_are_refused()
    {
        var text = "a: [" + string.Join(',', Enumerable.Repeat("b", 60_000)) + "]";

        Assert.Contains("nodes", SafeYaml.ParseMapping(text, "x").Failure?.Message, StringComparison.Ordinal);
    }
}
