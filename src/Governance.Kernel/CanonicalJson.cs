using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Governance.Kernel;

/// <summary>The one canonicalizer: JSON Canonicalization Scheme, RFC 8785. Everything signed or hashed as JSON passes here.</summary>
public static class CanonicalJson
{
    /// <summary>Depth beyond which input is refused.</summary>
    public const int MaxDepth = 64;

    /// <summary>Reads JSON strictly: duplicate keys, comments, trailing commas and depth over <see cref="MaxDepth"/> are refused.</summary>
    public static readonly JsonDocumentOptions Strict = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    /// <summary>Canonical UTF-8 bytes of a value. Numbers must be integers of at most 2^53 or finite doubles.</summary>
    public static byte[] Serialize(JsonNode? node)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        Write(node, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Canonical text of a value.</summary>
    public static string SerializeToString(JsonNode? node) => Encoding.UTF8.GetString(Serialize(node));

    /// <summary>
    /// Parses strictly; null when the bytes are not strict JSON. Texts are checked at once, since the parser reads strings lazily
    /// and half a surrogate pair would otherwise break later, in the middle of a handler.
    /// </summary>
    public static JsonNode? TryParse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaxDepth });
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
                {
                    _ = reader.GetString();
                }
            }

            return JsonNode.Parse(utf8, documentOptions: Strict);
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static void Write(JsonNode? node, ArrayBufferWriter<byte> output)
    {
        switch (node)
        {
            case null:
                output.Write("null"u8);
                break;
            case JsonObject members:
                output.Write("{"u8);
                var first = true;
                // RFC 8785 §3.2.3: members sorted by the UTF-16 code units of their names.
                foreach (var (name, value) in members.OrderBy(member => member.Key, StringComparer.Ordinal))
                {
                    if (!first)
                    {
                        output.Write(","u8);
                    }

                    first = false;
                    WriteString(name, output);
                    output.Write(":"u8);
                    Write(value, output);
                }

                output.Write("}"u8);
                break;
            case JsonArray items:
                output.Write("["u8);
                for (var i = 0; i < items.Count; i++)
                {
                    if (i > 0)
                    {
                        output.Write(","u8);
                    }

                    Write(items[i], output);
                }

                output.Write("]"u8);
                break;
            default:
                WriteValue(node.AsValue(), output);
                break;
        }
    }

    private static void WriteValue(JsonValue value, ArrayBufferWriter<byte> output)
    {
        switch (value.GetValueKind())
        {
            case JsonValueKind.True:
                output.Write("true"u8);
                break;
            case JsonValueKind.False:
                output.Write("false"u8);
                break;
            case JsonValueKind.String:
                WriteString(value.GetValue<string>(), output);
                break;
            case JsonValueKind.Number:
                output.Write(Encoding.ASCII.GetBytes(NumberText(value)));
                break;
            default:
                throw new InvalidOperationException("Not a JSON value.");
        }
    }

    // RFC 8785 §3.2.2.3 takes ECMAScript Number.prototype.toString.
    private static string NumberText(JsonValue value)
    {
        var number =
            value.TryGetValue<long>(out var whole) ? whole
            : value.TryGetValue<int>(out var small) ? small
            : value.TryGetValue<double>(out var real) ? real
            : double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture);
        if (!double.IsFinite(number))
        {
            throw new InvalidOperationException("JSON has no NaN or infinity.");
        }

        return number == 0 ? "0" : Ecma(number);
    }

    private static string Ecma(double number)
    {
        var shortest = number.ToString("R", CultureInfo.InvariantCulture);
        var sign = number < 0 ? "-" : "";
        var (digits, n) = Decompose(shortest.TrimStart('-'));
        var k = digits.Length;
        if (k <= n && n <= 21)
        {
            return sign + digits + new string('0', n - k);
        }

        if (n is > 0 and <= 21)
        {
            return sign + digits[..n] + "." + digits[n..];
        }

        if (n is > -6 and <= 0)
        {
            return sign + "0." + new string('0', -n) + digits;
        }

        var e = n - 1;
        var mantissa = k == 1 ? digits : digits[..1] + "." + digits[1..];
        return $"{sign}{mantissa}e{(e < 0 ? "-" : "+")}{Math.Abs(e).ToString(CultureInfo.InvariantCulture)}";
    }

    // Shortest round-trip digits and the position of the decimal point: value = 0.digits * 10^point.
    private static (string Digits, int Point) Decompose(string text)
    {
        var exponentAt = text.IndexOf('E', StringComparison.Ordinal);
        var exponent = exponentAt < 0 ? 0 : int.Parse(text[(exponentAt + 1)..], CultureInfo.InvariantCulture);
        var mantissa = exponentAt < 0 ? text : text[..exponentAt];
        var dot = mantissa.IndexOf('.', StringComparison.Ordinal);
        var point = (dot < 0 ? mantissa.Length : dot) + exponent;
        var digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        var leading = digits.Length - digits.TrimStart('0').Length;
        return (digits.TrimStart('0').TrimEnd('0'), point - leading);
    }

    // RFC 8785 §3.2.2.2: only what JSON cannot hold is escaped.
    private static void WriteString(string text, ArrayBufferWriter<byte> output)
    {
        output.Write("\""u8);
        var rest = text.AsSpan();
        for (var at = rest.IndexOfAny(Escaped); at >= 0; at = rest.IndexOfAny(Escaped))
        {
            WritePlain(rest[..at], output);
            output.Write(Encoding.ASCII.GetBytes(Escape(rest[at])));
            rest = rest[(at + 1)..];
        }

        WritePlain(rest, output);
        output.Write("\""u8);
    }

    private static void WritePlain(ReadOnlySpan<char> text, ArrayBufferWriter<byte> output) =>
        output.Advance(StrictUtf8.GetBytes(text, output.GetSpan(StrictUtf8.GetMaxByteCount(text.Length))));

    private static string Escape(char c) =>
        c switch
        {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\b' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\f' => "\\f",
            '\r' => "\\r",
            _ => $"\\u{(int)c:x4}",
        };

    private static readonly SearchValues<char> Escaped = SearchValues.Create(
        "\"\\" + string.Concat(Enumerable.Range(0, ' ').Select(c => (char)c))
    );

    private static readonly UTF8Encoding StrictUtf8 = new(
        encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true
    );
}
