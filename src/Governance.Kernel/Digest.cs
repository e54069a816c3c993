using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Governance.Kernel;

/// <summary>A SHA-256 digest (FIPS 180-4), the identity of content. Text form: 64 lower-case hex characters.</summary>
[JsonConverter(typeof(DigestJsonConverter))]
public readonly record struct Digest
{
    private static readonly SearchValues<char> LowerHex = SearchValues.Create("0123456789abcdef");
    private static readonly string Zeros = new('0', 64);
    private readonly string? _hex;

    private Digest(string hex) => _hex = hex;

    /// <summary>The 64 lower-case hex characters; all zeros for <c>default</c>.</summary>
    public string Hex => _hex ?? Zeros;

    /// <summary><c>default</c> is the digest of zeros, also when that was read back from its text.</summary>
    public bool Equals(Digest other) => string.Equals(Hex, other.Hex, StringComparison.Ordinal);

    /// <inheritdoc />
    public override int GetHashCode() => string.GetHashCode(Hex, StringComparison.Ordinal);

    /// <summary>Wraps 32 digest bytes.</summary>
    public static Digest FromBytes(ReadOnlySpan<byte> bytes) =>
        bytes.Length == SHA256.HashSizeInBytes
            ? new Digest(Convert.ToHexStringLower(bytes))
            : throw new ArgumentException("A SHA-256 digest has 32 bytes.", nameof(bytes));

    /// <summary>Hashes bytes in memory.</summary>
    public static Digest Of(ReadOnlySpan<byte> content) => FromBytes(SHA256.HashData(content));

    /// <summary>Hashes the UTF-8 bytes of a text.</summary>
    public static Digest Of(string text) => Of(Encoding.UTF8.GetBytes(text));

    /// <summary>Hashes a stream to its end.</summary>
    public static async Task<Digest> OfAsync(Stream content, CancellationToken cancellationToken) =>
        FromBytes(await SHA256.HashDataAsync(content, cancellationToken));

    /// <summary>Reads exactly 64 lower-case hex characters; anything else is refused.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Digest digest)
    {
        var valid = text is { Length: 64 } && !text.AsSpan().ContainsAnyExcept(LowerHex);
        digest = valid ? new Digest(text!) : default;
        return valid;
    }

    /// <summary>Reads a digest that the program itself wrote; throws <see cref="FormatException"/> otherwise.</summary>
    public static Digest Parse(string text) =>
        TryParse(text, out var digest) ? digest : throw new FormatException("Not a SHA-256 digest.");

    /// <summary>The 32 raw bytes.</summary>
    public byte[] ToBytes() => Convert.FromHexString(Hex);

    /// <inheritdoc />
    public override string ToString() => Hex;
}

/// <summary>Writes a digest as its hex text and refuses anything else on reading.</summary>
public sealed class DigestJsonConverter : JsonConverter<Digest>
{
    /// <inheritdoc />
    public override Digest Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Digest.TryParse(reader.GetString(), out var digest)
            ? digest
            : throw new JsonException("Expected a SHA-256 digest: 64 lower-case hex characters.");

    /// <inheritdoc />
    public override void Write(Utf8JsonWriter writer, Digest value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Hex);
}
