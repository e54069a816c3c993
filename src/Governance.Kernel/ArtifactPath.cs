using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Governance.Kernel;

/// <summary>
/// A relative path inside an artifact store, parsed once at the edge. Segments are well-formed text, compared by its bytes,
/// without control or invisible characters, backslash, <c>.</c> or <c>..</c>, nor what some system reads as one of these: look-alikes in other widths,
/// <c>..;x</c>, a drive letter; no empty segment, no percent-encoded traversal, at most 1,024 bytes and 32 segments.
/// </summary>
public readonly record struct ArtifactPath
{
    private const int MaxBytes = 1024;
    private const int MaxSegments = 32;
    private readonly string? _value;

    private ArtifactPath(string value) => _value = value;

    /// <summary>The root, the empty path.</summary>
    public static ArtifactPath Root => default;

    /// <summary>The path as text; empty for the root.</summary>
    public string Value => _value ?? "";

    /// <summary>Whether this is the root.</summary>
    public bool IsRoot => Value.Length == 0;

    /// <summary>The last segment.</summary>
    public string Name => Value[(Value.LastIndexOf('/') + 1)..];

    /// <summary>Parses text that was percent-decoded exactly once.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ArtifactPath path)
    {
        path = default;
        if (
            text is null
            || text.Length > MaxBytes
            || !IsWellFormed(text)
            || Encoding.UTF8.GetByteCount(text) > MaxBytes
        )
        {
            return false;
        }

        if (text.Length == 0)
        {
            return true;
        }

        var segments = text.Split('/');
        if (segments.Length > MaxSegments || !segments.All(IsSegment))
        {
            return false;
        }

        path = new ArtifactPath(text);
        return true;
    }

    /// <summary>Appends a child path.</summary>
    public ArtifactPath Combine(ArtifactPath child) =>
        IsRoot ? child
        : child.IsRoot ? this
        : new ArtifactPath($"{Value}/{child.Value}");

    /// <summary>Whether this path is <paramref name="ancestor"/> or lies below it.</summary>
    public bool IsWithin(ArtifactPath ancestor) =>
        ancestor.IsRoot
        || Value == ancestor.Value
        || (
            Value.Length > ancestor.Value.Length
            && Value.StartsWith(ancestor.Value, StringComparison.Ordinal)
            && Value[ancestor.Value.Length] == '/'
        );

    /// <inheritdoc />
    public override string ToString() => Value;

    private static bool IsWellFormed(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (
                char.IsSurrogate(text[i])
                && !(char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[++i]))
            )
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsSegment(string segment) =>
        segment.Length is > 0 and <= 255
        && segment is not ("." or "..")
        && !segment.Any(c =>
            char.IsControl(c)
            || c
                is '\\'
                    or '\uFF0F'
                    or '\uFF3C'
                    or '\uFE68'
                    or '\uFEFF'
                    or '\u2028'
                    or '\u2029'
                    or (>= '\u200B' and <= '\u200F')
                    or (>= '\u202A' and <= '\u202E')
                    or (>= '\u2060' and <= '\u2069')
        )
        && !HasEncodedTraversal(segment)
        && EndsPlainly(segment)
        && !(segment.Length > 1 && char.IsAsciiLetter(segment[0]) && segment[1] == ':');

    // Servers that know path parameters read "..;x" as "..", and compatibility forms of dots become dots on some file systems.
    private static bool EndsPlainly(string segment)
    {
        var parameter = segment.IndexOf(';', StringComparison.Ordinal);
        var name = parameter < 0 ? segment : segment[..parameter];
        return name.Length > 0
            && name[^1] is not (' ' or '.' or '\u2024' or '\u2025' or '\u2026' or '\uFE52' or '\uFF0E');
    }

    // A percent sign that still spells a separator or a dot after one decoding is a double-encoded traversal.
    private static bool HasEncodedTraversal(string segment) =>
        segment.Contains("%2e", StringComparison.OrdinalIgnoreCase)
        || segment.Contains("%2f", StringComparison.OrdinalIgnoreCase)
        || segment.Contains("%5c", StringComparison.OrdinalIgnoreCase)
        || segment.Contains("%25", StringComparison.OrdinalIgnoreCase)
        || segment.Contains("%00", StringComparison.OrdinalIgnoreCase);
}
