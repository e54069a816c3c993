using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;

namespace Governance.Tests.Platform;

public class BlobStoreTests
{
    private static readonly CancellationToken Now = TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(IBlobStore.ChunkSize)]
    [InlineData((3 * IBlobStore.ChunkSize) + 17)]
    public async Task What_goes_in_comes_out(int size)
    {
        await using var database = await TestDatabase.StartAsync();
        var bytes = Bytes(size);

        var stored = await StoreAsync(database, bytes);

        Assert.Equal(Digest.Of(bytes), stored.Digest);
        await using var stream = (await database.Blobs.OpenAsync(stored.Digest, Now)).Value;
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy, Now);
        Assert.Equal(bytes, copy.ToArray());
    }

    [Fact]
    public async Task A_flipped_byte_in_the_first_chunk_is_refused_before_any_byte()
    {
        await using var database = await TestDatabase.StartAsync();
        var stored = await StoreAsync(database, Bytes(5000));
        Flip(database, stored.Digest, 4999);

        Assert.Equal("artifact.digest_mismatch", (await database.Blobs.OpenAsync(stored.Digest, Now)).Failure!.Code);
    }

    [Fact]
    public async Task A_flipped_byte_in_a_later_chunk_stops_the_stream_before_that_chunk()
    {
        await using var database = await TestDatabase.StartAsync();
        var stored = await StoreAsync(database, Bytes((2 * IBlobStore.ChunkSize) + 5));
        Flip(database, stored.Digest, IBlobStore.ChunkSize + 3);

        await using var stream = (await database.Blobs.OpenAsync(stored.Digest, Now)).Value;
        using var copy = new MemoryStream();
        await Assert.ThrowsAsync<BlobCorruptException>(() => stream.CopyToAsync(copy, Now));
        Assert.Equal(IBlobStore.ChunkSize, copy.Length);
    }

    [Fact]
    public async Task A_truncated_or_missing_file_is_a_mismatch()
    {
        await using var database = await TestDatabase.StartAsync();
        var stored = await StoreAsync(database, Bytes(100));
        File.Delete(PathOf(database, stored.Digest));

        Assert.Equal("artifact.digest_mismatch", (await database.Blobs.OpenAsync(stored.Digest, Now)).Failure!.Code);
    }

    [Fact]
    public async Task Over_the_limit_is_refused_and_leaves_no_file()
    {
        await using var database = await TestDatabase.StartAsync();

        var result = await database.Blobs.PutAsync(new MemoryStream(Bytes(101)), 100, Now);

        Assert.Equal("blob.too_large", result.Failure!.Code);
        Assert.Empty(
            Directory.EnumerateFiles(
                Path.Combine(database.Directory, "data", "blobs"),
                "*",
                SearchOption.AllDirectories
            )
        );
    }

    [Fact]
    public async Task What_a_crash_left_half_written_is_gone_at_the_next_start_and_was_never_a_blob()
    {
        await using var database = await TestDatabase.StartAsync();
        var incoming = Path.Combine(database.Directory, "data", "blobs", "incoming");
        Directory.CreateDirectory(incoming);
        await File.WriteAllBytesAsync(Path.Combine(incoming, "half"), Bytes(10), Now);
        if (TestServer.IsPostgreSql)
        {
            // Younger ones may be another gateway's.
            File.SetLastWriteTimeUtc(Path.Combine(incoming, "half"), DateTime.UtcNow.AddDays(-2));
        }

        var opened = await database.Blobs.OpenAsync(Digest.Of(Bytes(10)), Now);

        Assert.Equal("blob.not_found", opened.Failure!.Code);
        Assert.Empty(Directory.EnumerateFiles(incoming));
    }

    [Fact]
    public async Task A_file_under_its_digest_is_no_blob_before_a_row_says_so()
    {
        await using var database = await TestDatabase.StartAsync();
        var stored = (await database.Blobs.PutAsync(new MemoryStream(Bytes(10)), long.MaxValue, Now)).Value;

        Assert.True(File.Exists(PathOf(database, stored.Digest)));
        Assert.Equal("blob.not_found", (await database.Blobs.OpenAsync(stored.Digest, Now)).Failure!.Code);
    }

    [Fact]
    public async Task Storing_again_replaces_a_damaged_file()
    {
        await using var database = await TestDatabase.StartAsync();
        var stored = await StoreAsync(database, Bytes(5000));
        Flip(database, stored.Digest, 17);

        await StoreAsync(database, Bytes(5000));

        Assert.True((await database.Blobs.OpenAsync(stored.Digest, Now)).Ok);
    }

    [Fact]
    public async Task Seeking_reads_the_right_bytes()
    {
        await using var database = await TestDatabase.StartAsync();
        var bytes = Bytes((2 * IBlobStore.ChunkSize) + 100);
        var stored = await StoreAsync(database, bytes);

        await using var stream = (await database.Blobs.OpenAsync(stored.Digest, Now)).Value;
        stream.Position = IBlobStore.ChunkSize - 2;
        var part = new byte[4];
        await stream.ReadExactlyAsync(part, Now);

        Assert.Equal(bytes.AsSpan(IBlobStore.ChunkSize - 2, 4).ToArray(), part);
    }

    private static byte[] Bytes(int size)
    {
        var bytes = new byte[size];
        new Random(size).NextBytes(bytes);
        return bytes;
    }

    private static async Task<StoredBlob> StoreAsync(TestDatabase database, byte[] bytes)
    {
        var stored = (await database.Blobs.PutAsync(new MemoryStream(bytes), long.MaxValue, Now)).Value;
        var attached = await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await database.Blobs.AttachAsync(session, stored, token);
                return default(Unit);
            },
            Now
        );
        Assert.True(attached.Ok);
        return stored;
    }

    private static void Flip(TestDatabase database, Digest digest, int at)
    {
        var path = PathOf(database, digest);
        var bytes = File.ReadAllBytes(path);
        bytes[at] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private static string PathOf(TestDatabase database, Digest digest) =>
        Path.Combine(database.Directory, "data", "blobs", digest.Hex[..2], digest.Hex[2..4], digest.Hex);
}
