using System.Buffers.Binary;
using System.Text;
using Governance.Kernel;

namespace Governance.Registry.Engine;

/// <summary>What the gateway reads of one span; the rest stays as it came.</summary>
internal sealed record OtlpSpan(
    string TraceId,
    string SpanId,
    string ParentId,
    string Name,
    ulong StartNanos,
    ulong EndNanos,
    bool Failed,
    ReadOnlyMemory<byte> Bytes
);

/// <summary>
/// Reads the spans of an OTLP ExportTraceServiceRequest (opentelemetry-proto 1.x) without building its objects: three levels of
/// nesting, no recursion, every length checked against what is there, attributes and events never opened.
/// </summary>
internal static class OtlpSpans
{
    public const int MaxSpans = 10_000;
    private const int MaxFields = 1_000_000;

    public static readonly Failure Malformed = Failure.Invalid(
        "registry.bad_otlp",
        "The body is no OTLP export request with spans in protobuf, or it holds too many."
    );

    public static Result<IReadOnlyList<OtlpSpan>> Read(ReadOnlyMemory<byte> body)
    {
        var budget = MaxFields;
        var spans = new List<OtlpSpan>();
        try
        {
            foreach (var resource in Messages(body, 1, ref budget))
            {
                foreach (var scope in Messages(resource, 2, ref budget))
                {
                    foreach (var span in Messages(scope, 2, ref budget))
                    {
                        if (spans.Count == MaxSpans || ReadSpan(span, ref budget) is not { } read)
                        {
                            return Malformed;
                        }

                        spans.Add(read);
                    }
                }
            }
        }
        catch (FormatException)
        {
            return Malformed;
        }

        return spans.Count == 0 ? Malformed : spans;
    }

    /// <summary>An export request that holds these spans and nothing else.</summary>
    public static byte[] Write(IEnumerable<OtlpSpan> spans)
    {
        using var scope = new MemoryStream();
        foreach (var span in spans)
        {
            WriteField(scope, 2, span.Bytes.Span);
        }

        using var resource = new MemoryStream();
        WriteField(resource, 2, scope.GetBuffer().AsSpan(0, (int)scope.Length));
        using var request = new MemoryStream();
        WriteField(request, 1, resource.GetBuffer().AsSpan(0, (int)resource.Length));
        return request.ToArray();
    }

    private static OtlpSpan? ReadSpan(ReadOnlyMemory<byte> message, ref int budget)
    {
        string trace = "",
            id = "",
            parent = "",
            name = "";
        ulong start = 0,
            end = 0;
        var failed = false;
        var reader = new Reader(message);
        while (reader.Next(ref budget))
        {
            switch (reader.Field, reader.Wire)
            {
                case (1, 2):
                    trace = Convert.ToHexStringLower(reader.Content.Span);
                    break;
                case (2, 2):
                    id = Convert.ToHexStringLower(reader.Content.Span);
                    break;
                case (4, 2):
                    parent = Convert.ToHexStringLower(reader.Content.Span);
                    break;
                case (5, 2):
                    name = Text(reader.Content.Span);
                    break;
                case (7, 1):
                    start = reader.Number;
                    break;
                case (8, 1):
                    end = reader.Number;
                    break;
                case (15, 2):
                    failed = IsError(reader.Content, ref budget);
                    break;
                default:
                    break;
            }
        }

        return trace.Length == 32 && trace.Trim('0').Length > 0 && id.Length == 16 && parent.Length is 0 or 16
            ? new OtlpSpan(trace, id, parent, name, start, end, failed, message)
            : null;
    }

    // Status.code is field 3; 2 is ERROR.
    private static bool IsError(ReadOnlyMemory<byte> status, ref int budget)
    {
        var reader = new Reader(status);
        var code = 0UL;
        while (reader.Next(ref budget))
        {
            code = (reader.Field, reader.Wire) == (3, 0) ? reader.Number : code;
        }

        return code == 2;
    }

    private static List<ReadOnlyMemory<byte>> Messages(ReadOnlyMemory<byte> message, int field, ref int budget)
    {
        var found = new List<ReadOnlyMemory<byte>>();
        var reader = new Reader(message);
        while (reader.Next(ref budget))
        {
            if ((reader.Field, reader.Wire) == (field, 2))
            {
                found.Add(reader.Content);
            }
        }

        return found;
    }

    private static string Text(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return new UTF8Encoding(false, true).GetString(utf8);
        }
        catch (ArgumentException)
        {
            throw new FormatException();
        }
    }

    private static void WriteField(MemoryStream to, int field, ReadOnlySpan<byte> content)
    {
        to.WriteByte((byte)((field << 3) | 2));
        var length = (uint)content.Length;
        while (length >= 0x80)
        {
            to.WriteByte((byte)(length | 0x80));
            length >>= 7;
        }

        to.WriteByte((byte)length);
        to.Write(content);
    }

    /// <summary>A cursor over the fields of one message.</summary>
    private struct Reader(ReadOnlyMemory<byte> message)
    {
        private int _at;

        public int Field { get; private set; }

        public int Wire { get; private set; }

        public ulong Number { get; private set; }

        public ReadOnlyMemory<byte> Content { get; private set; }

        public bool Next(ref int budget)
        {
            if (_at == message.Length)
            {
                return false;
            }

            if (--budget < 0)
            {
                throw new FormatException();
            }

            var tag = Varint();
            (Field, Wire) = ((int)(tag >> 3) & 0x1fff_ffff, (int)(tag & 7));
            switch (Wire)
            {
                case 0:
                    Number = Varint();
                    break;
                case 1:
                    Number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8).Span);
                    break;
                case 2:
                    Content = Take(Varint());
                    break;
                case 5:
                    Number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4).Span);
                    break;
                default:
                    throw new FormatException();
            }

            return Field > 0 ? true : throw new FormatException();
        }

        private ReadOnlyMemory<byte> Take(ulong length)
        {
            if (length > (ulong)(message.Length - _at))
            {
                throw new FormatException();
            }

            var taken = message.Slice(_at, (int)length);
            _at += (int)length;
            return taken;
        }

        private ulong Varint()
        {
            ulong value = 0;
            for (var shift = 0; shift < 64 && _at < message.Length; shift += 7)
            {
                var next = message.Span[_at++];
                value |= (ulong)(next & 0x7f) << shift;
                if (next < 0x80)
                {
                    return value;
                }
            }

            throw new FormatException();
        }
    }
}
