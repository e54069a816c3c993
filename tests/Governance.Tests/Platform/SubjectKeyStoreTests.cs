using System.Security.Cryptography;
using System.Text;
using Governance.Platform;
using Governance.Platform.Keys;
using Governance.Tests.Identity;
using Microsoft.Extensions.Logging;

namespace Governance.Tests.Platform;

/// <summary>Both key stores: one key per subject, destroyed for good, and an erasure that stays.</summary>
public sealed class SubjectKeyStoreTests : IAsyncLifetime
{
    private const string Ada = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
    private readonly string _root = Directory.CreateTempSubdirectory("governance-keys-").FullName;
    private readonly List<IAsyncDisposable> _opened = [];
    private readonly FileKeyWrap _wrap;
    private string? _mark;

    public SubjectKeyStoreTests() => _wrap = new FileKeyWrap(Platform, new KeyOptions());

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private PlatformOptions Platform => new() { KeyFile = Path.Combine(_root, "kek") };

    private string Keys => $"{Platform.KeyFile}.subjects";

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _opened)
        {
            await store.DisposeAsync();
        }

        _wrap.Dispose();
        await TestServer.DropAsync(_root);
        Directory.Delete(_root, recursive: true);
    }

    [Fact]
    public async Task A_key_stays_the_same_until_it_is_destroyed_and_none_follows_it()
    {
        var store = await OpenAsync();

        var absent = await store.FindAsync(Ada, Token);
        var made = (await store.CreateAsync(Ada, Token)).Key!;
        var again = (await store.CreateAsync(Ada, Token)).Key!;
        var found = (await (await OpenAsync()).FindAsync(Ada, Token))!.Key!;
        var erasure = new SubjectErasure(
            Ada,
            Guid.CreateVersion7(),
            DateTimeOffset.FromUnixTimeMilliseconds(1_000_001)
        );
        await store.DestroyAsync(erasure, Token);
        var after = await (await OpenAsync()).CreateAsync(Ada, Token);

        Assert.Null(absent);
        Assert.Equal(32, made.Length);
        Assert.Equal(made, again);
        Assert.Equal(made, found);
        Assert.Equal(new StoredSubjectKey(null, erasure), after);
        Assert.Equal(erasure, Assert.Single(await store.ErasuresAsync(null, Token)).Value);
        Assert.Equal(erasure, Assert.Single(await store.ErasuresAsync(TimeSpan.FromHours(1), Token)).Value);
        Assert.Empty(await store.ErasuresAsync(TimeSpan.FromHours(-1), Token));
    }

    [Fact]
    public async Task Of_many_that_make_a_key_at_once_all_get_the_same()
    {
        var stores = new List<ISubjectKeyStore>();
        for (var i = 0; i < 8; i++)
        {
            stores.Add(await OpenAsync());
        }

        var keys = await Task.WhenAll(stores.Select(store => Task.Run(() => store.CreateAsync(Ada, Token), Token)));

        Assert.Single(keys.Select(key => Convert.ToHexString(key.Key!)).Distinct());
    }

    [Fact]
    public async Task Destroying_is_repeated_without_harm_and_the_last_entry_counts()
    {
        var store = await OpenAsync();
        await store.CreateAsync(Ada, Token);
        var last = new SubjectErasure(Ada, Guid.CreateVersion7(), DateTimeOffset.UnixEpoch);

        await store.DestroyAsync(last with { EntryId = Guid.CreateVersion7() }, Token);
        await store.DestroyAsync(last, Token);

        Assert.Equal(last, (await store.FindAsync(Ada, Token))!.Erased);
    }

    [Fact]
    public async Task A_gateway_that_knew_the_key_can_do_nothing_with_it_once_it_heard_of_the_erasure()
    {
        using var here = new SubjectKeys(await OpenAsync(), TimeProvider.System);
        using var elsewhere = new SubjectKeys(await OpenAsync(), TimeProvider.System);
        var known = await elsewhere.GetOrCreateAsync(Ada, Token);
        var box = known.Seal([1, 2, 3], [])!;
        Assert.Equal([1, 2, 3], (await here.FindAsync(Ada, Token))!.Open(box, [])!);

        await here.DestroyAsync(new SubjectErasure(Ada, Guid.CreateVersion7(), DateTimeOffset.UnixEpoch), Token);
        await elsewhere.RefreshAsync(Token);

        Assert.Null(known.Open(box, []));
        Assert.Null(known.Seal([1], []));
        Assert.NotNull(known.Erased);
    }

    [Fact]
    public async Task What_was_sealed_opens_for_the_same_subject_and_thing_only()
    {
        using var keys = new SubjectKeys(await OpenAsync(), TimeProvider.System);
        var ada = await keys.GetOrCreateAsync(Ada, Token);
        var bob = await keys.GetOrCreateAsync("bob", Token);
        var box = ada.Seal("a name"u8, "here"u8)!;

        Assert.Equal("a name", Encoding.UTF8.GetString(ada.Open(box, "here"u8)!));
        Assert.ThrowsAny<CryptographicException>(() => ada.Open(box, "there"u8));
        Assert.ThrowsAny<CryptographicException>(() => bob.Open(box, "here"u8));
        box[^1] ^= 1;
        Assert.ThrowsAny<CryptographicException>(() => ada.Open(box, "here"u8));
    }

    [Fact]
    public async Task A_crash_between_the_erasure_and_the_end_of_the_key_leaves_no_key_to_use()
    {
        var store = await InDirectoryAsync();
        await store.CreateAsync(Ada, Token);
        var file = Assert.Single(KeyFiles());
        var copy = await File.ReadAllBytesAsync(file, Token);
        var erasure = new SubjectErasure(Ada, Guid.CreateVersion7(), DateTimeOffset.UnixEpoch);
        await store.DestroyAsync(erasure, Token);

        await File.WriteAllBytesAsync(file, copy, Token); // as it was before the last step
        var found = await store.FindAsync(Ada, Token);
        await store.DestroyAsync(erasure, Token);

        Assert.Null(found!.Key);
        Assert.Empty(KeyFiles());
    }

    [Fact]
    public async Task Neither_a_key_nor_an_erasure_passes_for_another_subjects()
    {
        var store = await InDirectoryAsync();
        await store.CreateAsync(Ada, Token);
        var ada = Assert.Single(KeyFiles());
        await store.CreateAsync("bob", Token);
        var bob = KeyFiles().Single(file => file != ada);
        await store.DestroyAsync(new SubjectErasure(Ada, Guid.CreateVersion7(), DateTimeOffset.UnixEpoch), Token);
        var erased = Assert.Single(Directory.GetFiles(Keys, "*.erased"));

        File.Copy(bob, ada);
        File.Delete(erased);
        await Assert.ThrowsAnyAsync<CryptographicException>(() => store.FindAsync(Ada, Token));
        await store.DestroyAsync(new SubjectErasure(Ada, Guid.CreateVersion7(), DateTimeOffset.UnixEpoch), Token);
        File.Copy(erased, Path.ChangeExtension(bob, "erased"));
        await Assert.ThrowsAsync<SubjectKeyException>(() => store.FindAsync("bob", Token));
    }

    [Theory]
    [InlineData(false)] // gone
    [InlineData(true)] // not mounted
    public async Task Nothing_is_written_where_the_store_is_not(bool empty)
    {
        var store = await InDirectoryAsync();
        await store.CreateAsync(Ada, Token);
        Directory.Move(Keys, $"{Keys}.away");
        if (empty)
        {
            Directory.CreateDirectory(Keys);
        }

        var made = await Assert.ThrowsAsync<SubjectKeyException>(() => store.CreateAsync("bob", Token));
        var destroyed = await Assert.ThrowsAsync<SubjectKeyException>(() => store.DestroyAsync(ErasureOf(Ada), Token));

        Assert.Equal(("keys.wrong_store", "keys.wrong_store"), (made.Code, destroyed.Code));
        Assert.Equal(empty, Directory.Exists(Keys) && Directory.GetFileSystemEntries(Keys).Length == 0);
        Assert.Equal(empty, Directory.Exists(Keys));
    }

    [Fact]
    public async Task A_gateway_that_slept_hears_of_the_erasures_of_that_time()
    {
        var clock = new ShiftedClock(); // the other clock of the machine stands still meanwhile
        using var here = new SubjectKeys(await InDirectoryAsync(clock), clock);
        using var elsewhere = new SubjectKeys(await InDirectoryAsync(clock), clock);
        var known = await elsewhere.GetOrCreateAsync(Ada, Token);
        await elsewhere.RefreshAsync(Token);

        await here.DestroyAsync(ErasureOf(Ada), Token);
        clock.Advance(TimeSpan.FromHours(2));
        await elsewhere.RefreshAsync(Token);

        Assert.NotNull(known.Erased);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10_000)] // too long to be one
    [InlineData(-1)] // cannot be opened
    public async Task A_forged_erasure_keeps_no_gateway_from_hearing_of_the_others(int length)
    {
        var store = await InDirectoryAsync();
        using var here = new SubjectKeys(store, TimeProvider.System);
        using var elsewhere = new SubjectKeys(store, TimeProvider.System);
        var known = await elsewhere.GetOrCreateAsync(Ada, Token);
        await elsewhere.RefreshAsync(Token);
        await here.DestroyAsync(ErasureOf(Ada), Token);
        for (var i = 0; i < 16; i++) // some of them are listed before the good one
        {
            var forged = Path.Combine(Keys, $"{i:x}{new string('0', 63)}.erased");
            if (length < 0)
            {
                File.CreateSymbolicLink(forged, "nowhere");
            }
            else
            {
                await File.WriteAllBytesAsync(forged, new byte[length], Token);
            }
        }

        using var heard = new HeardLogger();
        using var watch = new SubjectKeyWatch(
            elsewhere,
            new SubjectKeyOptions { WatchSeconds = 1 },
            TimeProvider.System,
            heard
        );
        await watch.StartAsync(Token);
        var told = await heard.First.WaitAsync(TimeSpan.FromMinutes(1), Token);
        await watch.StopAsync(Token);
        var start = await Assert.ThrowsAsync<SubjectKeyException>(() => elsewhere.ErasuresAsync(Token));

        Assert.NotNull(known.Erased);
        Assert.Contains("keys.erasure_forged", told, StringComparison.Ordinal);
        Assert.Equal("keys.erasure_forged", start.Code);
    }

    private static SubjectErasure ErasureOf(string subject) =>
        new(subject, Guid.CreateVersion7(), DateTimeOffset.UnixEpoch);

    // Without the mark of the store.
    private string[] KeyFiles() => [.. Directory.GetFiles(Keys, "*.key").Where(file => file != _mark)];

    private async Task<DirectorySubjectKeys> InDirectoryAsync(TimeProvider? clock = null)
    {
        var store = new DirectorySubjectKeys(Platform, new SubjectKeyOptions(), _wrap, clock ?? TimeProvider.System);
        await store.CreateAsync(SubjectKeyHome.Nobody, Token);
        _mark ??= Assert.Single(Directory.GetFiles(Keys, "*.key"));
        return store;
    }

    private async Task<ISubjectKeyStore> OpenAsync()
    {
        if (!TestServer.IsPostgreSql)
        {
            return await InDirectoryAsync();
        }

        var options = new SubjectKeyOptions
        {
            Provider = SubjectKeyOptions.PostgreSql,
            ConnectionString = (await TestServer.OptionsAsync(_root)).ConnectionString,
        };
        var store = new PostgresSubjectKeys(options, _wrap);
        _opened.Add(store);
        return store;
    }

    private sealed class HeardLogger : ILogger<SubjectKeyWatch>, IDisposable
    {
        private readonly TaskCompletionSource<string> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> First => _first.Task;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => _first.TrySetResult(formatter(state, exception));

        public void Dispose() => _first.TrySetCanceled();
    }
}
