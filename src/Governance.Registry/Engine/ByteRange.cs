using System.Globalization;
using System.Runtime.InteropServices;

namespace Governance.Registry.Engine;

/// <summary>The part of a file that a request asks for (RFC 9110 §14). Only one range in bytes is served; what else is asked for is ignored.</summary>
/// <param name="First">Offset of the first byte.</param>
/// <param name="Length">Bytes, at least one.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ByteRange(long First, long Length)
{
    private const string Unit = "bytes=";

    /// <summary>For <c>Content-Range</c>.</summary>
    public string Of(long size) =>
        string.Create(CultureInfo.InvariantCulture, $"bytes {First}-{First + Length - 1}/{size}");

    /// <summary>
    /// Reads the header of a request for a file of <paramref name="size"/> bytes. Null range: the whole file is meant.
    /// Not satisfiable: the range is well formed, and no byte of the file lies in it.
    /// </summary>
    public static (ByteRange? Range, bool Satisfiable) Parse(string? header, long size)
    {
        if (size == 0 || header is null || !header.StartsWith(Unit, StringComparison.OrdinalIgnoreCase))
        {
            return (null, true);
        }

        var spec = header.AsSpan(Unit.Length).Trim(" \t");
        var dash = spec.IndexOf('-');
        if (dash < 0)
        {
            return (null, true);
        }

        var (from, to) = (Position(spec[..dash]), Position(spec[(dash + 1)..]));
        return (dash > 0, spec.Length > dash + 1) switch
        {
            (true, true) when from is { } first && to is { } last && first <= last => Between(first, last, size),
            (true, false) when from is { } first => Between(first, size - 1, size),
            (false, true) when to is { } suffix => suffix == 0
                ? (null, false)
                : (new ByteRange(size - Math.Min(suffix, size), Math.Min(suffix, size)), true),
            _ => (null, true),
        };
    }

    private static (ByteRange? Range, bool Satisfiable) Between(long first, long last, long size) =>
        first < size ? (new ByteRange(first, Math.Min(last, size - 1) - first + 1), true) : (null, false);

    // Digits only. What is too long for a number lies beyond every file.
    private static long? Position(ReadOnlySpan<char> digits)
    {
        if (digits.IsEmpty || digits.ContainsAnyExceptInRange('0', '9'))
        {
            return null;
        }

        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var position)
            ? position
            : long.MaxValue;
    }
}
