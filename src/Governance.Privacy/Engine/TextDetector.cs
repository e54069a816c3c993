using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Governance.Privacy.Contracts;

namespace Governance.Privacy.Engine;

/// <summary>
/// Finds identifiers in text. Candidates come from patterns without nested repetition; format, check digit, neighbours and
/// context words decide. A pattern that times out throws: a scan then fails, it never skips.
/// </summary>
internal static partial class TextDetector
{
    /// <summary>Spans at or above this score stand on their own; below it a number passed its check digit without a word that says what it is.</summary>
    public const double Strong = 0.6;

    private const double Shown = 0.5;
    private const int Timeout = 2000;
    private const int ContextLength = 32;

    /// <summary>Spans that do not overlap, in order of position; best score first, then longest.</summary>
    public static IReadOnlyList<TextFinding> Find(string text)
    {
        var found = new List<TextFinding>();
        Scan(text, found);
        var kept = new List<TextFinding>();
        foreach (
            var span in found
                .Where(span => span.Score >= Shown)
                .OrderByDescending(span => span.Score)
                .ThenByDescending(span => span.End - span.Start)
        )
        {
            if (!kept.Exists(other => span.Start < other.End && other.Start < span.End))
            {
                kept.Add(span);
            }
        }

        return [.. kept.OrderBy(span => span.Start)];
    }

    /// <summary>
    /// All candidates, overlapping ones too. Score 0 is a number in the form of an identifier whose check digit failed: what
    /// a pass rate is compared with.
    /// </summary>
    public static void Scan(string text, List<TextFinding> found)
    {
        if (text.Contains('@', StringComparison.Ordinal))
        {
            Emails(text, found);
        }

        var digits = 0;
        var colons = 0;
        var spaces = false;
        foreach (var c in text)
        {
            digits += char.IsAsciiDigit(c) ? 1 : 0;
            colons += c == ':' ? 1 : 0;
            spaces |= c == ' ';
        }

        if (digits >= 4)
        {
            Numbers(text, found, digits);
        }

        if (colons >= 2)
        {
            IpV6(text, found);
        }

        if (spaces)
        {
            Names(text, found);
        }
    }

    private static void Emails(string text, List<TextFinding> found)
    {
        for (var at = text.IndexOf('@', StringComparison.Ordinal); at >= 0; at = text.IndexOf('@', at + 1))
        {
            var start = at;
            while (start > 0 && at - start < 64 && IsLocalPart(text[start - 1]))
            {
                start--;
            }

            while (start < at && text[start] is '.' or '-' or '+' or '\'')
            {
                start++;
            }

            var end = at + 1;
            while (end < text.Length && end - at < 254 && (char.IsLetterOrDigit(text[end]) || text[end] is '-' or '.'))
            {
                end++;
            }

            while (end > at + 1 && text[end - 1] is '.' or '-')
            {
                end--;
            }

            if (start < at && text[start..at] != "git" && IsDomain(text.AsSpan(at + 1, end - at - 1)))
            {
                found.Add(new TextFinding(start, end, Kinds.Email, 0.95));
            }
        }
    }

    private static bool IsLocalPart(char c) => char.IsLetterOrDigit(c) || c is '.' or '_' or '%' or '+' or '-' or '\'';

    private static bool IsDomain(ReadOnlySpan<char> domain)
    {
        var dot = domain.LastIndexOf('.');
        if (dot <= 0 || domain.IndexOf("..") >= 0)
        {
            return false;
        }

        var top = domain[(dot + 1)..];
        if (top.StartsWith("xn--", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        foreach (var c in top)
        {
            if (!char.IsLetter(c))
            {
                return false;
            }
        }

        // Icons and packages: `icon@2x.png`, `types@node.js`.
        return top.Length is >= 2 and <= 24
            && top
                is not (
                    "png"
                    or "jpg"
                    or "jpeg"
                    or "gif"
                    or "svg"
                    or "webp"
                    or "ico"
                    or "js"
                    or "ts"
                    or "css"
                    or "json"
                );
    }

    private static void Numbers(string text, List<TextFinding> found, int digits)
    {
        foreach (var match in IpV4Pattern().EnumerateMatches(text))
        {
            IpV4(text, match.Index, match.Length, found);
        }

        if (digits < 6)
        {
            return;
        }

        if (digits >= 8)
        {
            Checked(text, CpfPattern(), Kinds.Cpf, CheckDigits.Cpf, 0.95, found);
            Checked(text, CnpjPattern(), Kinds.Cnpj, CheckDigits.Cnpj, 0.95, found);
            BareCompanies(text, found);
            Checked(text, CardPattern(), Kinds.Card, CheckDigits.Card, 0.9, found);
            Ibans(text, found);
            Checked(text, SsnPattern(), Kinds.Ssn, CheckDigits.Ssn, 0.85, found);
            BareNumbers(text, found);
        }

        Phones(text, found);
        BirthDates(text, found);
    }

    private delegate bool Check(ReadOnlySpan<char> bare);

    private static void Checked(
        string text,
        Regex pattern,
        string kind,
        Check check,
        double score,
        List<TextFinding> found
    )
    {
        foreach (var match in pattern.EnumerateMatches(text))
        {
            var end = match.Index + match.Length;
            if (StandsAlone(text, match.Index, end))
            {
                found.Add(new TextFinding(match.Index, end, kind, check(Bare(text, match.Index, end)) ? score : 0));
            }
        }
    }

    private static void Ibans(string text, List<TextFinding> found)
    {
        foreach (var match in IbanPattern().EnumerateMatches(text))
        {
            var length = CheckDigits.IbanLength(text.AsSpan(match.Index, 2));
            if (length == 0 || (match.Index > 0 && char.IsLetterOrDigit(text[match.Index - 1])))
            {
                continue;
            }

            // The pattern may run into the next word: take exactly the characters that the country's number has.
            var end = match.Index;
            for (var taken = 0; end < match.Index + match.Length && taken < length; end++)
            {
                taken += text[end] is ' ' or '-' ? 0 : 1;
            }

            var whole = end == text.Length || !char.IsLetterOrDigit(text[end]);
            var bare = Bare(text, match.Index, end);
            if (whole && bare.Length == length)
            {
                found.Add(new TextFinding(match.Index, end, Kinds.Iban, CheckDigits.Iban(bare) ? 0.95 : 0));
            }
        }
    }

    // Runs of digits without separators: the check digit alone passes 1 in 10 or 1 in 100 by chance, so context decides the score.
    private static void BareNumbers(string text, List<TextFinding> found)
    {
        foreach (var match in DigitsPattern().EnumerateMatches(text))
        {
            var (start, end) = (match.Index, match.Index + match.Length);
            if (!StandsAlone(text, start, end))
            {
                continue;
            }

            var bare = text.AsSpan(start, match.Length);
            if (bare.Length == 11)
            {
                Add(Kinds.Cpf, CheckDigits.Cpf(bare), CpfWords);
            }
            else if (bare.Length == 9 && HasContext(text, start, SsnWords))
            {
                Add(Kinds.Ssn, CheckDigits.Ssn(bare), SsnWords);
            }
            else if (bare.Length == 14)
            {
                Add(Kinds.Cnpj, CheckDigits.Cnpj(bare), CnpjWords);
            }

            if (bare.Length is >= 14 and <= 19 && CheckDigits.CardIssued(bare))
            {
                Add(Kinds.Card, CheckDigits.Card(bare), CardWords);
            }

            void Add(string kind, bool valid, string[] words) =>
                found.Add(
                    new TextFinding(
                        start,
                        end,
                        kind,
                        !valid ? 0
                            : HasContext(text, start, words) ? 0.9
                            : 0.5
                    )
                );
        }
    }

    // The alphanumeric company number without punctuation; the all-digit one is among the bare numbers.
    private static void BareCompanies(string text, List<TextFinding> found)
    {
        foreach (var match in BareCnpjPattern().EnumerateMatches(text))
        {
            var (start, end) = (match.Index, match.Index + match.Length);
            var bare = text.AsSpan(start, match.Length);
            if (bare.IndexOfAnyInRange('A', 'Z') >= 0 && StandsAlone(text, start, end))
            {
                found.Add(
                    new TextFinding(
                        start,
                        end,
                        Kinds.Cnpj,
                        !CheckDigits.Cnpj(bare) ? 0
                            : HasContext(text, start, CnpjWords) ? 0.9
                            : Shown
                    )
                );
            }
        }
    }

    private static void IpV4(string text, int start, int length, List<TextFinding> found)
    {
        var end = start + length;
        var before = start > 0 ? text[start - 1] : ' ';
        var after = end < text.Length ? text[end] : ' ';
        if (
            char.IsLetterOrDigit(before)
            || before is '.' or '_'
            || char.IsLetterOrDigit(after)
            || after == '_'
            || (after == '.' && end + 1 < text.Length && char.IsAsciiDigit(text[end + 1]))
            || HasContext(text, start, VersionWords)
            || !IPAddress.TryParse(text.AsSpan(start, length), out var address)
        )
        {
            return;
        }

        Span<byte> octets = stackalloc byte[4];
        address.TryWriteBytes(octets, out _);
        if (octets[0] is 0 or 127 or 255)
        {
            return;
        }

        // A four-part version number has small parts; an address rarely does.
        var versionLike = octets[0] < 20 && octets[1] < 20 && octets[2] < 20 && octets[3] < 20;
        found.Add(
            new TextFinding(
                start,
                end,
                Kinds.Ip,
                HasContext(text, start, IpWords) ? 0.95
                    : versionLike ? 0.3
                    : 0.8
            )
        );
    }

    private static void IpV6(string text, List<TextFinding> found)
    {
        foreach (var match in IpV6Pattern().EnumerateMatches(text))
        {
            var span = text.AsSpan(match.Index, match.Length);
            var end = match.Index + match.Length;
            if (
                span.Count(':') >= 2
                && (match.Index == 0 || !char.IsLetterOrDigit(text[match.Index - 1]))
                && (end == text.Length || !char.IsLetterOrDigit(text[end]))
                && (span.Count(':') == 7 || (span.Contains("::", StringComparison.Ordinal) && span.Count(':') >= 3))
                && IPAddress.TryParse(span, out var address)
                && address.AddressFamily == AddressFamily.InterNetworkV6
                && !IPAddress.IsLoopback(address)
                && !address.Equals(IPAddress.IPv6Any)
            )
            {
                found.Add(new TextFinding(match.Index, end, Kinds.Ip, 0.9));
            }
        }
    }

    private static void Phones(string text, List<TextFinding> found)
    {
        foreach (var match in PhonePattern().EnumerateMatches(text))
        {
            var (start, end) = (match.Index, match.Index + match.Length);
            var span = text.AsSpan(start, match.Length);
            var digits = 0;
            foreach (var c in span)
            {
                digits += char.IsAsciiDigit(c) ? 1 : 0;
            }

            if (digits is < 7 or > 15 || !StandsAlone(text, start, end) || ShapeOf.Date(span, out _))
            {
                continue;
            }

            var context = HasContext(text, start, PhoneWords);
            var international = span[0] == '+' && digits >= 8;
            var national = NationalPhonePattern().IsMatch(span);
            if (context || international || national)
            {
                found.Add(new TextFinding(start, end, Kinds.Phone, context || international ? 0.9 : 0.7));
            }
        }
    }

    private static void BirthDates(string text, List<TextFinding> found)
    {
        foreach (var match in DatePattern().EnumerateMatches(text))
        {
            if (HasContext(text, match.Index, BirthWords))
            {
                found.Add(new TextFinding(match.Index, match.Index + match.Length, Kinds.BirthDate, 0.92));
            }
        }
    }

    // A common given name followed by capitalised words, or capitalised words after a label such as `full_name:`.
    private static void Names(string text, List<TextFinding> found)
    {
        foreach (var match in NamePattern().EnumerateMatches(text))
        {
            var span = text.AsSpan(match.Index, match.Length);
            var labelled = HasContext(text, match.Index, NameWords);
            if (labelled || GivenNames.Contains(span[..span.IndexOf(' ')]))
            {
                found.Add(
                    new TextFinding(match.Index, match.Index + match.Length, Kinds.PersonName, labelled ? 0.75 : Strong)
                );
            }
        }
    }

    // Not inside a longer number or word, and not the fraction of a decimal.
    private static bool StandsAlone(string text, int start, int end)
    {
        var before = start > 0 ? text[start - 1] : ' ';
        var after = end < text.Length ? text[end] : ' ';
        var fraction =
            (before == '.' && start > 1 && char.IsAsciiDigit(text[start - 2]))
            || (
                before == ','
                && start > 1
                && text[start - 2] == '0'
                && (start == 2 || !char.IsLetterOrDigit(text[start - 3]))
            );
        var continues = after == '.' && end + 1 < text.Length && char.IsAsciiDigit(text[end + 1]);
        return !fraction
            && !continues
            && !char.IsLetterOrDigit(before)
            && !char.IsLetterOrDigit(after)
            && before is not '_'
            && after is not '_';
    }

    private static ReadOnlySpan<char> Bare(string text, int start, int end)
    {
        var bare = new char[end - start];
        var length = 0;
        for (var i = start; i < end; i++)
        {
            if (char.IsLetterOrDigit(text[i]))
            {
                bare[length++] = text[i];
            }
        }

        return bare.AsSpan(0, length);
    }

    // Whole words among the characters before the candidate, so that "tel" does not match in "hotel".
    private static bool HasContext(string text, int start, string[] words)
    {
        var from = Math.Max(0, start - ContextLength);
        var before = text.AsSpan(from, start - from);
        foreach (var word in words)
        {
            var at = before.LastIndexOf(word, StringComparison.OrdinalIgnoreCase);
            if (
                at >= 0
                && (at == 0 || !char.IsLetter(before[at - 1]))
                && (at + word.Length == before.Length || !char.IsLetter(before[at + word.Length]))
                // Another value in between belongs to the word, not this one.
                && before[(at + word.Length)..].Count(';') == 0
                && !HasDigits(before[(at + word.Length)..])
            )
            {
                return true;
            }
        }

        return false;
    }

    private static bool HasDigits(ReadOnlySpan<char> text) => text.IndexOfAnyInRange('0', '9') >= 0;

    private static readonly string[] CpfWords = ["cpf", "contribuinte"];
    private static readonly string[] CnpjWords = ["cnpj"];
    private static readonly string[] SsnWords =
    [
        "ssn",
        "social security",
        "social security number",
        "sozialversicherung",
    ];

    private static readonly string[] CardWords =
    [
        "card",
        "card_number",
        "credit",
        "visa",
        "mastercard",
        "amex",
        "cartão",
        "cartao",
        "tarjeta",
        "karte",
        "kreditkarte",
        "carta",
        "carte",
        "paid with",
        "cc",
    ];

    private static readonly string[] VersionWords =
    [
        "v",
        "version",
        "versão",
        "versao",
        "versión",
        "versione",
        "release",
        "build",
    ];
    private static readonly string[] IpWords =
    [
        "ip",
        "client ip",
        "host",
        "addr",
        "address",
        "ipv4",
        "endereço ip",
        "from",
    ];

    private static readonly string[] PhoneWords =
    [
        "phone",
        "telephone",
        "tel",
        "tél",
        "téléphone",
        "mobile",
        "cell",
        "fax",
        "call me on",
        "call",
        "telefon",
        "handy",
        "rückruf",
        "telefone",
        "fone",
        "celular",
        "whatsapp",
        "contato",
        "teléfono",
        "telefono",
        "móvil",
        "movil",
        "cellulare",
        "numéro",
        "appelez",
    ];

    private static readonly string[] BirthWords =
    [
        "dob",
        "date of birth",
        "birth date",
        "birth_date",
        "birthdate",
        "birthday",
        "born",
        "born on",
        "data de nascimento",
        "nascimento",
        "nascido em",
        "nascida em",
        "nasc",
        "geboren",
        "geboren am",
        "geburtsdatum",
        "fecha de nacimiento",
        "nacimiento",
        "nacido el",
        "nacida el",
        "date de naissance",
        "naissance",
        "né le",
        "née le",
        "data di nascita",
        "nascita",
        "nato il",
        "nata il",
    ];

    private static readonly string[] NameWords =
    [
        "full_name",
        "full name",
        "first_name",
        "customer_name",
        "patient_name",
        "patient",
        "my name is",
        "i am called",
        "meu nome é",
        "me chamo",
        "nome",
        "paciente",
        "cliente",
        "me llamo",
        "mi nombre es",
        "nombre",
        "ich heiße",
        "mein name ist",
        "patientin",
        "je m'appelle",
        "mi chiamo",
        "paziente",
    ];

    [GeneratedRegex(
        @"(?<!\d)\d{3}(?<s>[. ])\d{3}\k<s>\d{3}[-. ]\d{2}(?!\d)",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex CpfPattern();

    [GeneratedRegex(
        @"[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-\d{2}(?!\d)",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex CnpjPattern();

    [GeneratedRegex(
        @"(?<![0-9A-Z])[0-9A-Z]{12}\d{2}(?![0-9A-Z])",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex BareCnpjPattern();

    [GeneratedRegex(
        @"(?<!\d)(?:\d{4}(?<s>[ -])\d{4}\k<s>\d{4}\k<s>\d{4}(?:\k<s>\d{3})?|3\d{3}(?<t>[ -])\d{6}\k<t>\d{4,5})(?!\d)",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex CardPattern();

    [GeneratedRegex(
        @"[A-Z]{2}\d{2}[ -]?(?:[A-Z0-9]{1,4}[ -]?){2,7}[A-Z0-9]{1,4}",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex IbanPattern();

    [GeneratedRegex(
        @"(?<![\d-])\d{3}(?<s>[- ])\d{2}\k<s>\d{4}(?![\d-])",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex SsnPattern();

    [GeneratedRegex(@"(?<!\d)\d{9,19}(?!\d)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, Timeout)]
    private static partial Regex DigitsPattern();

    [GeneratedRegex(
        @"(?<!\d)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?!\d)",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex IpV4Pattern();

    [GeneratedRegex(@"[0-9A-Fa-f:]{6,39}", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, Timeout)]
    private static partial Regex IpV6Pattern();

    // A separator or a bracket is required between groups, so that a run of digits splits in one way only.
    [GeneratedRegex(
        @"(?<![\d+])\+?\(?\d{1,15}\)?(?:[ .\-/]{0,2}\(\d{1,4}\)|[ .\-/]{1,2}\d{1,9}|(?<=\))\d{1,9}){0,6}(?!\d)",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex PhonePattern();

    [GeneratedRegex(
        @"^(?:\(\d{2,3}\) ?9?\d{3,4}-?\d{4}|\d{3}-\d{3}-\d{4}|\d{3}\.\d{3}\.\d{4}|\d{2} 9\d{4}-\d{4}|0\d(?<s>[. ])\d{2}\k<s>\d{2}\k<s>\d{2}\k<s>\d{2})$",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex NationalPhonePattern();

    [GeneratedRegex(
        @"(?<!\d)(?:(?:19|20)\d{2}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d{2}|\d{1,2}\.? (?:de |di )?\p{L}{3,10}\.? (?:de |di )?(?:19|20)\d{2}|\p{L}{3,10} \d{1,2},? (?:19|20)\d{2})(?!\d)",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex DatePattern();

    [GeneratedRegex(
        @"(?<![\p{L}\d_])\p{Lu}(?:\p{Ll}{1,19}|\.)(?: (?:d[aeo]s?|di|del|della|von|van|der|la|le))?(?: \p{Lu}[\p{L}'’]{1,19}(?:-\p{Lu}[\p{L}'’]{1,19})?){1,4}(?![\p{L}\d_])",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        Timeout
    )]
    private static partial Regex NamePattern();
}
