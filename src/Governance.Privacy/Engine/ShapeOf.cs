using System.Buffers;
using System.Globalization;

namespace Governance.Privacy.Engine;

/// <summary>The form of one value, without what it means.</summary>
internal enum Shape
{
    Missing,
    Redacted,
    Whole,
    Decimal,
    Date,
    YearMonth,
    Band,
    Masked,
    HexHash,
    Base64,
    Uuid,
    Token,
    PasswordHash,
    Words,
    Other,
}

/// <summary>Recognises the form of values. Order matters: the more special form first.</summary>
internal static class ShapeOf
{
    private static readonly SearchValues<char> MaskChars = SearchValues.Create("*#Xx•.-/() ");

    /// <summary>Prefix of the tokens that the anonymise step writes.</summary>
    public const string TokenPrefix = "tok_";

    /// <summary>The form of a trimmed value.</summary>
    public static Shape Value(ReadOnlySpan<char> value)
    {
        if (IsMissing(value))
        {
            return Shape.Missing;
        }

        if (IsRedacted(value))
        {
            return Shape.Redacted;
        }

        if (IsNumber(value, out var whole))
        {
            return whole ? Shape.Whole : Shape.Decimal;
        }

        if (IsAmount(value))
        {
            return Shape.Decimal;
        }

        return Date(value, out _) ? Shape.Date
            : IsYearMonth(value) ? Shape.YearMonth
            : IsBand(value) ? Shape.Band
            : Guid.TryParseExact(value, "D", out _) ? Shape.Uuid
            : value.Length is 32 or 40 or 56 or 64 or 96 or 128 && IsHex(value) ? Shape.HexHash
            : value.StartsWith("$2", StringComparison.Ordinal) || value.StartsWith("$argon2", StringComparison.Ordinal)
                ? Shape.PasswordHash
            : value.StartsWith(TokenPrefix, StringComparison.Ordinal) ? Shape.Token
            : IsMasked(value) ? Shape.Masked
            : value.Length >= 24 && value.Length % 4 == 0 && IsBase64(value) ? Shape.Base64
            : value.Contains(' ') ? Shape.Words
            : Shape.Other;
    }

    /// <summary>Empty and the usual words for "no value". They form one group in every measure.</summary>
    public static bool IsMissing(ReadOnlySpan<char> value) =>
        value.IsEmpty
        || (
            value.Length <= 4
            && (
                value is "?" or "-" or "NA" or "N/A" or "n/a" or "na" or "NaN" or "nan"
                || value.Equals("null", StringComparison.OrdinalIgnoreCase)
                || value.Equals("none", StringComparison.OrdinalIgnoreCase)
            )
        );

    /// <summary>Digits with an optional sign and one decimal point or comma, or scientific notation. No leading zeros: those are codes.</summary>
    public static bool IsNumber(ReadOnlySpan<char> value, out bool whole)
    {
        var digits = value.Length > 0 && value[0] is '-' or '+' ? value[1..] : value;
        whole = false;
        if (digits.IsEmpty || digits.Length > 24 || !char.IsAsciiDigit(digits[^1]))
        {
            return false;
        }

        var points = 0;
        var exponents = 0;
        for (var i = 0; i < digits.Length; i++)
        {
            var c = digits[i];
            if (c is '.' or ',')
            {
                points++;
            }
            else if (c is 'e' or 'E' && i > 0)
            {
                exponents++;
            }
            else if (!char.IsAsciiDigit(c) && !(c is '-' or '+' && i > 0 && digits[i - 1] is 'e' or 'E'))
            {
                return false;
            }
        }

        whole = points == 0 && exponents == 0;
        var code = whole && digits.Length > 1 && digits[0] == '0';
        return points <= 1 && exponents <= 1 && !code;
    }

    /// <summary>
    /// 52998224725.0 is the whole number 52998224725: data frames write every whole number so where one value of a column is
    /// missing. Everything else stays as it is.
    /// </summary>
    public static ReadOnlySpan<char> WithoutZeroFraction(ReadOnlySpan<char> value)
    {
        var whole = value.TrimEnd('0');
        return
            whole.Length > 1
            && whole.Length < value.Length
            && whole[^1] is '.' or ','
            && IsNumber(whole[..^1], out var isWhole)
            && isWhole
            ? whole[..^1]
            : value;
    }

    // Money and shares: R$ 22, 19,90 €, 12 %.
    private static bool IsAmount(ReadOnlySpan<char> value)
    {
        var number = value.TrimStart("RUS$€£ ").TrimEnd("€£%EURUSDBL ");
        return number.Length < value.Length && value.IndexOfAny("$€£%") >= 0 && IsNumber(number, out _);
    }

    /// <summary>A calendar date with a four-digit year, ISO 8601 or day and month in either order, with or without a time.</summary>
    public static bool Date(ReadOnlySpan<char> value, out int year)
    {
        year = 0;
        if (value.Length is < 8 or > 35 || !char.IsAsciiDigit(value[0]))
        {
            return false;
        }

        var day = value;
        var time = value.IndexOfAny('T', ' ');
        if (time >= 8)
        {
            day = value[..time];
            if (!char.IsAsciiDigit(value[time + 1 < value.Length ? time + 1 : time]))
            {
                return false;
            }
        }

        Span<Range> parts = stackalloc Range[4];
        var separator = day.IndexOfAny('-', '/', '.');
        if (separator < 0 || day.Split(parts, day[separator]) != 3)
        {
            return false;
        }

        var yearFirst = day[parts[0]].Length == 4;
        var yearText = yearFirst ? day[parts[0]] : day[parts[2]];
        return yearText.Length == 4
            && Between(yearText, 1850, 2150, out year)
            && Between(day[parts[1]], 1, 31, out var middle)
            && Between(yearFirst ? day[parts[2]] : day[parts[0]], 1, 31, out var outer)
            && Math.Min(middle, outer) <= 12;
    }

    /// <summary>A four-digit year from 1850 to 2150.</summary>
    public static bool IsYear(ReadOnlySpan<char> value) => value.Length == 4 && Between(value, 1850, 2150, out _);

    private static bool Between(ReadOnlySpan<char> text, int least, int most, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number)
        && number >= least
        && number <= most;

    private static bool IsYearMonth(ReadOnlySpan<char> value) =>
        value.Length == 7
        && (
            (value[4] is '-' or '/' && IsYear(value[..4]) && Between(value[5..], 1, 12, out _))
            || (value[2] is '-' or '/' && IsYear(value[3..]) && Between(value[..2], 1, 12, out _))
        );

    // 30-39, [30,40), 90+, >=65, <18, 1980s.
    private static bool IsBand(ReadOnlySpan<char> value)
    {
        if (value[0] is '[' or '(' && value[^1] is ')' or ']')
        {
            var inner = value[1..^1];
            var comma = inner.IndexOfAny(',', ';');
            return comma > 0 && IsNumber(inner[..comma].Trim(), out _) && IsNumber(inner[(comma + 1)..].Trim(), out _);
        }

        if (value[0] is '<' or '>')
        {
            return IsNumber(value.TrimStart("<>=").Trim(), out _);
        }

        if (value[^1] == '+' || (value[^1] == 's' && value.Length == 5))
        {
            return IsNumber(value[..^1], out var whole) && whole;
        }

        var dash = value.IndexOfAny('-', '–');
        return dash > 0
            && dash < value.Length - 1
            && value.Length <= 64
            && IsNumber(value[..dash].Trim(), out _)
            && IsNumber(value[(dash + 1)..].Trim(), out _)
            && value[..dash].Trim().Length <= value[(dash + 1)..].Trim().Length
            && double.Parse(value[..dash], CultureInfo.InvariantCulture)
                <= double.Parse(value[(dash + 1)..], CultureInfo.InvariantCulture);
    }

    private static bool IsRedacted(ReadOnlySpan<char> value)
    {
        if (value.Length is < 2 or > 40)
        {
            return false;
        }

        if (value[0] is '[' or '<' or '{' && value[^1] is ']' or '>' or '}')
        {
            value = value.Trim("[]<>{}");
            foreach (var c in value)
            {
                if (!char.IsAsciiLetterUpper(c) && c is not ('_' or ' ' or '-'))
                {
                    return false;
                }
            }

            return !value.IsEmpty;
        }

        return value is "REDACTED" or "REMOVED" or "DELETED" or "MASKED" or "ANONYMIZED" or "ANONYMISED"
            || (value.Length >= 3 && !value.ContainsAnyExcept(MaskChars) && Marks(value) >= 3);
    }

    // Marks where characters were, and something left to see: `***.456.789-**`, `a***@x.com`, `A. C.`.
    private static bool IsMasked(ReadOnlySpan<char> value)
    {
        if (value.Length <= 64 && Marks(value) >= 2)
        {
            return true;
        }

        return value.Length is >= 4 and <= 12 && IsInitials(value);
    }

    private static bool IsInitials(ReadOnlySpan<char> value)
    {
        var letters = 0;
        for (var i = 0; i < value.Length; i++)
        {
            if (char.IsUpper(value[i]) && i + 1 < value.Length && value[i + 1] == '.')
            {
                letters++;
                i++;
            }
            else if (value[i] != ' ')
            {
                return false;
            }
        }

        return letters >= 2;
    }

    private static int Marks(ReadOnlySpan<char> value)
    {
        var marks = 0;
        for (var i = 0; i < value.Length; i++)
        {
            var c = value[i];
            // A lone X is a letter; two or more beside each other are a mask.
            var x =
                c is 'X' or 'x'
                && ((i > 0 && value[i - 1] == c) || (i + 1 < value.Length && value[i + 1] == c))
                && value.IndexOfAnyInRange('0', '9') + value.IndexOf('-') > -2;
            marks += c is '*' or '•' or '#' || x ? 1 : 0;
        }

        return marks;
    }

    private static bool IsHex(ReadOnlySpan<char> value)
    {
        foreach (var c in value)
        {
            if (!char.IsAsciiHexDigit(c))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsBase64(ReadOnlySpan<char> value)
    {
        var upper = false;
        var lower = false;
        foreach (var c in value.TrimEnd('='))
        {
            upper |= char.IsAsciiLetterUpper(c);
            lower |= char.IsAsciiLetterLower(c);
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('+' or '/' or '-' or '_'))
            {
                return false;
            }
        }

        return upper && lower && (value[^1] == '=' || value.IndexOfAnyInRange('0', '9') >= 0);
    }
}
