using Governance.Kernel;
using Governance.Platform.Blobs;

namespace Governance.Evidence.Storage;

/// <summary>Reads stored documents whole.</summary>
internal static class EvidenceDocuments
{
    private const long MaxDocument = 64 << 20;

    /// <summary>The bytes; throws when the store cannot give them, for what was recorded must be there.</summary>
    public static async Task<byte[]> ReadAsync(IBlobStore blobs, Digest digest, CancellationToken cancellationToken)
    {
        var opened = await blobs.OpenAsync(digest, cancellationToken);
        if (!opened.Ok)
        {
            throw opened.Failure.Kind == FailureKind.Unavailable
                ? new BlobsUnavailableException(opened.Failure.Message)
                : new BlobCorruptException(digest);
        }

        await using var stream = opened.Value;
        if (stream.Length > MaxDocument)
        {
            throw new InvalidDataException("An evidence document is larger than 64 MiB.");
        }

        var bytes = new byte[stream.Length];
        await stream.ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }
}
