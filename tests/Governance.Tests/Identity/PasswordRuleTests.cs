using System.Buffers.Binary;
using Governance.Identity.Engine;
using Governance.Identity.Subjects;
using Governance.Kernel;

namespace Governance.Tests.Identity;

/// <summary>Length and a list of common passwords, nothing else (NIST SP 800-63B §3.1.1.2); and how they are stored.</summary>
public sealed class PasswordRuleTests
{
    [Theory]
    [InlineData("seven wet otters juggle")]
    [InlineData("aaaaaaaaaaaaaab")]
    [InlineData("a heron and otters dance")]
    [InlineData("   leading and trailing   ")]
    [InlineData("пятнадцать тихих выдр")]
    [InlineData("七匹の濡れたカワウソが夜に踊っている")]
    [InlineData("🦦🦦🦦 seven otters")]
    [InlineData("x7#Kq9!vLm2$Zt5")]
    public void Long_ones_of_any_characters_are_fine(string password) =>
        Assert.Null(AccountRules.CheckPassword(new Secret(password)));

    [Theory]
    [InlineData("short", "15")]
    [InlineData("fourteen chars", "15")]
    [InlineData("🦦🦦🦦🦦🦦🦦🦦🦦🦦🦦", "15")]
    [InlineData("aaaaaaaaaaaaaaaaaaaa", "common")]
    [InlineData("abcdabcdabcdabcd", "common")]
    [InlineData("passwordpassword", "common")]
    [InlineData("Administrator2024!", "common")]
    [InlineData("sunshinebaseball", "common")]
    [InlineData("mypassword123456", "common")]
    [InlineData("QWERTYUIOP123456", "common")]
    public void Short_ones_and_common_ones_are_refused_with_the_reason(string password, string reason)
    {
        var failure = AccountRules.CheckPassword(new Secret(password));

        Assert.Equal("identity.weak_password", failure?.Code);
        Assert.Contains(reason, failure!.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(password, failure.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Too_long_is_refused()
    {
        Assert.NotNull(AccountRules.CheckPassword(new Secret(string.Concat(Enumerable.Repeat("otter ", 43)))));
    }

    // The head of a hash of the framework, version 3: 1, then the function, the iterations and the length of the salt.
    [Fact]
    public void In_service_passwords_are_stretched_by_210000_rounds_of_HMAC_SHA_512()
    {
        var hash = Convert.FromBase64String(new PasswordHashing().Hash(new Secret("seven wet otters juggle")));

        Assert.Equal(1, hash[0]);
        Assert.Equal(2, BinaryPrimitives.ReadInt32BigEndian(hash.AsSpan(1))); // KeyDerivationPrf.HMACSHA512
        Assert.Equal(210_000, BinaryPrimitives.ReadInt32BigEndian(hash.AsSpan(5)));
        Assert.True(BinaryPrimitives.ReadInt32BigEndian(hash.AsSpan(9)) >= 16);
    }
}
