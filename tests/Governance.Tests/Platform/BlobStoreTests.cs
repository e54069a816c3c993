using System.Buffers.Binary;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Platform;

/// <summary>What every blob store must do; run against each place where blobs can be kept.</summary>
public abstract class BlobStoreTests
{
    private const int Chunk = IBlobStore.ChunkSize;
    protected static readonly CancellationToken Now = TestContext.Current.CancellationToken;

    /// <summary>A place of its own, and a way to spoil what is stored there.</summary>
    internal abstract Task<Place> StartAsync(BlobOptions options);

    internal abstract class Place(TestDatabase database) : IAsyncDisposable
    {
        public TestDatabase Database => database;

        public IBlobStore Blobs => database.Blobs;

        public IBlobFiles Files => database.Get<IBlobFiles>();

        public abstract Task<byte[]> StoredAsync(Digest digest);

        public abstract Task SpoilAsync(Digest digest, byte[] stored);

        public virtual ValueTask DisposeAsync() => database.DisposeAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Chunk)]
    [InlineData((3 * Chunk) + 17)]
    public async Task What_goes_in_comes_out(int size)
    {
        await using var place = await StartAsync(new BlobOptions());
        foreach (var bytes in new[] { Noise(size), Text(size) })
        {
            var stored = await StoreAsync(place, bytes);

            Assert.Equal(Digest.Of(bytes), stored.Digest);
            Assert.Equal(bytes, await ReadAsync(place, stored.Digest));
        }
    }

    [Theory]
    [InlineData(BlobCompression.Lz4)]
    [InlineData(BlobCompression.Zstd)]
    public async Task What_shrinks_is_kept_smaller_and_reads_the_same_from_anywhere(BlobCompression compression)
    {
        await using var place = await StartAsync(new BlobOptions { Compression = compression });
        var bytes = Text((3 * Chunk) + 100);

        var stored = await StoreAsync(place, bytes);

        Assert.InRange((await place.StoredAsync(stored.Digest)).Length, 1, bytes.Length / 2);
        Assert.Equal(bytes, await ReadAsync(place, stored.Digest));
        foreach (var at in new[] { 0, 1, Chunk - 1, Chunk, (2 * Chunk) + 5, bytes.Length - 1 })
        {
            await using var stream = (await place.Blobs.OpenAsync(stored.Digest, at, Now)).Value;
            var part = new byte[Math.Min(Chunk + 2, bytes.Length - at)];
            await stream.ReadExactlyAsync(part, Now);
            Assert.True(bytes.AsSpan(at, part.Length).SequenceEqual(part), $"at {at}");
        }
    }

    [Fact]
    public async Task What_does_not_shrink_or_need_not_is_kept_as_it_is()
    {
        await using var place = await StartAsync(new BlobOptions());
        var noise = Noise(Chunk + 5);
        var small = Text(1000);

        Assert.Equal(noise, await place.StoredAsync((await StoreAsync(place, noise)).Digest));
        Assert.Equal(small, await place.StoredAsync((await StoreAsync(place, small)).Digest));
    }

    [Fact]
    public async Task A_chunk_of_noise_among_text_is_kept_as_it_is_and_the_rest_small()
    {
        await using var place = await StartAsync(new BlobOptions());
        byte[] bytes = [.. Text(Chunk), .. Noise(Chunk), .. Text(7000)];

        var stored = await StoreAsync(place, bytes);

        Assert.InRange((await place.StoredAsync(stored.Digest)).Length, Chunk, 2 * Chunk);
        Assert.Equal(bytes, await ReadAsync(place, stored.Digest));
    }

    [Fact]
    public async Task What_was_stored_under_another_setting_stays_readable()
    {
        await using var place = await StartAsync(new BlobOptions { Compression = BlobCompression.None });
        var bytes = Text(2 * Chunk);
        var stored = await StoreAsync(place, bytes);
        Assert.Equal(bytes, await place.StoredAsync(stored.Digest));
        place.Database.Get<BlobOptions>().Compression = BlobCompression.Zstd;

        Assert.Equal(bytes, await ReadAsync(place, stored.Digest));

        await StoreAsync(place, bytes);
        Assert.NotEqual(bytes.Length, (await place.StoredAsync(stored.Digest)).Length);
        Assert.Equal(bytes, await ReadAsync(place, stored.Digest));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4999)]
    public async Task A_flipped_byte_in_the_first_chunk_is_refused_before_any_byte(int at)
    {
        await using var place = await StartAsync(new BlobOptions());
        var stored = await StoreAsync(place, Noise(5000));
        await FlipAsync(place, stored.Digest, at);

        Assert.Equal("artifact.digest_mismatch", (await place.Blobs.OpenAsync(stored.Digest, Now)).Failure!.Code);
    }

    [Fact]
    public async Task A_flipped_byte_in_a_later_chunk_stops_the_stream_before_that_chunk()
    {
        await using var place = await StartAsync(new BlobOptions());
        var stored = await StoreAsync(place, Noise((4 * Chunk) + 5));
        await FlipAsync(place, stored.Digest, (3 * Chunk) + 3);

        await using var stream = (await place.Blobs.OpenAsync(stored.Digest, Now)).Value;
        using var copy = new MemoryStream();
        await Assert.ThrowsAsync<BlobCorruptException>(() => stream.CopyToAsync(copy, Now));
        Assert.Equal(3 * Chunk, copy.Length);
    }

    [Fact]
    public async Task Reading_from_an_offset_verifies_the_chunk_there_before_any_byte()
    {
        await using var place = await StartAsync(new BlobOptions());
        var stored = await StoreAsync(place, Noise(3 * Chunk));
        await FlipAsync(place, stored.Digest, (2 * Chunk) - 1);

        var there = await place.Blobs.OpenAsync(stored.Digest, Chunk + 1, Now);
        await using var behind = (await place.Blobs.OpenAsync(stored.Digest, 2 * Chunk, Now)).Value;

        Assert.Equal("artifact.digest_mismatch", there.Failure!.Code);
        await behind.ReadExactlyAsync(new byte[10], Now);
    }

    [Theory]
    [InlineData(BlobCompression.Lz4)]
    [InlineData(BlobCompression.Zstd)]
    public async Task Whatever_is_changed_in_a_framed_form_no_changed_byte_is_served(BlobCompression compression)
    {
        await using var place = await StartAsync(new BlobOptions { Compression = compression });
        var bytes = Text(Chunk + 20_000);
        var stored = await StoreAsync(place, bytes);
        var form = await place.StoredAsync(stored.Digest);
        var tail = form.Length - (2 * FrameTable.EntryLength) - FrameTable.TrailerLength;
        // Every byte of the table, and some of the frames.
        int[] spots = [0, 1, 5, tail / 2, tail - 1, .. Enumerable.Range(tail, form.Length - tail)];
        foreach (var at in spots)
        {
            var spoilt = (byte[])form.Clone();
            spoilt[at] ^= 0x41;
            await place.SpoilAsync(stored.Digest, spoilt);
            Assert.True(await IsRefusedOrRightAsync(place, stored.Digest, bytes), $"byte {at} of {form.Length}");
        }

        foreach (var length in new[] { 0, 1, 15, form.Length - 1, form.Length + 1, bytes.Length })
        {
            var spoilt = new byte[length];
            form.AsSpan(0, Math.Min(length, form.Length)).CopyTo(spoilt);
            await place.SpoilAsync(stored.Digest, spoilt);
            Assert.False(await TryReadAsync(place, stored.Digest) is not null, $"{length} bytes");
        }
    }

    [Fact]
    public async Task A_frame_that_would_expand_beyond_its_chunk_is_a_mismatch()
    {
        await using var place = await StartAsync(new BlobOptions { Compression = BlobCompression.Zstd });
        var stored = await StoreAsync(place, Text(8000));
        using var codec = new FrameCodec(BlobCompression.Zstd);
        var frame = new byte[4000];
        var length = codec.Encode(new byte[64 << 20], frame); // a bomb: 64 MiB of zeros
        byte[] form = [.. frame.AsSpan(0, length), .. FrameTable.Tail([length], 8000, BlobCompression.Zstd)];
        await place.SpoilAsync(stored.Digest, form);

        Assert.Equal("artifact.digest_mismatch", (await place.Blobs.OpenAsync(stored.Digest, Now)).Failure!.Code);
    }

    [Fact]
    public async Task A_missing_file_is_a_mismatch()
    {
        await using var place = await StartAsync(new BlobOptions());
        var stored = await StoreAsync(place, Noise(100));
        await place.Files.DeleteAsync(stored.Digest, Now);

        Assert.Equal("artifact.digest_mismatch", (await place.Blobs.OpenAsync(stored.Digest, Now)).Failure!.Code);
    }

    [Fact]
    public async Task Bytes_under_their_digest_are_no_blob_before_a_row_says_so()
    {
        await using var place = await StartAsync(new BlobOptions());
        var stored = (await place.Blobs.PutAsync(new MemoryStream(Noise(10)), long.MaxValue, Now)).Value;

        Assert.Equal(Noise(10), await place.StoredAsync(stored.Digest));
        Assert.Equal("blob.not_found", (await place.Blobs.OpenAsync(stored.Digest, Now)).Failure!.Code);
    }

    [Fact]
    public async Task Storing_again_replaces_damaged_bytes()
    {
        await using var place = await StartAsync(new BlobOptions());
        var stored = await StoreAsync(place, Noise(5000));
        await FlipAsync(place, stored.Digest, 17);

        await StoreAsync(place, Noise(5000));

        Assert.Equal(Noise(5000), await ReadAsync(place, stored.Digest));
    }

    [Fact]
    public async Task Over_the_limit_or_broken_off_leaves_nothing_behind()
    {
        await using var place = await StartAsync(new BlobOptions());

        var result = await place.Blobs.PutAsync(new MemoryStream(Noise(101)), 100, Now);
        await Assert.ThrowsAsync<IOException>(() => place.Blobs.PutAsync(new BrokenStream(), long.MaxValue, Now));

        Assert.Equal("blob.too_large", result.Failure!.Code);
        Assert.Empty(
            Directory.EnumerateFiles(
                Path.Combine(place.Database.Directory, "data", "blobs"),
                "*",
                SearchOption.AllDirectories
            )
        );
    }

    [Fact]
    public async Task The_stored_are_listed_by_their_first_two_characters_until_they_are_deleted()
    {
        await using var place = await StartAsync(new BlobOptions());
        var stored = await StoreAsync(place, Noise(100));

        Assert.Contains(await ListAsync(), file => file.Digest == stored.Digest);

        await place.Files.DeleteAsync(stored.Digest, Now);
        await place.Files.DeleteAsync(stored.Digest, Now); // again: nothing happens
        Assert.Empty(await ListAsync());

        async Task<List<StoredFile>> ListAsync()
        {
            var files = new List<StoredFile>();
            await foreach (var file in place.Files.ListAsync(stored.Digest.Hex[..2], Now))
            {
                files.Add(file);
            }

            return files;
        }
    }

    [Fact]
    public async Task Many_readers_and_writers_of_the_same_bytes_do_not_disturb_each_other()
    {
        await using var place = await StartAsync(new BlobOptions());
        var bytes = Text((2 * Chunk) + 9);
        var stored = await StoreAsync(place, bytes);

        await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(async i =>
                {
                    if (i % 2 == 0)
                    {
                        await StoreAsync(place, bytes);
                    }

                    Assert.Equal(bytes, await ReadAsync(place, stored.Digest));
                })
        );
    }

    private static async Task<bool> IsRefusedOrRightAsync(Place place, Digest digest, byte[] right) =>
        await TryReadAsync(place, digest) is not { } read || read.AsSpan().SequenceEqual(right);

    private static async Task<byte[]?> TryReadAsync(Place place, Digest digest)
    {
        try
        {
            return await ReadAsync(place, digest);
        }
        catch (BlobCorruptException)
        {
            return null;
        }
        catch (InvalidOperationException)
        {
            return null; // OpenAsync refused
        }
    }

    protected static byte[] Noise(int size)
    {
        var bytes = new byte[size];
        new Random(size).NextBytes(bytes);
        return bytes;
    }

    protected static byte[] Text(int size)
    {
        var bytes = new byte[size];
        for (var i = 0; i + 8 <= size; i += 8)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(i), i / 64);
        }

        return bytes;
    }

    private static async Task<byte[]> ReadAsync(Place place, Digest digest)
    {
        await using var stream = (await place.Blobs.OpenAsync(digest, Now)).Value;
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy, Now);
        return copy.ToArray();
    }

    internal static async Task<StoredBlob> StoreAsync(Place place, byte[] bytes)
    {
        var stored = (await place.Blobs.PutAsync(new MemoryStream(bytes), long.MaxValue, Now)).Value;
        var attached = await place.Database.Writer.WriteAsync(
            (session, token) => place.Blobs.AttachAsync(session, stored, token),
            Now
        );
        Assert.True(attached.Ok, attached.Failure?.Code);
        return stored;
    }

    private static async Task FlipAsync(Place place, Digest digest, int at)
    {
        var bytes = await place.StoredAsync(digest);
        bytes[at] ^= 1;
        await place.SpoilAsync(digest, bytes);
    }

    private sealed class BrokenStream : MemoryStream
    {
        private int _reads;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _reads++ < 40 ? ValueTask.FromResult(Math.Min(buffer.Length, 1 << 16)) : throw new IOException("gone");
    }
}

public sealed class DiskBlobStoreTests : BlobStoreTests
{
    internal override async Task<Place> StartAsync(BlobOptions options) =>
        new Disk(await TestDatabase.StartAsync(services => services.AddSingleton(options)));

    [Fact]
    public async Task What_a_crash_left_half_written_is_removed_at_the_next_start_but_not_what_another_one_is_writing()
    {
        await using var place = await StartAsync(new BlobOptions());
        _ = place.Blobs;
        var incoming = Path.Combine(place.Database.Directory, "data", "blobs", "incoming");
        var left = Path.Combine(incoming, "left");
        var busy = Path.Combine(incoming, "busy");
        await File.WriteAllTextAsync(left, "x", Now);
        File.SetLastWriteTimeUtc(left, DateTime.UtcNow.AddDays(-2)); // on PostgreSQL younger ones may be another gateway's
        await using var writing = new FileStream(busy, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete);

        _ = ActivatorUtilities.CreateInstance<BlobStore>(place.Database.Services);

        Assert.Equal((false, true), (File.Exists(left), File.Exists(busy)));
    }

    private sealed class Disk(TestDatabase database) : Place(database)
    {
        public override Task<byte[]> StoredAsync(Digest digest) => File.ReadAllBytesAsync(PathOf(digest), Now);

        public override Task SpoilAsync(Digest digest, byte[] stored) =>
            File.WriteAllBytesAsync(PathOf(digest), stored, Now);

        private string PathOf(Digest digest) =>
            Path.Combine(Database.Directory, "data", "blobs", digest.Hex[..2], digest.Hex[2..4], digest.Hex);
    }
}
