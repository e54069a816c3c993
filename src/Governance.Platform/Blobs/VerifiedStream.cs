using System.Buffers;
using System.Security.Cryptography;
using Governance.Kernel;

namespace Governance.Platform.Blobs;

/// <summary>
/// Reads a stored blob; no byte of a chunk is returned before the whole chunk matched its digest. Seekable; read one at a time,
/// asynchronously only. Who reads on from one chunk into the next has the one after that fetched and verified meanwhile.
/// </summary>
internal sealed class VerifiedStream(
    IStoredBytes stored,
    FrameTable frames,
    Digest digest,
    long size,
    byte[] chunkDigests
) : Stream
{
    private readonly FrameCodec _codec = new(frames.Compression);
    private readonly CancellationTokenSource _closing = new();
    private byte[]? _buffer;
    private byte[]? _spare;
    private byte[]? _frame;
    private Task<long>? _ahead;
    private bool _closed;
    private long _chunk = -1;
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

    /// <summary>Verifies the chunk at the position.</summary>
    public async Task PrimeAsync(CancellationToken cancellationToken)
    {
        if (_position < size)
        {
            await MoveToAsync(_position / IBlobStore.ChunkSize, cancellationToken);
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        if (_position >= size || buffer.IsEmpty)
        {
            return 0;
        }

        var chunk = _position / IBlobStore.ChunkSize;
        if (chunk != _chunk)
        {
            await MoveToAsync(chunk, cancellationToken);
        }

        var offset = (int)(_position % IBlobStore.ChunkSize);
        var count = Math.Min(buffer.Length, FrameTable.LengthOf(chunk, size) - offset);
        _buffer.AsMemory(offset, count).CopyTo(buffer);
        _position += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("Blobs may come over the network: read asynchronously.");

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

    public override async ValueTask DisposeAsync()
    {
        if (!_closed)
        {
            await _closing.CancelAsync();
            if (_ahead is { } ahead)
            {
                // What was read ahead is not wanted any more, nor is its failure.
                await ((Task)ahead).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            foreach (var buffer in new[] { _buffer, _spare, _frame })
            {
                if (buffer is not null)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }

            (_buffer, _spare, _frame) = (null, null, null);
            _codec.Dispose();
        }

        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && !_closed)
        {
            // Closed without waiting, the buffers are left to the collector: something may still be read into them.
            _closed = true;
            _closing.Cancel();
            _closing.Dispose();
            stored.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task MoveToAsync(long chunk, CancellationToken cancellationToken)
    {
        var sequential = _chunk >= 0 && chunk == _chunk + 1;
        _chunk = -1;
        if (await TakeAheadAsync(cancellationToken) != chunk)
        {
            _spare ??= Rent();
            await LoadAsync(chunk, _spare, cancellationToken);
        }

        (_buffer, _spare) = (_spare, _buffer);
        _chunk = chunk;
        if (sequential && (chunk + 1) * IBlobStore.ChunkSize < size)
        {
            var next = _spare ??= Rent();
            _ahead = Task.Run(() => LoadAsync(chunk + 1, next, _closing.Token), CancellationToken.None);
        }
    }

    // One load at a time: the frame buffer, the codec and the stored bytes are shared.
    private async Task<long> TakeAheadAsync(CancellationToken cancellationToken)
    {
        if (_ahead is not { } ahead)
        {
            return -1;
        }

        var loaded = await ahead.WaitAsync(cancellationToken);
        _ahead = null;
        return loaded;
    }

    private async Task<long> LoadAsync(long chunk, byte[] into, CancellationToken cancellationToken)
    {
        var (offset, length) = frames[chunk];
        var plain = into.AsMemory(0, FrameTable.LengthOf(chunk, size));
        if (length == plain.Length)
        {
            await ReadStoredAsync(offset, plain, cancellationToken);
        }
        else
        {
            var frame = (_frame ??= Rent()).AsMemory(0, length);
            await ReadStoredAsync(offset, frame, cancellationToken);
            if (!_codec.TryDecode(frame.Span, plain.Span))
            {
                throw new BlobCorruptException(digest);
            }
        }

        Check(chunk, plain.Span);
        return chunk;
    }

    private async ValueTask ReadStoredAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            await stored.ReadAsync(offset, buffer, cancellationToken);
        }
        catch (EndOfStreamException)
        {
            throw new BlobCorruptException(digest);
        }
    }

    private void Check(long chunk, ReadOnlySpan<byte> plain)
    {
        Span<byte> actual = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(plain, actual);
        if (!actual.SequenceEqual(chunkDigests.AsSpan((int)chunk * SHA256.HashSizeInBytes, SHA256.HashSizeInBytes)))
        {
            throw new BlobCorruptException(digest);
        }
    }

    private static byte[] Rent() => ArrayPool<byte>.Shared.Rent(IBlobStore.ChunkSize);
}
