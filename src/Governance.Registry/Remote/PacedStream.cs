namespace Governance.Registry.Remote;

/// <summary>The server broke off, or sends too slowly to wait for.</summary>
internal sealed class RemoteBrokeOffException(Exception? cause) : IOException("The server broke off.", cause);

/// <summary>
/// A stream of a foreign server that may fall behind a least rate by a grace period and no more: neither silence nor one byte a
/// minute holds anybody up. Whatever breaks while reading is <see cref="RemoteBrokeOffException"/>.
/// </summary>
internal sealed class PacedStream(Stream inner, TimeProvider clock, long begun, TimeSpan grace, int leastRate) : Stream
{
    private long _received;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var left = grace + TimeSpan.FromSeconds((double)_received / leastRate) - clock.GetElapsedTime(begun);
        if (left <= TimeSpan.Zero)
        {
            throw new RemoteBrokeOffException(null);
        }

        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(left);
        try
        {
            var read = await inner.ReadAsync(buffer, limited.Token);
            _received += read;
            return read;
        }
        catch (Exception broken) when (broken is IOException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new RemoteBrokeOffException(broken);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
