using System.Globalization;
using System.Text;

namespace Governance.Scanning.Engine.Pickle;

/// <summary>Decodes the three ways in which a pickle writes text, since each can hide a module name.</summary>
internal static class PickleText
{
    /// <summary>Longer text is never a name and is not kept.</summary>
    public const int MaxKept = 1024;

    /// <summary>UTF-8 of the binary opcodes.</summary>
    public static PickleValue Utf8(ReadOnlySpan<byte> bytes) => new TextValue(Encoding.UTF8.GetString(bytes));

    /// <summary>UNICODE: raw-unicode-escape, where only \uXXXX and \UXXXXXXXX are escapes.</summary>
    public static PickleValue RawUnicodeEscape(ReadOnlySpan<byte> line) =>
        line.Length > MaxKept * 10 ? PickleValue.Opaque : new TextValue(Unescape(line, all: false));

    /// <summary>STRING: a quoted Python literal with all escapes.</summary>
    public static PickleValue Quoted(ReadOnlySpan<byte> line)
    {
        line = line.Trim(" \t\r"u8);
        if (line.Length < 2 || line[0] != line[^1] || line[0] is not ((byte)'"' or (byte)'\''))
        {
            throw new MalformedException("a STRING without quotes");
        }

        return line.Length > MaxKept * 10 ? PickleValue.Opaque : new TextValue(Unescape(line[1..^1], all: true));
    }

    private static string Unescape(ReadOnlySpan<byte> bytes, bool all)
    {
        var text = new StringBuilder(bytes.Length);
        for (var i = 0; i < bytes.Length; i++)
        {
            var next = i + 1 < bytes.Length ? (char)bytes[i + 1] : '\0';
            var digits =
                bytes[i] != '\\'
                    ? 0
                    : next switch
                    {
                        'u' when !all => 4,
                        'U' when !all => 8,
                        'x' when all => 2,
                        _ => 0,
                    };
            if (digits > 0 && TryHex(bytes, i + 2, digits, out var code))
            {
                text.Append(code <= 0x10FFFF && code is < 0xD800 or > 0xDFFF ? char.ConvertFromUtf32(code) : "\uFFFD");
                i += digits + 1;
            }
            else if (all && bytes[i] == '\\' && next is >= '0' and <= '7')
            {
                var value = 0;
                var end = i + 1;
                for (; end < bytes.Length && end < i + 4 && bytes[end] is >= (byte)'0' and <= (byte)'7'; end++)
                {
                    value = value * 8 + bytes[end] - '0';
                }

                text.Append((char)(value & 0xFF));
                i = end - 1;
            }
            else if (all && bytes[i] == '\\' && next != '\0')
            {
                text.Append(
                    next switch
                    {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        _ => next,
                    }
                );
                i++;
            }
            else
            {
                text.Append((char)bytes[i]);
            }
        }

        return text.ToString();
    }

    private static bool TryHex(ReadOnlySpan<byte> bytes, int start, int count, out int value)
    {
        value = 0;
        return start + count <= bytes.Length
            && int.TryParse(
                Encoding.ASCII.GetString(bytes.Slice(start, count)),
                NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture,
                out value
            )
            && value >= 0;
    }
}
