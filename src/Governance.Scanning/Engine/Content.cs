namespace Governance.Scanning.Engine;

/// <summary>A readable range of a seekable stream: a file, an archive member or a payload inside one.</summary>
/// <param name="stream">Seekable; shared with the enclosing content.</param>
/// <param name="start">First byte.</param>
/// <param name="length">Bytes.</param>
internal sealed class Content(Stream stream, long start, long length)
{
    /// <summary>Bytes.</summary>
    public long Length => length;

    /// <summary>The whole of a seekable stream.</summary>
    public static Content Of(Stream stream) => new(stream, 0, stream.Length);

    /// <summary>Reads at an offset; returns the bytes got, fewer only at the end.</summary>
    public int Read(long offset, Span<byte> buffer)
    {
        if (offset < 0 || offset >= length)
        {
            return 0;
        }

        stream.Position = start + offset;
        var wanted = buffer[..(int)Math.Min(buffer.Length, length - offset)];
        return stream.ReadAtLeast(wanted, wanted.Length, throwOnEndOfStream: false);
    }

    /// <summary>The first bytes, up to a count.</summary>
    public byte[] Head(int count) => Bytes(0, count);

    /// <summary>Bytes at an offset, up to a count.</summary>
    public byte[] Bytes(long offset, int count)
    {
        var buffer = new byte[(int)Math.Clamp(length - offset, 0, count)];
        return buffer[..Read(offset, buffer)];
    }

    /// <summary>A part of this content; cut at its end.</summary>
    public Content Slice(long offset, long count)
    {
        offset = Math.Clamp(offset, 0, length);
        return new Content(stream, start + offset, Math.Clamp(count, 0, length - offset));
    }

    /// <summary>A forward stream over this content.</summary>
    public Stream AsStream() => new View(this);

    private sealed class View(Content content) : Stream
    {
        private long _position;

        public override bool CanRead => true;
        public override bool CanSeek => true;
        public override bool CanWrite => false;
        public override long Length => content.Length;

        public override long Position
        {
            get => _position;
            set => _position = value;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var read = content.Read(_position, buffer);
            _position += read;
            return read;
        }

        public override long Seek(long offset, SeekOrigin origin) =>
            _position = origin switch
            {
                SeekOrigin.Begin => offset,
                SeekOrigin.Current => _position + offset,
                _ => content.Length + offset,
            };

        public override void Flush() { }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
