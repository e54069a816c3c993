using System.Collections.Concurrent;
using System.Text;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Microsoft.Win32.SafeHandles;

namespace Governance.Tests.Platform;

public sealed class BlobCollectorTests
{
    private static readonly CancellationToken Now = TestContext.Current.CancellationToken;
    private static readonly TimeSpan Grace = TimeSpan.FromHours(24) + TimeSpan.FromMinutes(1);

    [Fact]
    public async Task What_nothing_refers_to_goes_after_two_looks_a_grace_period_apart_and_is_logged()
    {
        await using var host = await Host.StartAsync();
        var digest = await host.StoreAsync("unused");
        await host.CollectAsync();
        Assert.True(await host.IsReadableAsync(digest));

        host.Clock.Advance(Grace);
        await host.CollectAsync();
        await host.CollectAsync();
        Assert.True(await host.IsReadableAsync(digest));

        host.Clock.Advance(Grace);
        await host.CollectAsync();
        Assert.False(await host.IsReadableAsync(digest));
        Assert.False(File.Exists(host.PathOf(digest)));
        var entry = Assert.Single(host.Database.Log.Entries, entry => entry.Kind == "platform.blobs_collected");
        Assert.Equal(digest.Hex, (string?)entry.Details["sha256"]![0]);
    }

    [Fact]
    public async Task What_something_refers_to_stays_for_good()
    {
        await using var host = await Host.StartAsync();
        var digest = await host.StoreAsync("used");
        host.Used.Add(digest);

        for (var i = 0; i < 5; i++)
        {
            host.Clock.Advance(Grace);
            await host.CollectAsync();
        }

        Assert.True(await host.IsReadableAsync(digest));
    }

    [Fact]
    public async Task What_is_referred_to_again_between_the_looks_stays()
    {
        await using var host = await Host.StartAsync();
        var digest = await host.StoreAsync("again");
        host.Clock.Advance(Grace);
        await host.CollectAsync(); // unused
        host.Used.Add(digest); // by a row that needed no upload: a version of an artifact
        host.Clock.Advance(Grace);
        await host.CollectAsync();
        host.Clock.Advance(Grace);
        await host.CollectAsync();

        Assert.True(await host.IsReadableAsync(digest));
    }

    [Fact]
    public async Task Bytes_of_an_upload_that_was_never_used_go_too()
    {
        await using var host = await Host.StartAsync();
        var stored = await host.PutAsync("orphan");

        for (var i = 0; i < 2; i++)
        {
            host.Clock.Advance(Grace);
            await host.CollectAsync();
        }

        Assert.False(File.Exists(host.PathOf(stored.Digest)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_upload_during_the_deletion_is_refused_and_works_when_it_is_sent_again(bool inBucket)
    {
        await using var server = inBucket ? await S3Server.StartAsync() : null;
        await using var host = await Host.StartAsync(server);
        var digest = await host.StoreAsync("same");
        host.Clock.Advance(Grace);
        await host.CollectAsync();
        host.Clock.Advance(Grace);
        StoredBlob? early = null;
        Result<Unit> during = default(Unit);
        host.Files.BeforeDelete = async () =>
        {
            early = await host.PutAsync("same");
            during = await host.AttachAsync(early);
        };

        await host.CollectAsync();
        host.Files.BeforeDelete = () => Task.CompletedTask;
        var after = await host.AttachAsync(early!);
        host.Clock.Advance(TimeSpan.FromSeconds(5));
        var again = await host.AttachAsync(await host.PutAsync("same"));

        Assert.Equal(("blob.collected", "blob.collected"), (during.Failure?.Code, after.Failure?.Code));
        Assert.True(again.Ok);
        Assert.True(await host.IsReadableAsync(digest));
    }

    [Fact]
    public async Task An_upload_just_before_the_deletion_keeps_the_bytes()
    {
        await using var host = await Host.StartAsync();
        var digest = await host.StoreAsync("same");
        host.Clock.Advance(Grace);
        await host.CollectAsync();
        host.Clock.Advance(Grace);
        var stored = await host.PutAsync("same");
        Assert.True((await host.AttachAsync(stored)).Ok);
        host.Used.Add(digest);

        await host.CollectAsync();

        Assert.True(await host.IsReadableAsync(digest));
    }

    [Fact]
    public async Task An_upload_that_waited_too_long_is_refused()
    {
        await using var host = await Host.StartAsync();
        var stored = await host.PutAsync("late");
        host.Clock.Advance(TimeSpan.FromHours(1));

        Assert.Equal("blob.collected", (await host.AttachAsync(stored)).Failure?.Code);
    }

    [Fact]
    public async Task A_crash_between_the_decision_and_the_deletion_is_made_good_by_the_next_run()
    {
        await using var host = await Host.StartAsync();
        var digest = await host.StoreAsync("unused");
        host.Clock.Advance(Grace);
        await host.CollectAsync();
        host.Clock.Advance(Grace);
        host.Files.BeforeDelete = () => throw new IOException("power");
        await Assert.ThrowsAsync<IOException>(host.CollectAsync);
        Assert.True(File.Exists(host.PathOf(digest)));
        Assert.False(await host.IsReadableAsync(digest));

        host.Files.BeforeDelete = () => Task.CompletedTask;
        await host.CollectAsync();
        Assert.False(File.Exists(host.PathOf(digest)));

        host.Clock.Advance(TimeSpan.FromHours(3));
        await host.CollectAsync();
        await using var db = host.Database.Read();
        Assert.Empty(await db.Set<BlobRow>().ToListAsync(Now));
    }

    [Fact]
    public async Task Without_a_module_that_says_what_it_refers_to_nothing_is_collected()
    {
        await using var database = await TestDatabase.StartAsync();
        var collector = database.Services.GetServices<IJobHandler>().OfType<BlobCollector>().Single();

        await Assert.ThrowsAsync<InvalidOperationException>(() => collector.RunAsync("", Now));
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(4, false)]
    [InlineData(5, false)]
    [InlineData(8, true)]
    public async Task However_uploads_uses_and_collections_interleave_what_is_used_is_there(int seed, bool inBucket)
    {
        await using var server = inBucket ? await S3Server.StartAsync() : null;
        await using var host = await Host.StartAsync(server);
        var chance = new Random(seed);
        var waiting = new List<StoredBlob>();
        var steps = 0;
        host.Files.BeforeDelete = host.Files.AfterDelete = async () =>
        {
            for (var i = chance.Next(4); i > 0; i--)
            {
                await UploadOrAttachAsync();
            }
        };

        // A look through a bucket is 256 requests.
        for (; steps < (inBucket ? 40 : 250); steps++)
        {
            switch (chance.Next(10))
            {
                case < 4:
                    await UploadOrAttachAsync();
                    break;
                case < 6:
                    host.Used.TryTake(out _);
                    continue; // nothing is written or deleted: what was there is
                case < 8:
                    int[] minutes = [1, 20, 45, 70, 24 * 60];
                    host.Clock.Advance(TimeSpan.FromMinutes(minutes[chance.Next(minutes.Length)]));
                    continue;
                default:
                    await host.CollectAsync();
                    break;
            }

            foreach (var digest in host.Used.Distinct())
            {
                Assert.True(await host.IsReadableAsync(digest), $"step {steps} of seed {seed}: {digest} is lost");
            }
        }

        Assert.Contains(host.Database.Log.Entries, entry => entry.Kind == "platform.blobs_collected");

        async Task UploadOrAttachAsync()
        {
            if (waiting.Count == 0 || chance.Next(2) == 0)
            {
                waiting.Add(await host.PutAsync($"blob {chance.Next(3)}"));
                return;
            }

            var at = chance.Next(waiting.Count);
            if ((await host.AttachAsync(waiting[at])).Ok)
            {
                host.Used.Add(waiting[at].Digest);
            }

            waiting.RemoveAt(at);
        }
    }

    private sealed class Host(TestDatabase database, FakeTimeProvider clock, UsedSet used) : IAsyncDisposable
    {
        public TestDatabase Database => database;

        public FakeTimeProvider Clock => clock;

        public ConcurrentBag<Digest> Used => used.Digests;

        public HookedFiles Files => (HookedFiles)database.Get<IBlobFiles>();

        /// <summary>With its files in the bucket of a server, or on disk.</summary>
        public static async Task<Host> StartAsync(S3Server? server = null)
        {
            var clock = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
            var used = new UsedSet();
            var database = await TestDatabase.StartAsync(
                services =>
                {
                    services.AddSingleton<DiskBlobFiles>();
                    services.AddSingleton<S3BlobFiles>();
                    services.AddSingleton(server?.Options ?? new S3Options());
                    services.AddSingleton<IBlobFiles>(provider => new HookedFiles(
                        server is null
                            ? provider.GetRequiredService<DiskBlobFiles>()
                            : provider.GetRequiredService<S3BlobFiles>()
                    ));
                    services.AddSingleton<IBlobReferences>(used);
                },
                clock: clock
            );
            return new Host(database, clock, used);
        }

        public async Task<StoredBlob> PutAsync(string content) =>
            (
                await database.Blobs.PutAsync(new MemoryStream(Encoding.UTF8.GetBytes(content)), long.MaxValue, Now)
            ).Value;

        public Task<Result<Unit>> AttachAsync(StoredBlob stored) =>
            database.Writer.WriteAsync((session, token) => database.Blobs.AttachAsync(session, stored, token), Now);

        public async Task<Digest> StoreAsync(string content)
        {
            var stored = await PutAsync(content);
            Assert.True((await AttachAsync(stored)).Ok);
            return stored.Digest;
        }

        public Task CollectAsync() =>
            database
                .Services.GetServices<IJobHandler>()
                .OfType<BlobCollector>()
                .Single()
                .RunAsync(BlobCollector.Job(files: true).Payload, Now);

        public async Task<bool> IsReadableAsync(Digest digest)
        {
            var opened = await database.Blobs.OpenAsync(digest, Now);
            if (!opened.Ok)
            {
                return false;
            }

            await using var content = opened.Value;
            return await Digest.OfAsync(content, Now) == digest;
        }

        public string PathOf(Digest digest) =>
            Path.Combine(database.Directory, "data", "blobs", digest.Hex[..2], digest.Hex[2..4], digest.Hex);

        public ValueTask DisposeAsync() => database.DisposeAsync();
    }

    private sealed class UsedSet : IBlobReferences
    {
        public ConcurrentBag<Digest> Digests { get; } = [];

        public Task<IReadOnlyCollection<Digest>> UsedAsync(
            GovernanceDb db,
            IReadOnlyCollection<Digest> digests,
            CancellationToken cancellationToken
        ) => Task.FromResult<IReadOnlyCollection<Digest>>([.. digests.Intersect(Digests)]);
    }
}

/// <summary>Stored files, with something happening just before and just after each deletion.</summary>
internal sealed class HookedFiles(IBlobFiles files) : IBlobFiles
{
    public Func<Task> BeforeDelete { get; set; } = () => Task.CompletedTask;

    public Func<Task> AfterDelete { get; set; } = () => Task.CompletedTask;

    public async Task DeleteAsync(Digest digest, CancellationToken cancellationToken)
    {
        await BeforeDelete();
        await files.DeleteAsync(digest, cancellationToken);
        await AfterDelete();
    }

    public Task PlaceAsync(SafeFileHandle staged, string path, Digest digest, CancellationToken cancellationToken) =>
        files.PlaceAsync(staged, path, digest, cancellationToken);

    public Task CheckAsync(CancellationToken cancellationToken) => files.CheckAsync(cancellationToken);

    public Task<IStoredBytes?> OpenAsync(Digest digest, CancellationToken cancellationToken) =>
        files.OpenAsync(digest, cancellationToken);

    public IAsyncEnumerable<StoredFile> ListAsync(string prefix, CancellationToken cancellationToken) =>
        files.ListAsync(prefix, cancellationToken);

    public Task CleanAsync(DateTimeOffset before, CancellationToken cancellationToken) =>
        files.CleanAsync(before, cancellationToken);
}
