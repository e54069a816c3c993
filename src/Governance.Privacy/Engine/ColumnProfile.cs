using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using Governance.Privacy.Contracts;

namespace Governance.Privacy.Engine;

/// <summary>Counts of one identifier kind in one column.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct KindTally
{
    /// <summary>Values that are one, as a whole, by format or context.</summary>
    public long Whole;

    /// <summary>Values with one somewhere inside.</summary>
    public long Embedded;

    /// <summary>Bare numbers whose check digit passed.</summary>
    public long Weak;

    /// <summary>Bare or formatted numbers whose check digit was tried.</summary>
    public long Tried;
}

/// <summary>Everything that is counted about one column in one pass over every row. Holds values only while it counts.</summary>
internal sealed class ColumnProfile(string name, PrivacyPolicy policy)
{
    private static readonly SearchValues<char> PhoneChars = SearchValues.Create("0123456789+-() ./");
    private const int UniqueCap = 1 << 20;

    private readonly long[] _shapes = new long[Enum.GetValues<Shape>().Length];
    private readonly KindTally[] _kinds = new KindTally[Kinds.Detected.Length];
    private readonly List<TextFinding> _found = [];
    private readonly Dictionary<string, long> _categories = new(StringComparer.Ordinal);
    private readonly HashSet<long> _numbers = [];
    private long? _previous;
    private long? _step;

    /// <summary>Column name.</summary>
    public string Name { get; } = name;

    /// <summary>Rows looked at.</summary>
    public long Rows { get; private set; }

    /// <summary>Values that are there.</summary>
    public long Present => Rows - Of(Shape.Missing);

    /// <summary>Values of four words or more.</summary>
    public long Sentences { get; private set; }

    /// <summary>Values of two to five capitalised words.</summary>
    public long NameShaped { get; private set; }

    /// <summary>Those that begin with a common given name.</summary>
    public long GivenNamed { get; private set; }

    /// <summary>Whole numbers that are years.</summary>
    public long Years { get; private set; }

    /// <summary>Values of seven to fifteen digits and phone punctuation.</summary>
    public long PhoneDigits { get; private set; }

    /// <summary>Values of nine digits that could be an issued social security number.</summary>
    public long SsnDigits { get; private set; }

    /// <summary>Whole numbers that are a person number once their lost leading zeros are put back.</summary>
    public long PaddedCpf { get; private set; }

    /// <summary>Decimals with at most two places.</summary>
    public long FewPlaces { get; private set; }

    /// <summary>Addresses whose last part was set to zero or left out.</summary>
    public long TruncatedIps { get; private set; }

    /// <summary>Longest value in characters.</summary>
    public int Longest { get; private set; }

    /// <summary>First and last calendar year of dates.</summary>
    public (int First, int Last) YearRange { get; private set; } = (int.MaxValue, int.MinValue);

    /// <summary>Distinct values with counts, or null when there are more than the policy's categories.</summary>
    public IReadOnlyDictionary<string, long>? Categories => Overflowed ? null : _categories;

    /// <summary>Whether the column has more distinct values than a category may have.</summary>
    public bool Overflowed { get; private set; }

    /// <summary>Whether whole numbers go up or down by one constant step: a row number.</summary>
    public bool IsSequence => Rows > 2 && _step is not null and not 0 && Of(Shape.Whole) == Rows;

    /// <summary>Whether at least 95 % of whole numbers are distinct, among the first million.</summary>
    public bool WholeNumbersUnique => _numbers.Count >= 0.95 * Math.Min(Of(Shape.Whole), UniqueCap);

    /// <summary>Values of a form.</summary>
    public long Of(Shape shape) => _shapes[(int)shape];

    /// <summary>Counts of a kind.</summary>
    public KindTally Tally(string kind) => _kinds[Array.IndexOf(Kinds.Detected, kind)];

    /// <summary>Counts one value.</summary>
    public void Observe(ReadOnlySpan<char> raw)
    {
        var value = ShapeOf.WithoutZeroFraction(raw.Trim());
        Rows++;
        var shape = ShapeOf.Value(value);
        _shapes[(int)shape]++;
        Longest = Math.Max(Longest, value.Length);
        CountCategory(value);
        switch (shape)
        {
            case Shape.Missing:
                return;
            case Shape.Whole:
                CountWhole(value);
                break;
            case Shape.Decimal:
                CountDecimal(value);
                return;
            case Shape.Date:
                ShapeOf.Date(value, out var year);
                YearRange = (Math.Min(YearRange.First, year), Math.Max(YearRange.Last, year));
                break;
            case Shape.Words:
                CountWords(value);
                break;
            case Shape.Band:
                CountBand(value);
                return;
            case Shape.HexHash or Shape.Uuid or Shape.Base64 or Shape.Token or Shape.PasswordHash:
                // Opaque runs hold digits by chance; nothing in them is a format of its own.
                return;
            default:
                break;
        }

        CountPhone(value);
        Detect(value);
    }

    private void CountCategory(ReadOnlySpan<char> value)
    {
        if (Overflowed)
        {
            return;
        }

        var known = _categories.GetAlternateLookup<ReadOnlySpan<char>>();
        if (known.TryGetValue(value, out var count))
        {
            known[value] = count + 1;
        }
        else if (_categories.Count > policy.MaxCategories)
        {
            Overflowed = true;
            _categories.Clear();
        }
        else
        {
            known[value] = 1;
        }
    }

    private void CountWhole(ReadOnlySpan<char> value)
    {
        Years += ShapeOf.IsYear(value) ? 1 : 0;
        if (!long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number))
        {
            _step = 0;
            return;
        }

        if (_numbers.Count < UniqueCap)
        {
            _numbers.Add(number);
        }

        if (_previous is { } previous)
        {
            var step = unchecked(number - previous);
            _step = _step is null || _step == step ? step : 0;
        }

        _previous = number;
        CountDocument(value);
    }

    private void CountDecimal(ReadOnlySpan<char> value)
    {
        var point = value.IndexOfAny('.', ',');
        FewPlaces += point < 0 || value.Length - point - 1 <= 2 ? 1 : 0;
    }

    private void CountWords(ReadOnlySpan<char> value)
    {
        var words = 0;
        var capitalised = true;
        foreach (var range in value.Split(' '))
        {
            var word = value[range];
            if (word.IsEmpty)
            {
                continue;
            }

            words++;
            capitalised &=
                (char.IsUpper(word[0]) && word.IndexOfAnyInRange('0', '9') < 0)
                || word is "da" or "de" or "do" or "dos" or "das" or "di" or "del" or "von" or "van" or "la";
        }

        Sentences += words >= 4 ? 1 : 0;
        if (capitalised && words is >= 2 and <= 6)
        {
            NameShaped++;
            GivenNamed += GivenNames.Contains(value[..value.IndexOf(' ')]) ? 1 : 0;
        }
    }

    // A narrow band of a number is that number: each end is looked at as a value of its own.
    private void CountBand(ReadOnlySpan<char> value)
    {
        if (CountPhone(value) | Detect(value))
        {
            return;
        }

        foreach (var range in value.SplitAny('-', '–', ',', ';'))
        {
            var end = value[range].Trim("[]() ");
            if (CountPhone(end) | Detect(end) | CountDocument(end))
            {
                return;
            }
        }
    }

    private bool CountDocument(ReadOnlySpan<char> value)
    {
        var cpf = value.Length is >= 8 and <= 10 && CheckDigits.Cpf(value.ToString().PadLeft(11, '0'));
        var ssn = value.Length == 9 && CheckDigits.Ssn(value);
        PaddedCpf += cpf ? 1 : 0;
        SsnDigits += ssn ? 1 : 0;
        return cpf || ssn;
    }

    private bool CountPhone(ReadOnlySpan<char> value)
    {
        if (value.Length is < 7 or > 24 || value.ContainsAnyExcept(PhoneChars))
        {
            return false;
        }

        var digits = 0;
        foreach (var c in value)
        {
            digits += char.IsAsciiDigit(c) ? 1 : 0;
        }

        var isPhone = digits is >= 7 and <= 15;
        PhoneDigits += isPhone ? 1 : 0;
        return isPhone;
    }

    private bool Detect(ReadOnlySpan<char> value)
    {
        if (!WorthDetecting(value))
        {
            return false;
        }

        var any = false;
        _found.Clear();
        TextDetector.Scan(value.ToString(), _found);
        foreach (var span in _found)
        {
            ref var tally = ref _kinds[Array.IndexOf(Kinds.Detected, span.Kind)];
            var whole = span.End - span.Start == value.Length;
            any |= span.Score > 0;
            tally.Tried += span.Kind is Kinds.Cpf or Kinds.Cnpj or Kinds.Card or Kinds.Iban or Kinds.Ssn ? 1 : 0;
            if (span.Score >= TextDetector.Strong)
            {
                TruncatedIps += span.Kind == Kinds.Ip && whole && value.EndsWith(".0") ? 1 : 0;
                tally.Whole += whole ? 1 : 0;
                tally.Embedded += whole ? 0 : 1;
            }
            else if (span.Score > 0)
            {
                tally.Weak++;
            }
        }

        return any;
    }

    // Nothing shorter or plainer than this can be an identifier with a format.
    private static bool WorthDetecting(ReadOnlySpan<char> value)
    {
        var digits = 0;
        var dots = 0;
        foreach (var c in value)
        {
            if (c is '@' or ':' or ' ')
            {
                return true;
            }

            digits += char.IsAsciiDigit(c) ? 1 : 0;
            dots += c == '.' ? 1 : 0;
        }

        return digits >= 7 || (dots == 3 && digits >= 4);
    }
}
