using System.Buffers;
using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Platform.Blobs;

/// <summary>A stored blob that rows may refer to.</summary>
internal sealed class BlobRow
{
    public Digest Digest { get; set; }

    public long Size { get; set; }

    public byte[] ChunkDigests { get; set; } = [];

    public DateTimeOffset CreatedAt { get; set; }
}

/// <summary>Blobs as files <c>blobs/ab/cd/&lt;sha256&gt;</c> of the data directory.</summary>
internal sealed class DiskBlobStore : IBlobStore
{
    private readonly IDbContextFactory<GovernanceDb> _databases;
    private readonly string _root;
    private readonly string _incoming;

    public DiskBlobStore(PlatformOptions options, DatabaseOptions database, IDbContextFactory<GovernanceDb> databases)
    {
        _databases = databases;
        _root = Path.Combine(options.DataDirectory, "blobs");
        _incoming = Path.Combine(_root, "incoming");
        DurableFile.CreateDirectory(_incoming);
        // What a crash left half-written was never acknowledged. On PostgreSQL another gateway may be writing what is young.
        var kept = database.IsPostgreSql
            ? TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(1)
            : DateTimeOffset.MaxValue;
        foreach (
            var file in new DirectoryInfo(_incoming)
                .EnumerateFiles()
                .Where(file => new DateTimeOffset(file.LastWriteTimeUtc) < kept)
        )
        {
            file.Delete();
        }
    }

    public async Task<Result<StoredBlob>> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken)
    {
        var temporary = Path.Combine(_incoming, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
        try
        {
            var stored = await WriteAsync(content, temporary, maxBytes, cancellationToken);
            if (stored is null)
            {
                return new Failure(
                    FailureKind.TooLarge,
                    "blob.too_large",
                    $"The content is larger than {maxBytes} bytes."
                );
            }

            var path = PathOf(stored.Digest);
            var directory = Path.GetDirectoryName(path)!;
            Directory.CreateDirectory(directory);
            File.Move(temporary, path, overwrite: true);
            DurableFile.SyncDirectory(directory);
            DurableFile.SyncDirectory(Path.GetDirectoryName(directory)!);
            DurableFile.SyncDirectory(_root);
            return stored;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    public async Task AttachAsync(WriteSession session, StoredBlob blob, CancellationToken cancellationToken)
    {
        var rows = session.Db.Set<BlobRow>();
        if (await rows.FindAsync([blob.Digest], cancellationToken) is null)
        {
            rows.Add(
                new BlobRow
                {
                    Digest = blob.Digest,
                    Size = blob.Size,
                    ChunkDigests = blob.ChunkDigests,
                    CreatedAt = session.Now,
                }
            );
        }
    }

    public async Task<Result<Stream>> OpenAsync(Digest digest, CancellationToken cancellationToken)
    {
        await using var db = await _databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<BlobRow>()
            .AsNoTracking()
            .SingleOrDefaultAsync(blob => blob.Digest == digest, cancellationToken);
        if (row is null)
        {
            return Failure.NotFound("blob.not_found", "No content with that digest is stored.");
        }

        var path = PathOf(digest);
        try
        {
            var file = new FileStream(
                path,
                FileMode.Open,
                FileAccess.Read,
                FileShare.Read,
                0,
                FileOptions.Asynchronous
            );
            var stream = new VerifiedStream(file, digest, row.Size, row.ChunkDigests);
            try
            {
                await stream.PrimeAsync(cancellationToken);
                return stream;
            }
            catch
            {
                await stream.DisposeAsync();
                throw;
            }
        }
        catch (IOException exception)
            when (exception is BlobCorruptException or FileNotFoundException or DirectoryNotFoundException)
        {
            return Failure.Conflict(
                "artifact.digest_mismatch",
                "The stored bytes are not the bytes that were registered."
            );
        }
    }

    private static async Task<StoredBlob?> WriteAsync(
        Stream content,
        string path,
        long maxBytes,
        CancellationToken cancellationToken
    )
    {
        var chunks = new List<byte>(SHA256.HashSizeInBytes);
        using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(IBlobStore.ChunkSize);
        try
        {
            await using var file = new FileStream(
                path,
                FileMode.CreateNew,
                FileAccess.Write,
                FileShare.None,
                0,
                FileOptions.Asynchronous
            );
            long size = 0;
            int read;
            do
            {
                read = await content.ReadAtLeastAsync(
                    buffer.AsMemory(0, IBlobStore.ChunkSize),
                    IBlobStore.ChunkSize,
                    throwOnEndOfStream: false,
                    cancellationToken
                );
                size += read;
                if (size > maxBytes)
                {
                    return null;
                }

                if (read > 0)
                {
                    whole.AppendData(buffer, 0, read);
                    chunks.AddRange(SHA256.HashData(buffer.AsSpan(0, read)));
                    await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                }
            } while (read == IBlobStore.ChunkSize);

            file.Flush(flushToDisk: true);
            return new StoredBlob(Digest.FromBytes(whole.GetHashAndReset()), size, [.. chunks]);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private string PathOf(Digest digest) => Path.Combine(_root, digest.Hex[..2], digest.Hex[2..4], digest.Hex);
}
