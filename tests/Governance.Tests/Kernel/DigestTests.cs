using Governance.Kernel;

namespace Governance.Tests.Kernel;

public sealed class DigestTests
{
    [Fact]
    public void No_digest_is_the_same_before_and_after_it_was_stored()
    {
        var stored = Digest.Parse(default(Digest).Hex);

        Assert.Equal(default, stored);
        Assert.Equal(default(Digest).GetHashCode(), stored.GetHashCode());
        Assert.NotEqual(default, Digest.Of(""));
    }
}
