using System.Security.Cryptography;
using Governance.Platform.Keys;

namespace Governance.Tests.Platform;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public class KeyWrapTests
{
    [Fact]
    public async Task Wrapping_is_bound_to_its_purpose_and_bytes()
    {
        await using var database = await TestDatabase.StartAsync();
        var wrap = database.Get<IKeyWrap>();
        var key = RandomNumberGenerator.GetBytes(32);

        var wrapped = wrap.Wrap(key, "a");

        Assert.Equal(key, wrap.Unwrap(wrapped, "a"));
        Assert.ThrowsAny<CryptographicException>(() => wrap.Unwrap(wrapped, "b"));
        wrapped[^1] ^= 1;
        Assert.ThrowsAny<CryptographicException>(() => wrap.Unwrap(wrapped, "a"));
        Assert.ThrowsAny<CryptographicException>(() => wrap.Unwrap([], "a"));
    }

    [Fact]
    public async Task The_key_file_is_for_its_owner_alone_and_outside_the_data_directory()
    {
        await using var database = await TestDatabase.StartAsync();
        database.Get<IKeyWrap>();
        var path = Path.Combine(database.Directory, "kek");

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }
}
