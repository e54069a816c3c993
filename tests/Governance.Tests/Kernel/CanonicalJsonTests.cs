using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Tests.Kernel;

public class CanonicalJsonTests
{
    // RFC 8785 §3.2.3 sorting example and appendix B number samples.
    [Theory]
    [InlineData("333333333.33333329", "333333333.3333333")]
    [InlineData("1E30", "1e+30")]
    [InlineData("4.50", "4.5")]
    [InlineData("2e-3", "0.002")]
    [InlineData("0.000000000000000000000000001", "1e-27")]
    [InlineData("9007199254740992", "9007199254740992")]
    [InlineData("295147905179352830000", "295147905179352830000")]
    [InlineData("1e21", "1e+21")]
    [InlineData("-0", "0")]
    [InlineData("1e-7", "1e-7")]
    [InlineData("0.000001", "0.000001")]
    [InlineData("-5e-324", "-5e-324")]
    [InlineData("1.7976931348623157e308", "1.7976931348623157e+308")]
    [InlineData("1700000000000", "1700000000000")]
    public void Numbers_take_their_ECMAScript_form(string input, string expected) =>
        Assert.Equal(expected, CanonicalJson.SerializeToString(JsonNode.Parse(input)));

    [Fact]
    public void Members_are_sorted_by_UTF16_code_units()
    {
        var node = JsonNode.Parse(
            "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}"
        );

        Assert.Equal(
            "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}",
            CanonicalJson.SerializeToString(node)
        );
    }

    [Fact]
    public void Strings_escape_only_what_they_must() =>
        Assert.Equal(
            "{\"a\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
            CanonicalJson.SerializeToString(
                JsonNode.Parse("{\"a\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"}")
            )
        );

    [Theory]
    [InlineData("{\"a\":1,\"a\":2}")]
    [InlineData("{\"a\":1,}")]
    [InlineData("// x\n1")]
    [InlineData("{")]
    [InlineData("{\"a\":\"\\ud800\"}")]
    public void Strict_parsing_refuses(string text) =>
        Assert.Null(CanonicalJson.TryParse(System.Text.Encoding.UTF8.GetBytes(text)));
}
