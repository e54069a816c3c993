using System.Globalization;

namespace Governance.Privacy.Engine;

/// <summary>Check digits and issuing rules of identifiers. Every method takes the bare form: digits or letters without separators.</summary>
internal static class CheckDigits
{
    // Lengths of the IBAN registry (ISO 13616), country code and total length.
    private static readonly Dictionary<string, int> IbanLengths =
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
            .Split(' ')
            .ToDictionary(
                entry => entry[..2],
                entry => int.Parse(entry.AsSpan(2), CultureInfo.InvariantCulture),
                StringComparer.Ordinal
            );

    /// <summary>ISO/IEC 7812-1 annex B.</summary>
    public static bool Luhn(ReadOnlySpan<char> digits)
    {
        var sum = 0;
        for (var i = 0; i < digits.Length; i++)
        {
            var digit = digits[digits.Length - 1 - i] - '0';
            if (i % 2 == 1)
            {
                digit = digit > 4 ? (digit * 2) - 9 : digit * 2;
            }

            sum += digit;
        }

        return sum % 10 == 0;
    }

    /// <summary>Whether an issuer gives out numbers with this prefix and length.</summary>
    public static bool CardIssued(ReadOnlySpan<char> digits)
    {
        if (digits.Length is < 14 or > 19)
        {
            return false;
        }

        var six = int.Parse(digits[..6], CultureInfo.InvariantCulture);
        var two = six / 10_000;
        var four = six / 100;
        return digits.Length switch
        {
            14 => two is 36 or 38 || four is >= 3000 and <= 3059,
            15 => two is 34 or 37,
            16 => two / 10 == 4
                || two is >= 51 and <= 55
                || four is >= 2221 and <= 2720
                || four == 6011
                || two == 65
                || four / 10 is >= 644 and <= 649
                || four is >= 3528 and <= 3589
                || four is 5067 or 5090 or 6062 or 6363 or 6362,
            19 => two / 10 == 4,
            _ => false,
        };
    }

    /// <summary>A payment card: issued range and Luhn, and not one digit repeated.</summary>
    public static bool Card(ReadOnlySpan<char> digits) =>
        CardIssued(digits) && Luhn(digits) && digits.ContainsAnyExcept(digits[0]);

    /// <summary>ISO 13616: country length, and ISO/IEC 7064 MOD 97-10 over the text with its first four characters at the end.</summary>
    public static bool Iban(ReadOnlySpan<char> text)
    {
        if (text.Length < 15 || !IbanLengths.TryGetValue(text[..2].ToString(), out var length) || length != text.Length)
        {
            return false;
        }

        var remainder = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[(i + 4) % text.Length];
            if (char.IsAsciiDigit(c))
            {
                remainder = ((remainder * 10) + c - '0') % 97;
            }
            else if (char.IsAsciiLetterUpper(c))
            {
                remainder = ((remainder * 100) + c - 'A' + 10) % 97;
            }
            else
            {
                return false;
            }
        }

        return remainder == 1;
    }

    /// <summary>The length that a country's IBAN has, or 0.</summary>
    public static int IbanLength(ReadOnlySpan<char> country) => IbanLengths.GetValueOrDefault(country.ToString());

    /// <summary>Brazilian person number: 11 digits, two check digits modulo 11, all-equal digits refused.</summary>
    public static bool Cpf(ReadOnlySpan<char> digits) =>
        digits.Length == 11
        && digits.ContainsAnyExcept(digits[0])
        && Mod11(digits[..9], 10) == digits[9] - '0'
        && Mod11(digits[..10], 11) == digits[10] - '0';

    /// <summary>Brazilian company number: 12 digits or capital letters (ASCII value minus 48) and two check digits modulo 11.</summary>
    public static bool Cnpj(ReadOnlySpan<char> text)
    {
        if (text.Length != 14 || !text.ContainsAnyExcept(text[0]))
        {
            return false;
        }

        foreach (var c in text[..12])
        {
            if (!char.IsAsciiDigit(c) && !char.IsAsciiLetterUpper(c))
            {
                return false;
            }
        }

        return CnpjDigit(text[..12]) == text[12] - '0' && CnpjDigit(text[..13]) == text[13] - '0';
    }

    /// <summary>US social security number: has no check digit; areas 000, 666 and 9xx, group 00 and serial 0000 are never issued.</summary>
    public static bool Ssn(ReadOnlySpan<char> digits) =>
        digits.Length == 9
        && digits[0] != '9'
        && digits[..3] is not ("000" or "666")
        && digits[3..5] is not "00"
        && digits[5..] is not "0000"
        // Two numbers that were printed in advertisements; whole values, never prefixes.
        && digits is not ("078051120" or "219099999");

    private static int Mod11(ReadOnlySpan<char> digits, int firstWeight)
    {
        var sum = 0;
        for (var i = 0; i < digits.Length; i++)
        {
            sum += (digits[i] - '0') * (firstWeight - i);
        }

        var rest = sum % 11;
        return rest < 2 ? 0 : 11 - rest;
    }

    private static int CnpjDigit(ReadOnlySpan<char> text)
    {
        var sum = 0;
        for (var i = 0; i < text.Length; i++)
        {
            sum += (text[text.Length - 1 - i] - 48) * (2 + (i % 8));
        }

        var rest = sum % 11;
        return rest < 2 ? 0 : 11 - rest;
    }
}
