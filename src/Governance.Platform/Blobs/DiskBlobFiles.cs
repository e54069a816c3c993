using System.Runtime.CompilerServices;
using Governance.Kernel;
using Microsoft.Win32.SafeHandles;

namespace Governance.Platform.Blobs;

/// <summary>Stored forms as files <c>blobs/ab/cd/&lt;sha256&gt;</c> of the data directory.</summary>
internal sealed class DiskBlobFiles(PlatformOptions options) : IBlobFiles
{
    private readonly string _root = Path.Combine(options.DataDirectory, "blobs");

    public Task PlaceAsync(SafeFileHandle staged, string path, Digest digest, CancellationToken cancellationToken)
    {
        var target = PathOf(digest);
        var directory = Path.GetDirectoryName(target)!;
        Directory.CreateDirectory(directory);
        File.Move(path, target, overwrite: true);
        DurableFile.SyncDirectory(directory);
        DurableFile.SyncDirectory(Path.GetDirectoryName(directory)!);
        DurableFile.SyncDirectory(_root);
        return Task.CompletedTask;
    }

    // Writing makes what is missing, and says what is wrong.
    public Task CheckAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<IStoredBytes?> OpenAsync(Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            return Task.FromResult<IStoredBytes?>(new OpenFile(File.OpenHandle(PathOf(digest))));
        }
        catch (IOException exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            if (!Directory.Exists(_root))
            {
                throw new BlobsUnavailableException("The directory of blobs is not there.", exception);
            }

            return Task.FromResult<IStoredBytes?>(null);
        }
    }

    public Task DeleteAsync(Digest digest, CancellationToken cancellationToken)
    {
        var path = PathOf(digest);
        if (File.Exists(path))
        {
            File.Delete(path);
            DurableFile.SyncDirectory(Path.GetDirectoryName(path)!);
        }

        return Task.CompletedTask;
    }

    public async IAsyncEnumerable<StoredFile> ListAsync(
        string prefix,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var directory = new DirectoryInfo(Path.Combine(_root, prefix));
        if (!directory.Exists)
        {
            yield break;
        }

        foreach (var file in directory.EnumerateFiles("*", SearchOption.AllDirectories))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (Digest.TryParse(file.Name, out var digest))
            {
                yield return new StoredFile(digest, new DateTimeOffset(file.LastWriteTimeUtc));
            }
        }

        await Task.CompletedTask;
    }

    // Staged files are the staging's own; nothing else is ever half-written here.
    public Task CleanAsync(DateTimeOffset before, CancellationToken cancellationToken) => Task.CompletedTask;

    private string PathOf(Digest digest) => Path.Combine(_root, digest.Hex[..2], digest.Hex[2..4], digest.Hex);

    private sealed class OpenFile(SafeFileHandle handle) : IStoredBytes
    {
        public long Length { get; } = RandomAccess.GetLength(handle);

        public async ValueTask ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
        {
            while (!buffer.IsEmpty)
            {
                var read = await RandomAccess.ReadAsync(handle, buffer, offset, cancellationToken);
                if (read == 0)
                {
                    throw new EndOfStreamException();
                }

                offset += read;
                buffer = buffer[read..];
            }
        }

        public void Dispose() => handle.Dispose();
    }
}
