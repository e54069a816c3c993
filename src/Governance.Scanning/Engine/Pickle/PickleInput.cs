using System.Buffers.Binary;

namespace Governance.Scanning.Engine.Pickle;

/// <summary>Forward reading with skips; running out of bytes is <see cref="MalformedException"/>.</summary>
internal sealed class PickleInput(Content content, long start)
{
    private const int MaxLine = 64 << 10;
    private readonly byte[] _buffer = new byte[64 << 10];
    private long _bufferStart = start;
    private int _count;
    private int _next;

    /// <summary>Offset of the next byte.</summary>
    public long Position => _bufferStart + _next;

    /// <summary>Bytes left.</summary>
    public long Remaining => content.Length - Position;

    /// <summary>One byte.</summary>
    public byte Byte()
    {
        if (_next == _count)
        {
            Fill();
        }

        return _buffer[_next++];
    }

    /// <summary>A little-endian number of 1 to 8 bytes, unsigned; over 63 bits is malformed.</summary>
    public long Unsigned(int bytes)
    {
        Span<byte> raw = stackalloc byte[8];
        raw.Clear();
        for (var i = 0; i < bytes; i++)
        {
            raw[i] = Byte();
        }

        var value = BinaryPrimitives.ReadUInt64LittleEndian(raw);
        return value <= long.MaxValue ? (long)value : throw new MalformedException("a length over 63 bits", Position);
    }

    /// <summary>Some bytes; the span is valid until the next read. At most 64 KiB.</summary>
    public ReadOnlySpan<byte> Bytes(int count)
    {
        if (_count - _next < count)
        {
            Require(count);
            _bufferStart = Position;
            _next = 0;
            _count = content.Read(_bufferStart, _buffer);
            if (_count < count)
            {
                throw new MalformedException("truncated", Position);
            }
        }

        _next += count;
        return _buffer.AsSpan(_next - count, count);
    }

    /// <summary>A line without its end; a last line without an end is malformed.</summary>
    public ReadOnlySpan<byte> Line()
    {
        var at = _buffer.AsSpan(_next, _count - _next).IndexOf((byte)'\n');
        if (at < 0)
        {
            _bufferStart = Position;
            _next = 0;
            _count = content.Read(_bufferStart, _buffer);
            at = _buffer.AsSpan(0, Math.Min(_count, MaxLine)).IndexOf((byte)'\n');
            if (at < 0)
            {
                throw new MalformedException("a line without an end", Position);
            }
        }

        _next += at + 1;
        return _buffer.AsSpan(_next - at - 1, at);
    }

    /// <summary>Passes over bytes.</summary>
    public void Skip(long count)
    {
        Require(count);
        MoveTo(Position + count);
    }

    /// <summary>Continues elsewhere.</summary>
    public void MoveTo(long position)
    {
        if (position >= _bufferStart && position <= _bufferStart + _count)
        {
            _next = (int)(position - _bufferStart);
            return;
        }

        _bufferStart = position;
        _next = 0;
        _count = 0;
    }

    private void Require(long count)
    {
        if (count > Remaining)
        {
            throw new MalformedException("truncated", Position);
        }
    }

    private void Fill()
    {
        _bufferStart = Position;
        _next = 0;
        _count = content.Read(_bufferStart, _buffer);
        if (_count == 0)
        {
            throw new MalformedException("truncated", _bufferStart);
        }
    }
}
