using System.Globalization;
using System.Text;

namespace Governance.Privacy.Engine;

/// <summary>Column names as words: <c>Data_de-Nascimento</c>, <c>dataNascimento2</c> → data, nascimento, 2.</summary>
internal static class ColumnName
{
    /// <summary>Lower-case words without accents, split at punctuation, case changes and between letters and digits.</summary>
    public static IReadOnlyList<string> Words(string name)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        var previous = '\0';
        foreach (var c in name.Normalize(NormalizationForm.FormD))
        {
            if (CharUnicodeInfo.GetUnicodeCategory(c) == UnicodeCategory.NonSpacingMark)
            {
                continue;
            }

            var breaks =
                !char.IsLetterOrDigit(c)
                || (char.IsUpper(c) && char.IsLower(previous))
                || (char.IsLetterOrDigit(previous) && char.IsDigit(c) != char.IsDigit(previous));
            if (breaks && word.Length > 0)
            {
                words.Add(word.ToString());
                word.Clear();
            }

            if (char.IsLetterOrDigit(c))
            {
                word.Append(char.ToLowerInvariant(c));
            }

            previous = c;
        }

        if (word.Length > 0)
        {
            words.Add(word.ToString());
        }

        return words;
    }

    /// <summary>Lower case without accents.</summary>
    public static string Fold(ReadOnlySpan<char> text)
    {
        var folded = new StringBuilder(text.Length);
        foreach (var c in text.ToString().Normalize(NormalizationForm.FormD))
        {
            if (CharUnicodeInfo.GetUnicodeCategory(c) != UnicodeCategory.NonSpacingMark)
            {
                folded.Append(char.ToLowerInvariant(c));
            }
        }

        return folded.ToString();
    }
}
