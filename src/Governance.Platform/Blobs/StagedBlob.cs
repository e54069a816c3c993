using System.Buffers;
using System.Security.Cryptography;
using Governance.Kernel;
using Microsoft.Win32.SafeHandles;

namespace Governance.Platform.Blobs;

/// <summary>
/// Content on its way in: hashed once, compressed and written chunk by chunk to a file of the staging directory, while the next
/// chunk is being received. The file is locked while this lives, so that nobody takes it for a leftover.
/// </summary>
internal sealed class StagedBlob : IDisposable
{
    // A blob is framed only when its first chunk saves an eighth; then a chunk is kept compressed when it saves a sixteenth.
    private const int FirstSaving = 8;
    private const int LaterSaving = 16;
    private const int LeastLength = 4096;

    private readonly FileStream _file;
    private readonly FrameCodec _codec;
    private readonly IncrementalHash _whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<byte> _digests = new(SHA256.HashSizeInBytes);
    private readonly List<int> _frames = [];
    private bool _framed;

    private StagedBlob(string path, FrameCodec codec)
    {
        Path = path;
        _codec = codec;
        _file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete, bufferSize: 0);
    }

    public string Path { get; }

    public SafeFileHandle Handle => _file.SafeFileHandle;

    public Digest Digest { get; private set; }

    public long Size { get; private set; }

    public byte[] ChunkDigests => [.. _digests];

    /// <summary>Receives all of a stream; durable on return. Null when it is longer than allowed.</summary>
    public static async Task<StagedBlob?> ReceiveAsync(
        Stream content,
        string path,
        BlobOptions options,
        long maxBytes,
        CancellationToken cancellationToken
    )
    {
        var staged = new StagedBlob(path, new FrameCodec(options.Compression, options.ZstdLevel));
        var filled = false;
        try
        {
            filled = await staged.FillAsync(content, maxBytes, cancellationToken);
            return filled ? staged : null;
        }
        finally
        {
            if (!filled)
            {
                staged.Dispose();
            }
        }
    }

    public void Dispose()
    {
        _whole.Dispose();
        _codec.Dispose();
        // Gone already when it was moved to its place.
        File.Delete(Path);
        _file.Dispose();
    }

    private async Task<bool> FillAsync(Stream content, long maxBytes, CancellationToken cancellationToken)
    {
        var (receiving, writing) = (Rent(), Rent());
        var frame = Rent();
        var pending = Task.CompletedTask;
        try
        {
            int read;
            do
            {
                read = await content.ReadAtLeastAsync(
                    receiving.AsMemory(0, IBlobStore.ChunkSize),
                    IBlobStore.ChunkSize,
                    throwOnEndOfStream: false,
                    cancellationToken
                );
                await pending;
                Size += read;
                if (Size > maxBytes)
                {
                    return false;
                }

                if (read > 0)
                {
                    (receiving, writing) = (writing, receiving);
                    var chunk = writing.AsMemory(0, read);
                    pending = Task.Run(() => Write(chunk.Span, frame), CancellationToken.None);
                }
            } while (read == IBlobStore.ChunkSize);

            await pending;
            Finish();
            return true;
        }
        finally
        {
            // The buffers are not given back before the last chunk is through with them.
            await pending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ArrayPool<byte>.Shared.Return(receiving);
            ArrayPool<byte>.Shared.Return(writing);
            ArrayPool<byte>.Shared.Return(frame);
        }
    }

    private void Write(ReadOnlySpan<byte> chunk, byte[] frame)
    {
        _whole.AppendData(chunk);
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(chunk, digest);
        _digests.AddRange(digest);

        // The bytes themselves tell whether they shrink; their name and type are the sender's word.
        var first = _digests.Count == SHA256.HashSizeInBytes;
        var tried = first ? _codec.Kind != BlobCompression.None && chunk.Length >= LeastLength : _framed;
        var saving = chunk.Length / (first ? FirstSaving : LaterSaving);
        var length = tried ? _codec.Encode(chunk, frame.AsSpan(0, chunk.Length - saving)) : 0;
        _framed = first ? length > 0 : _framed;
        _file.Write(length > 0 ? frame.AsSpan(0, length) : chunk);
        if (_framed)
        {
            _frames.Add(length > 0 ? length : chunk.Length);
        }
    }

    private void Finish()
    {
        if (_framed)
        {
            _file.Write(FrameTable.Tail(_frames, Size, _codec.Kind));
        }

        _file.Flush(flushToDisk: true);
        Digest = Digest.FromBytes(_whole.GetHashAndReset());
    }

    private static byte[] Rent() => ArrayPool<byte>.Shared.Rent(IBlobStore.ChunkSize);
}
