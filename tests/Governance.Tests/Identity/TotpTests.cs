using System.Text;
using Governance.Identity.Engine;

namespace Governance.Tests.Identity;

public sealed class TotpTests
{
    private static readonly byte[] Key = Encoding.ASCII.GetBytes("12345678901234567890");

    [Theory]
    [InlineData(59L, "287082")]
    [InlineData(1111111109L, "081804")]
    [InlineData(1111111111L, "050471")]
    [InlineData(1234567890L, "005924")]
    [InlineData(2000000000L, "279037")]
    [InlineData(20000000000L, "353130")]
    public void The_vectors_of_RFC_6238_hold_in_six_digits(long seconds, string code)
    {
        var step = Totp.StepOf(DateTimeOffset.FromUnixTimeSeconds(seconds));

        Assert.Equal(code, Totp.Code(Key, step));
        Assert.Equal(step, Totp.Match(Key, code, step, after: 0));
    }

    [Fact]
    public void A_clock_may_be_one_step_off_and_no_more()
    {
        var code = Totp.Code(Key, 1000);

        Assert.Equal(
            [null, 1000L, 1000L, 1000L, null],
            [.. new long[] { 998, 999, 1000, 1001, 1002 }.Select(step => Totp.Match(Key, code, step, 0))]
        );
    }

    [Fact]
    public void A_code_counts_once_and_older_ones_no_more()
    {
        Assert.Null(Totp.Match(Key, Totp.Code(Key, 1000), 1000, after: 1000));
        Assert.Null(Totp.Match(Key, Totp.Code(Key, 999), 1000, after: 1000));
        Assert.Equal(1001, Totp.Match(Key, Totp.Code(Key, 1001), 1000, after: 1000));
    }

    [Theory]
    [InlineData("")]
    [InlineData("12345")]
    [InlineData("1234567")]
    [InlineData("٢٨٧٠٨٢")]
    public void What_is_no_code_matches_nothing(string typed) => Assert.Null(Totp.Match(Key, typed, 1, 0));

    [Fact]
    public void A_key_reads_in_base_32() => Assert.Equal("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Totp.Text(Key));
}
