using System.Globalization;
using System.Text;

namespace Governance.Compliance.Engine;

/// <summary>Makes text safe to look at: what can't be seen, or changes the order of what is seen, is shown as its code point.</summary>
internal static class VisibleText
{
    /// <summary>
    /// Replaces control, format (bidirectional, zero width), line and paragraph separator, private, unassigned and lone
    /// surrogate code points by <c>[U+202E]</c>, and with <paramref name="drawable"/> those that it refuses.
    /// </summary>
    public static string Of(string text, Func<int, bool>? drawable = null)
    {
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                Append(result, new Rune(text[i], text[i + 1]), drawable);
                i++;
            }
            else if (Rune.TryCreate(text[i], out var rune))
            {
                Append(result, rune, drawable);
            }
            else
            {
                Escape(result, text[i]);
            }
        }

        return result.ToString();
    }

    private static void Append(StringBuilder result, Rune rune, Func<int, bool>? drawable)
    {
        var hidden =
            Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.PrivateUse
                or UnicodeCategory.OtherNotAssigned
                or UnicodeCategory.Surrogate;
        if (hidden || drawable?.Invoke(rune.Value) == false)
        {
            Escape(result, rune.Value);
        }
        else
        {
            result.Append(rune.ToString());
        }
    }

    private static void Escape(StringBuilder result, int codePoint) =>
        result.Append("[U+").Append(codePoint.ToString("X4", CultureInfo.InvariantCulture)).Append(']');
}
