using K4os.Compression.LZ4;
using ZstdSharp;

namespace Governance.Platform.Blobs;

/// <summary>How stored bytes are kept. The numbers stand in stored files.</summary>
public enum BlobCompression
{
    /// <summary>As they came.</summary>
    None = 0,

    /// <summary>LZ4 block per chunk: cheap, for content that shrinks at all.</summary>
    Lz4 = 1,

    /// <summary>Zstandard frame per chunk: smaller and slower.</summary>
    Zstd = 2,
}

/// <summary>
/// Compresses and restores single chunks. Restoring writes into the space that it is given and nowhere else: a stored frame can
/// produce at most one chunk, whatever its bytes claim.
/// </summary>
internal sealed class FrameCodec(BlobCompression kind, int level = 3) : IDisposable
{
    private Compressor? _compressor;
    private Decompressor? _decompressor;

    public BlobCompression Kind => kind;

    /// <summary>The length of the frame, or 0 when it does not fit into <paramref name="frame"/>.</summary>
    public int Encode(ReadOnlySpan<byte> chunk, Span<byte> frame)
    {
        if (kind == BlobCompression.Lz4)
        {
            return Math.Max(0, LZ4Codec.Encode(chunk, frame));
        }

        _compressor ??= new Compressor(level);
        return _compressor.TryWrap(chunk, frame, out var written) ? written : 0;
    }

    /// <summary>Whether the frame held exactly as many bytes as <paramref name="chunk"/> takes.</summary>
    public bool TryDecode(ReadOnlySpan<byte> frame, Span<byte> chunk)
    {
        if (kind == BlobCompression.Lz4)
        {
            return LZ4Codec.Decode(frame, chunk) == chunk.Length;
        }

        _decompressor ??= new Decompressor();
        try
        {
            return _decompressor.TryUnwrap(frame, chunk, out var written) && written == chunk.Length;
        }
        catch (ZstdException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        _compressor?.Dispose();
        _decompressor?.Dispose();
    }
}
