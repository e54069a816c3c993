using Governance.Kernel;
using Microsoft.Win32.SafeHandles;

namespace Governance.Platform.Blobs;

/// <summary>Stored bytes that can be read from anywhere, by one reader at a time.</summary>
internal interface IStoredBytes : IDisposable
{
    long Length { get; }

    /// <summary>Fills the whole buffer; throws <see cref="EndOfStreamException"/> when fewer bytes are there.</summary>
    ValueTask ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken);
}

/// <summary>A stored file that may be collected.</summary>
internal sealed record StoredFile(Digest Digest, DateTimeOffset ChangedAt);

/// <summary>
/// The place where stored forms are kept, by the digest of their plain bytes. A place that cannot be reached throws
/// <see cref="BlobsUnavailableException"/>; what was not acknowledged is then not there.
/// </summary>
internal interface IBlobFiles
{
    /// <summary>Puts a complete, synced file of the staging directory in its place; durable on return. May replace an equal one.</summary>
    Task PlaceAsync(SafeFileHandle staged, string path, Digest digest, CancellationToken cancellationToken);

    /// <summary>Checks that what is put here comes back as it was.</summary>
    Task CheckAsync(CancellationToken cancellationToken);

    /// <summary>Opens a stored form; null when there is none.</summary>
    Task<IStoredBytes?> OpenAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>Deletes a stored form for good; nothing happens when there is none.</summary>
    Task DeleteAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>Every stored form whose digest starts with the prefix: two hex characters.</summary>
    IAsyncEnumerable<StoredFile> ListAsync(string prefix, CancellationToken cancellationToken);

    /// <summary>Removes what interrupted uploads left behind before a time.</summary>
    Task CleanAsync(DateTimeOffset before, CancellationToken cancellationToken);
}

/// <summary>The place where blobs are kept cannot be reached, or refuses: nothing is known about the bytes themselves.</summary>
public sealed class BlobsUnavailableException : IOException
{
    /// <summary>Says why, without addresses or credentials.</summary>
    public BlobsUnavailableException(string message, Exception? inner = null)
        : base(message, inner) { }
}
