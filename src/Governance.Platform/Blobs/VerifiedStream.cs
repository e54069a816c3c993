using System.Buffers;
using System.Security.Cryptography;
using Governance.Kernel;

namespace Governance.Platform.Blobs;

/// <summary>Reads a stored blob; no byte of a chunk is returned before the whole chunk matched its digest. Seekable.</summary>
internal sealed class VerifiedStream(Stream file, Digest digest, long size, byte[] chunkDigests) : Stream
{
    private byte[]? _buffer = ArrayPool<byte>.Shared.Rent(IBlobStore.ChunkSize);
    private long _chunk = -1;
    private int _chunkLength;
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => size;

    public override long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    /// <summary>Verifies the file length and the first chunk.</summary>
    public async Task PrimeAsync(CancellationToken cancellationToken)
    {
        if (
            file.Length != size
            || chunkDigests.Length != (size + IBlobStore.ChunkSize - 1) / IBlobStore.ChunkSize * SHA256.HashSizeInBytes
        )
        {
            throw new BlobCorruptException(digest);
        }

        if (size > 0)
        {
            await LoadAsync(0, cancellationToken);
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_position >= size || buffer.IsEmpty)
        {
            return 0;
        }

        var chunk = _position / IBlobStore.ChunkSize;
        if (chunk != _chunk)
        {
            await LoadAsync(chunk, cancellationToken);
        }

        var offset = (int)(_position % IBlobStore.ChunkSize);
        var count = Math.Min(buffer.Length, _chunkLength - offset);
        _buffer.AsMemory(offset, count).CopyTo(buffer);
        _position += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count)
    {
        if (_position >= size || count == 0)
        {
            return 0;
        }

        var chunk = _position / IBlobStore.ChunkSize;
        if (chunk != _chunk)
        {
            Begin(chunk);
            _chunkLength = file.ReadAtLeast(
                _buffer.AsSpan(0, IBlobStore.ChunkSize),
                IBlobStore.ChunkSize,
                throwOnEndOfStream: false
            );
            Check(chunk);
        }

        var start = (int)(_position % IBlobStore.ChunkSize);
        var taken = Math.Min(count, _chunkLength - start);
        _buffer.AsSpan(start, taken).CopyTo(buffer.AsSpan(offset));
        _position += taken;
        return taken;
    }

    public override long Seek(long offset, SeekOrigin origin) =>
        Position = origin switch
        {
            SeekOrigin.Begin => offset,
            SeekOrigin.Current => _position + offset,
            _ => size + offset,
        };

    public override void Flush() { }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing && _buffer is { } buffer)
        {
            _buffer = null;
            ArrayPool<byte>.Shared.Return(buffer);
            file.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task LoadAsync(long chunk, CancellationToken cancellationToken)
    {
        Begin(chunk);
        _chunkLength = await file.ReadAtLeastAsync(
            _buffer.AsMemory(0, IBlobStore.ChunkSize),
            IBlobStore.ChunkSize,
            throwOnEndOfStream: false,
            cancellationToken
        );
        Check(chunk);
    }

    private void Begin(long chunk)
    {
        ObjectDisposedException.ThrowIf(_buffer is null, this);
        _chunk = -1;
        file.Position = chunk * IBlobStore.ChunkSize;
    }

    private void Check(long chunk)
    {
        Span<byte> actual = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(_buffer.AsSpan(0, _chunkLength), actual);
        if (!actual.SequenceEqual(chunkDigests.AsSpan((int)chunk * SHA256.HashSizeInBytes, SHA256.HashSizeInBytes)))
        {
            throw new BlobCorruptException(digest);
        }

        _chunk = chunk;
    }
}
