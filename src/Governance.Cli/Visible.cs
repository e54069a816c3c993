using System.Globalization;
using System.Text;

namespace Governance.Cli;

/// <summary>File names and server texts come from others and end on a terminal: nothing in them may steer it.</summary>
internal static class Visible
{
    /// <summary>Replaces control, format and separator characters and lone surrogates by <c>?</c>.</summary>
    public static string Of(string text)
    {
        var visible = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var hidden =
                Rune.GetUnicodeCategory(rune)
                is UnicodeCategory.Control
                    or UnicodeCategory.Format
                    or UnicodeCategory.LineSeparator
                    or UnicodeCategory.ParagraphSeparator
                    or UnicodeCategory.Surrogate;
            visible.Append(hidden ? "?" : rune.ToString());
        }

        return visible.ToString();
    }
}
