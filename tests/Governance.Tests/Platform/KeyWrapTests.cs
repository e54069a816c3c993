using System.Security.Cryptography;
using Governance.Platform;
using Governance.Platform.Keys;
using Microsoft.Extensions.Logging;

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
    public async Task Of_those_who_make_a_key_at_once_all_get_the_same()
    {
        await using var database = await TestDatabase.StartAsync();
        var wrap = database.Get<IKeyWrap>();
        for (var round = 0; round < 20; round++)
        {
            var path = Path.Combine(database.Directory, $"key-{round}");

            var keys = await Task.WhenAll(
                Enumerable
                    .Range(0, 8)
                    .Select(_ =>
                        Task.Run(() =>
                            WrappedKeyFile
                                .LoadOrCreate(
                                    path,
                                    "a",
                                    wrap,
                                    TimeProvider.System,
                                    () => RandomNumberGenerator.GetBytes(32)
                                )
                                .Key
                        )
                    )
            );

            Assert.All(keys, key => Assert.Equal(keys[0], key));
            Assert.Single(Directory.GetFiles(database.Directory, $"key-{round}*"));
        }
    }

    [Fact]
    public async Task Gateways_that_make_the_key_encryption_key_at_once_have_the_same()
    {
        var root = Directory.CreateTempSubdirectory("governance-kek-").FullName;
        for (var round = 0; round < 20; round++)
        {
            var platform = new PlatformOptions { KeyFile = Path.Combine(root, $"kek-{round}") };

            var wraps = await Task.WhenAll(
                Enumerable.Range(0, 8).Select(_ => Task.Run(() => new FileKeyWrap(platform, new KeyOptions())))
            );

            var wrapped = wraps[0].Wrap("secret"u8.ToArray(), "a");
            Assert.All(wraps, wrap => Assert.Equal("secret"u8.ToArray(), wrap.Unwrap(wrapped, "a")));
            Array.ForEach(wraps, wrap => wrap.Dispose());
        }

        Directory.Delete(root, recursive: true);
    }

    [Fact]
    public async Task The_key_file_is_for_its_owner_alone_and_outside_the_data_directory()
    {
        await using var database = await TestDatabase.StartAsync();
        database.Get<IKeyWrap>();
        var path = Path.Combine(database.Directory, "kek");

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Fact]
    public void A_key_file_in_clear_where_a_token_was_to_encrypt_it_is_used_and_warned_of()
    {
        var root = Directory.CreateTempSubdirectory("governance-kek-").FullName;
        var platform = new PlatformOptions { KeyFile = Path.Combine(root, "kek") };
        var logged = new Warned();
        using (var first = new FileKeyWrap(platform, new KeyOptions(), logged))
        {
            Assert.Empty(logged.Ids);
        }

        using var again = new FileKeyWrap(platform, new KeyOptions { KeyEncryption = "pkcs11" }, logged);

        Assert.Equal([1032], logged.Ids);
        Directory.Delete(root, recursive: true);
    }

    [Fact]
    public void A_key_file_that_a_token_encrypts_opens_with_that_token_only()
    {
        var root = Directory.CreateTempSubdirectory("governance-kek-").FullName;
        var platform = new PlatformOptions { KeyFile = Path.Combine(root, "kek") };
        var options = SoftHsm.NewToken(root);
        options.KeyEncryption = "pkcs11";
        byte[] wrapped;
        using (var first = new FileKeyWrap(platform, options))
        {
            wrapped = first.Wrap("a key"u8, "a");
        }

        var text = File.ReadAllText(platform.KeyFile);
        using (var again = new FileKeyWrap(platform, options))
        {
            Assert.Equal("a key"u8, again.Unwrap(wrapped, "a"));
        }

        Assert.Matches("^pkcs11:[0-9a-f]{32}:[A-Za-z0-9+/=]{80}$", text);
        Assert.Throws<KeyUnavailableException>(() => new FileKeyWrap(platform, SoftHsm.NewToken(root)));
        Assert.Throws<KeyUnavailableException>(() => new FileKeyWrap(platform, new KeyOptions()));
        foreach (var damaged in new[] { $"{text[..^3]}AA=", text[..^8], text[..30], "pkcs11:", "pkcs11:xyz:AAAA" })
        {
            File.WriteAllText(platform.KeyFile, damaged);
            Assert.Throws<KeyUnavailableException>(() => new FileKeyWrap(platform, options));
        }

        Directory.Delete(root, recursive: true);
    }

    private sealed class Warned : ILogger<FileKeyWrap>
    {
        public List<int> Ids { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Ids.Add(eventId.Id);
    }
}
