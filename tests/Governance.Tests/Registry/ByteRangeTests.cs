using Governance.Registry.Engine;

namespace Governance.Tests.Registry;

public sealed class ByteRangeTests
{
    [Theory]
    [InlineData("bytes=0-0", 0, 1)]
    [InlineData("bytes=0-99", 0, 100)]
    [InlineData("bytes=0-100", 0, 100)]
    [InlineData("bytes=10-", 10, 90)]
    [InlineData("bytes=99-", 99, 1)]
    [InlineData("bytes=-1", 99, 1)]
    [InlineData("bytes=-1000", 0, 100)]
    [InlineData("BYTES=5-6", 5, 2)]
    [InlineData("bytes= 5-6 ", 5, 2)]
    [InlineData("bytes=5-99999999999999999999999999", 5, 95)]
    [InlineData("bytes=-99999999999999999999999999", 0, 100)]
    public void One_range_is_cut_to_the_file(string header, long first, long length) =>
        Assert.Equal((new ByteRange(first, length), true), ByteRange.Parse(header, 100));

    [Theory]
    [InlineData("bytes=100-")]
    [InlineData("bytes=100-200")]
    [InlineData("bytes=99999999999999999999999999-")]
    [InlineData("bytes=-0")]
    public void A_range_outside_of_the_file_is_not_satisfiable(string header) =>
        Assert.Equal((null, false), ByteRange.Parse(header, 100));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("bytes")]
    [InlineData("bytes=")]
    [InlineData("bytes=-")]
    [InlineData("bytes=6-5")]
    [InlineData("bytes=a-5")]
    [InlineData("bytes=+1-5")]
    [InlineData("bytes=1-5x")]
    [InlineData("bytes=--5")]
    [InlineData("bytes=0x1-5")]
    [InlineData("bytes=0-1,5-6")]
    [InlineData("items=0-1")]
    public void What_is_no_single_range_of_bytes_is_ignored(string? header) =>
        Assert.Equal((null, true), ByteRange.Parse(header, 100));

    [Fact]
    public void An_empty_file_has_no_ranges() => Assert.Equal((null, true), ByteRange.Parse("bytes=0-5", 0));
}
