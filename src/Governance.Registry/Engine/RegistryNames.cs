using System.Globalization;
using System.Text;
using Governance.Kernel;
using Governance.Registry.Contracts;

namespace Governance.Registry.Engine;

/// <summary>MLflow's rules for names, aliases and stages.</summary>
internal static class RegistryNames
{
    public const int MaxName = 250;

    /// <summary>The tag by which MLflow tells prompts from models.</summary>
    public const string PromptTag = "mlflow.prompt.is_prompt";

    public static Failure? CheckName(string what, string name)
    {
        if (string.IsNullOrWhiteSpace(name))
        {
            return MissingParameter("name");
        }

        return name.Length > MaxName || !IsPlainText(name) || name.EnumerateRunes().Any(IsLookAlike)
            ? Failure.Invalid(
                "registry.bad_name",
                $"A {what} name has 1 to {MaxName} characters: no control, invisible, combining or compatibility characters, and no space but the plain one."
            )
            : null;
    }

    /// <summary>
    /// MLflow's rule for keys of metrics, params and tags: what its file store could keep as a file. A server behind the gateway
    /// takes no other, and a key that reads as a way up is nothing to hand on.
    /// </summary>
    public static Failure? CheckKey(string key)
    {
        var why =
            !key.EnumerateRunes().All(IsKeyRune)
                ? "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
            : key.StartsWith("..", StringComparison.Ordinal) || key.Split('/').Any(part => part is "" or "." or "..")
                ? "Names may be treated as files in certain cases, and must not resolve to other names when treated as such."
            : null;
        return why is null
            ? null
            : Failure.Invalid(
                "registry.bad_key",
                $"Invalid value \"{Quote(key)}\" for parameter 'key' supplied: {why}"
            );
    }

    private static bool IsKeyRune(Rune rune) =>
        rune.Value is '_' or '-' or '.' or ' ' or ':' or '/'
        || Rune.GetUnicodeCategory(rune)
            is <= UnicodeCategory.OtherLetter
                or UnicodeCategory.DecimalDigitNumber
                or UnicodeCategory.LetterNumber
                or UnicodeCategory.OtherNumber;

    public static Failure MissingParameter(string name) =>
        Failure.Invalid(
            "registry.missing_parameter",
            $"Missing value for required parameter '{name}'. See the API docs for more information about request parameters."
        );

    public static Failure? CheckAlias(string alias)
    {
        if (
            alias.Length is 0 or > 255
            || !alias.All(c => char.IsLetterOrDigit(c) || c is '_' or '-')
            || !IsPlainText(alias)
            || alias.EnumerateRunes().Any(IsLookAlike)
        )
        {
            return Failure.Invalid(
                "registry.bad_alias",
                "An alias has 1 to 255 characters: letters, digits, underscore and hyphen."
            );
        }

        if (alias.Equals("latest", StringComparison.OrdinalIgnoreCase))
        {
            return Failure.Invalid("registry.reserved_alias", "'latest' alias name (case insensitive) is reserved.");
        }

        return alias.Length > 1 && alias[0] is 'v' or 'V' && alias.AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0
            ? Failure.Invalid("registry.reserved_alias", $"Version alias name '{alias}' is reserved.")
            : null;
    }

    /// <summary>The canonical spelling of a stage, or null.</summary>
    public static string? Stage(string text) =>
        Move.Stages.FirstOrDefault(stage => stage.Equals(text, StringComparison.OrdinalIgnoreCase));

    public static Failure BadStage(string text) =>
        Failure.Invalid(
            "registry.bad_stage",
            $"Invalid Model Version stage: {Quote(text)}. Value must be one of None, Staging, Production, Archived."
        );

    /// <summary>Text of the caller inside an error message: bounded and printable.</summary>
    public static string Quote(string text) =>
        new([.. text.Take(200).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)]);

    /// <summary>
    /// What names are compared by so that no two differ in letter case alone. Runtimes without culture data cannot normalise,
    /// so what normalising would change is refused instead: see <see cref="IsPlainText"/> and <see cref="IsLookAlike"/>.
    /// </summary>
    public static string Key(string name) => name.ToUpperInvariant();

    /// <summary>Whether everything in it can be seen and is written in one way: no control, format, ignorable or composing characters.</summary>
    public static bool IsPlainText(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!Rune.TryGetRuneAt(text, i, out var rune) || !IsVisible(rune) || IsIn(Composing, rune))
            {
                return false;
            }

            i += rune.Utf16SequenceLength - 1;
        }

        return true;
    }

    private static bool IsVisible(Rune rune) =>
        !IsIn(Ignorable, rune)
        && Rune.GetUnicodeCategory(rune)
            is not (
                UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.OtherNotAssigned
            );

    /// <summary>Whether it is another spelling of a plain character: wide, mathematical, circled, a ligature, another space.</summary>
    private static bool IsLookAlike(Rune rune) =>
        IsIn(Compatibility, rune)
        || (rune.Value != ' ' && Rune.GetUnicodeCategory(rune) == UnicodeCategory.SpaceSeparator);

    private static bool IsIn((int First, int Last)[] ranges, Rune rune) =>
        Array.Exists(ranges, range => rune.Value >= range.First && rune.Value <= range.Last);

    // Drawn as nothing although they are letters or marks: joiner, Hangul and Khmer fillers, Braille blank, variation selectors.
    private static readonly (int First, int Last)[] Ignorable =
    [
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xE0000, 0xE0FFF),
    ];

    // Marks that compose with Latin, Greek and Cyrillic letters: é is one character. Other scripts keep their vowel signs.
    private static readonly (int First, int Last)[] Composing =
    [
        (0x0300, 0x036F),
        (0x1AB0, 0x1AFF),
        (0x1DC0, 0x1DFF),
        (0x20D0, 0x20FF),
        (0xFE20, 0xFE2F),
    ];

    private static readonly (int First, int Last)[] Compatibility =
    [
        (0x2070, 0x209F),
        (0x2100, 0x218B),
        (0x2460, 0x24FF),
        (0xFB00, 0xFB06),
        (0xFF01, 0xFFEE),
        (0x1D400, 0x1D7FF),
        (0x1F100, 0x1F1FF),
    ];
}
