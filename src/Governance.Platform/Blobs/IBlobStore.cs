using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Platform.Blobs;

/// <summary>Bytes that were streamed in, hashed and made durable, but that no row refers to yet.</summary>
/// <param name="Digest">SHA-256 of the plain bytes.</param>
/// <param name="Size">Plain bytes.</param>
/// <param name="ChunkDigests">SHA-256 of each 1 MiB chunk of plain bytes, 32 bytes each, concatenated.</param>
public sealed record StoredBlob(Digest Digest, long Size, byte[] ChunkDigests)
{
    /// <summary>A time before the bytes were put in their place, UTC.</summary>
    public DateTimeOffset StoredAt { get; init; }
}

/// <summary>Content-addressed storage: a file is stored once under its SHA-256.</summary>
public interface IBlobStore
{
    /// <summary>Chunk of plain bytes that is verified before it is sent: 1 MiB.</summary>
    const int ChunkSize = 1 << 20;

    /// <summary>Checks that the place where blobs are kept answers and keeps what it is sent; null if so.</summary>
    Task<Failure?> CheckAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Streams content in, hashing once; durable on return. Over <paramref name="maxBytes"/>: <c>blob.too_large</c>; a store that
    /// cannot be reached: <c>blob.store_unavailable</c>.
    /// </summary>
    Task<Result<StoredBlob>> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken);

    /// <summary>
    /// Records a stored blob in the session's transaction; until then nothing may refer to it. Every module that attaches blobs
    /// says which ones it refers to, by <see cref="IBlobReferences"/>. When collection removed the bytes since they were put, or
    /// that was over an hour ago: <c>blob.collected</c>.
    /// </summary>
    Task<Result<Unit>> AttachAsync(WriteSession session, StoredBlob blob, CancellationToken cancellationToken);

    /// <summary>
    /// Opens plain bytes for asynchronous reading from an offset on; each chunk is verified before any of its bytes is returned.
    /// Unknown digest: <c>blob.not_found</c>. The chunk at the offset is verified here: a mismatch is
    /// <c>artifact.digest_mismatch</c>; a later mismatch throws <see cref="BlobCorruptException"/> while reading. A store that
    /// cannot be reached is <c>blob.store_unavailable</c> here, <see cref="BlobsUnavailableException"/> later.
    /// </summary>
    Task<Result<Stream>> OpenAsync(Digest digest, long offset, CancellationToken cancellationToken);

    /// <summary>As above, from the beginning.</summary>
    Task<Result<Stream>> OpenAsync(Digest digest, CancellationToken cancellationToken) =>
        OpenAsync(digest, 0, cancellationToken);
}

/// <summary>
/// What a module refers to. A blob that no module refers to is collected: a module that attaches blobs and does not say so here
/// loses them, and a test of the architecture fails.
/// </summary>
public interface IBlobReferences
{
    /// <summary>Which of some digests, at most a few hundred, the module's rows refer to.</summary>
    Task<IReadOnlyCollection<Digest>> UsedAsync(
        GovernanceDb db,
        IReadOnlyCollection<Digest> digests,
        CancellationToken cancellationToken
    );
}

/// <summary>Stored bytes are not the bytes that were hashed.</summary>
/// <param name="digest">The blob.</param>
public sealed class BlobCorruptException(Digest digest) : IOException("Stored bytes do not match their digest.")
{
    /// <summary>The blob whose bytes changed.</summary>
    public Digest Digest { get; } = digest;
}

/// <summary>The files of one version or folder, readable by path; how scanners, SBOM and signing see artifacts.</summary>
public interface IArtifactSource
{
    /// <summary>The frozen list of files.</summary>
    Manifest Manifest { get; }

    /// <summary>Opens one file of the manifest. Bytes are verified against their digests while read.</summary>
    Task<Stream> OpenAsync(ManifestFile file, CancellationToken cancellationToken);
}
