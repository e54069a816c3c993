using System.Buffers;
using System.Security.Cryptography;
using Governance.Kernel;

namespace Governance.Platform.Blobs;

/// <summary>Files of a manifest, read from the blob store.</summary>
/// <param name="manifest">The frozen list.</param>
/// <param name="blobs">Where the bytes are.</param>
public sealed class BlobArtifacts(Manifest manifest, IBlobStore blobs) : IArtifactSource
{
    /// <inheritdoc />
    public Manifest Manifest => manifest;

    /// <inheritdoc />
    public async Task<Stream> OpenAsync(ManifestFile file, CancellationToken cancellationToken)
    {
        var stream = await blobs.OpenAsync(file.Digest, cancellationToken);
        return stream switch
        {
            { Ok: true } => stream.Value,
            { Failure.Kind: FailureKind.Unavailable } => throw new BlobsUnavailableException(stream.Failure.Message),
            _ => throw new BlobCorruptException(file.Digest),
        };
    }
}

/// <summary>Files of a folder on disk, hashed when opened. Symbolic links and special files are refused.</summary>
public sealed class FolderArtifacts : IArtifactSource
{
    private static readonly Failure NotAFile = Failure.Invalid(
        "folder.not_a_file",
        "There is something that is neither file nor folder (a pipe, socket or device), or that cannot be read."
    );

    private const int Chunk = 1 << 20;

    private readonly string _root;

    private FolderArtifacts(string root, Manifest manifest)
    {
        _root = root;
        Manifest = manifest;
    }

    /// <inheritdoc />
    public Manifest Manifest { get; }

    /// <summary>
    /// Hashes every file of a folder, or one single file, on all cores and with 1 MiB of memory for each.
    /// <paramref name="ignored"/> are relative top-level paths left out.
    /// Codes: <c>folder.not_found</c>, <c>folder.link</c>, <c>folder.not_a_file</c>, <c>manifest.*</c>.
    /// </summary>
    public static async Task<Result<FolderArtifacts>> OpenAsync(
        string path,
        IReadOnlySet<string> ignored,
        CancellationToken cancellationToken
    )
    {
        var full = Path.GetFullPath(path);
        if (File.Exists(full))
        {
            if (!RegularFile.Is(full))
            {
                return NotAFile;
            }

            var single = new FileInfo(full);
            var one = await HashAsync([(full, single.Name)], cancellationToken);
            return one.Map(manifest => new FolderArtifacts(single.DirectoryName!, manifest));
        }

        if (!Directory.Exists(full))
        {
            return Failure.NotFound("folder.not_found", "No such file or folder.");
        }

        var found = new List<(string Path, string Relative)>();
        var pending = new Stack<DirectoryInfo>([new DirectoryInfo(full)]);
        while (pending.TryPop(out var directory))
        {
            foreach (var entry in directory.EnumerateFileSystemInfos())
            {
                var relative = Path.GetRelativePath(full, entry.FullName).Replace(Path.DirectorySeparatorChar, '/');
                if (ignored.Contains(relative))
                {
                    continue;
                }

                if (entry.LinkTarget is not null)
                {
                    return Failure.Invalid("folder.link", "The folder holds a symbolic link; links are not followed.");
                }

                if (entry is DirectoryInfo child)
                {
                    pending.Push(child);
                }
                else if (!RegularFile.Is(entry.FullName))
                {
                    return NotAFile;
                }
                else
                {
                    found.Add((entry.FullName, relative));
                }
            }
        }

        return (await HashAsync(found, cancellationToken)).Map(manifest => new FolderArtifacts(full, manifest));
    }

    /// <inheritdoc />
    public Task<Stream> OpenAsync(ManifestFile file, CancellationToken cancellationToken) =>
        Task.FromResult<Stream>(
            new FileStream(
                Path.Combine(_root, file.Path),
                FileMode.Open,
                FileAccess.Read,
                FileShare.Read,
                1 << 16,
                FileOptions.Asynchronous
            )
        );

    private static async Task<Result<Manifest>> HashAsync(
        List<(string Path, string Relative)> found,
        CancellationToken cancellationToken
    )
    {
        var files = new ManifestFile[found.Count];
        await Parallel.ForAsync(
            0,
            files.Length,
            cancellationToken,
            (i, token) =>
            {
                files[i] = Hash(found[i].Path, found[i].Relative, token);
                return ValueTask.CompletedTask;
            }
        );
        return Manifest.Create(files);
    }

    // Read and hashed by one thread: handing chunks to another costs an eighth more and saves little while the files are cached.
    private static ManifestFile Hash(string path, string relative, CancellationToken cancellationToken)
    {
        using var file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var chunk = ArrayPool<byte>.Shared.Rent(Chunk);
        try
        {
            var size = 0L;
            for (int read; (read = RandomAccess.Read(file, chunk, size)) > 0; size += read)
            {
                cancellationToken.ThrowIfCancellationRequested();
                hash.AppendData(chunk, 0, read);
            }

            return new ManifestFile(relative, size, Digest.FromBytes(hash.GetHashAndReset()));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }
}
