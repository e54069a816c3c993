using System.Buffers.Binary;
using Governance.Kernel;

namespace Governance.Platform.Blobs;

/// <summary>
/// Where each chunk of a blob lies in its stored form. A stored form as long as the blob itself is the blob, byte for byte.
/// Any other is framed: one frame per chunk of plain bytes, the frames' lengths (4 bytes each, little endian), and a trailer of
/// 8 bytes: <c>GOVB</c>, version 1, compression, two zeros. A frame as long as its chunk is the chunk itself. If all that came
/// to the length of the blob, one zero byte lies before the lengths, so that the two forms are never mistaken for each other.
/// </summary>
internal sealed class FrameTable
{
    public const int EntryLength = 4;
    public const int TrailerLength = 8;
    private static readonly byte[] Magic = [.. "GOVB"u8, 1];
    private readonly long _size;
    private readonly long[]? _ends;

    private FrameTable(long size, BlobCompression compression, long[]? ends)
    {
        _size = size;
        Compression = compression;
        _ends = ends;
    }

    public BlobCompression Compression { get; }

    /// <summary>Number of chunks in so many plain bytes.</summary>
    public static long ChunksIn(long size) => (size + IBlobStore.ChunkSize - 1) / IBlobStore.ChunkSize;

    /// <summary>Plain bytes of one chunk.</summary>
    public static int LengthOf(long chunk, long size) =>
        (int)Math.Min(IBlobStore.ChunkSize, size - (chunk * IBlobStore.ChunkSize));

    /// <summary>Where a chunk's frame begins, and its stored length.</summary>
    public (long Offset, int Length) this[long chunk]
    {
        get
        {
            if (_ends is null)
            {
                return (chunk * IBlobStore.ChunkSize, LengthOf(chunk, _size));
            }

            var start = chunk == 0 ? 0 : _ends[chunk - 1];
            return (start, (int)(_ends[chunk] - start));
        }
    }

    /// <summary>What follows the frames of a blob that was not kept as it is.</summary>
    public static byte[] Tail(IReadOnlyList<int> frames, long size, BlobCompression compression)
    {
        var fixedLength = (frames.Count * EntryLength) + TrailerLength;
        var padding = frames.Sum(length => (long)length) + fixedLength == size ? 1 : 0;
        var tail = new byte[padding + fixedLength];
        for (var i = 0; i < frames.Count; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(tail.AsSpan(padding + (i * EntryLength)), frames[i]);
        }

        Magic.CopyTo(tail.AsSpan(tail.Length - TrailerLength));
        tail[^3] = (byte)compression;
        return tail;
    }

    /// <summary>Reads the table of a stored form; null when it cannot be the form of a blob of that size.</summary>
    public static async Task<FrameTable?> ReadAsync(IStoredBytes stored, long size, CancellationToken cancellationToken)
    {
        if (stored.Length == size)
        {
            return new FrameTable(size, BlobCompression.None, ends: null);
        }

        var chunks = ChunksIn(size);
        var length = (chunks * EntryLength) + TrailerLength;
        if (chunks == 0 || stored.Length <= length || length > Array.MaxLength)
        {
            return null;
        }

        var tail = new byte[length];
        await stored.ReadAsync(stored.Length - length, tail, cancellationToken);
        return Parse(tail, size, stored.Length);
    }

    private static FrameTable? Parse(ReadOnlySpan<byte> tail, long size, long storedLength)
    {
        var trailer = tail[^TrailerLength..];
        var compression = (BlobCompression)trailer[Magic.Length];
        if (
            !trailer.StartsWith(Magic)
            || compression is not (BlobCompression.Lz4 or BlobCompression.Zstd)
            || trailer[^2] != 0
            || trailer[^1] != 0
        )
        {
            return null;
        }

        var ends = new long[ChunksIn(size)];
        long end = 0;
        for (var chunk = 0; chunk < ends.Length; chunk++)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(tail[(chunk * EntryLength)..]);
            if (length < 1 || length > LengthOf(chunk, size))
            {
                return null;
            }

            end += length;
            ends[chunk] = end;
        }

        var total = end + tail.Length;
        return storedLength == (total == size ? total + 1 : total) ? new FrameTable(size, compression, ends) : null;
    }
}
