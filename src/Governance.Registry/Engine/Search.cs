using System.Globalization;
using Governance.Kernel;

namespace Governance.Registry.Engine;

internal enum SearchEntity
{
    Attribute,
    Tag,
    Param,
    Metric,
    Dataset,
    Metadata,
}

internal enum SearchOp
{
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Like,
    ILike,
    In,
    NotIn,
}

/// <summary>What may be searched and sorted by on one route.</summary>
internal sealed record SearchVocabulary(
    IReadOnlyList<string> Texts,
    IReadOnlyList<string> Numbers,
    IReadOnlyList<string> Sorts,
    IReadOnlyList<SearchEntity> Entities
)
{
    private static readonly string[] DatasetKeys = ["name", "digest", "context"];

    /// <summary>Attributes that compare with IN.</summary>
    public IReadOnlyList<string> Listed { get; init; } = [];

    /// <summary>Whether what compares with IN compares with NOT IN too.</summary>
    public bool ListsExclude { get; init; }

    /// <summary>Other names of attributes.</summary>
    public IReadOnlyDictionary<string, string> Synonyms { get; init; } = new Dictionary<string, string>();

    public bool Lists(SearchKey key, SearchOp op) =>
        (key.Entity == SearchEntity.Dataset || (key.Entity == SearchEntity.Attribute && Listed.Contains(key.Name)))
        && (op == SearchOp.In || ListsExclude);

    public bool Knows(SearchKey key) =>
        key.Entity switch
        {
            SearchEntity.Attribute => Texts.Contains(key.Name) || Numbers.Contains(key.Name),
            SearchEntity.Dataset => Entities.Contains(key.Entity) && DatasetKeys.Contains(key.Name),
            _ => Entities.Contains(key.Entity),
        };

    public bool IsNumeric(SearchKey key) =>
        key.Entity == SearchEntity.Metric || (key.Entity == SearchEntity.Attribute && Numbers.Contains(key.Name));

    public Failure UnknownKey(SearchKey key) =>
        Failure.Invalid(
            "registry.bad_search_key",
            key.Entity == SearchEntity.Attribute
                ? $"Invalid attribute key '{RegistryNames.Quote(key.Name)}' specified. Valid keys are "
                    + $"'{{{string.Join(", ", Texts.Concat(Numbers).Select(name => $"'{name}'"))}}}'"
                : $"Invalid {key.Entity} key '{RegistryNames.Quote(key.Name)}' specified."
        );
}

/// <summary>A key: entity and name.</summary>
internal sealed record SearchKey(SearchEntity Entity, string Name);

/// <summary>One comparison of a filter.</summary>
internal sealed record Comparison(SearchKey Key, SearchOp Op, string Text, double Number, IReadOnlyList<string> List)
{
    public bool Matches(string? value, bool absentDiffers) =>
        value is null
            ? absentDiffers && Op is SearchOp.NotEqual or SearchOp.NotIn
            : Op switch
            {
                SearchOp.Equal => value == Text,
                SearchOp.NotEqual => value != Text,
                SearchOp.Like => LikePattern.Matches(Text, value, ignoreCase: false),
                SearchOp.ILike => LikePattern.Matches(Text, value, ignoreCase: true),
                SearchOp.In => List.Contains(value),
                SearchOp.NotIn => !List.Contains(value),
                _ => false,
            };

    public bool Matches(double? value) =>
        value is { } number
        && Op switch
        {
            SearchOp.Equal => number == Number,
            SearchOp.NotEqual => number != Number,
            SearchOp.Greater => number > Number,
            SearchOp.GreaterOrEqual => number >= Number,
            SearchOp.Less => number < Number,
            SearchOp.LessOrEqual => number <= Number,
            _ => false,
        };
}

/// <summary>SQL's LIKE: <c>%</c> any run, <c>_</c> one character; linear in pattern × text, no regular expression.</summary>
internal static class LikePattern
{
    public static bool Matches(string pattern, string text, bool ignoreCase)
    {
        int p = 0,
            t = 0,
            star = -1,
            mark = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '%')
            {
                star = p++;
                mark = t;
            }
            else if (p < pattern.Length && (pattern[p] == '_' || Same(pattern[p], text[t], ignoreCase)))
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++mark;
            }
            else
            {
                return false;
            }
        }

        return pattern.AsSpan(p).IndexOfAnyExcept('%') < 0;
    }

    private static bool Same(char a, char b, bool ignoreCase) =>
        a == b || (ignoreCase && char.ToUpperInvariant(a) == char.ToUpperInvariant(b));
}

/// <summary>One sort key.</summary>
internal sealed record SortKey(SearchKey Key, bool Descending);

/// <summary>Parses MLflow's filter and order_by texts: comparisons joined by AND, nothing else.</summary>
internal static class Search
{
    private const int MaxLength = 10_000;
    private const int MaxComparisons = 50;
    private const int MaxListed = 1000;

    /// <summary>Whether what lacks a tag differs from every value: only where clients ask so for what is no prompt.</summary>
    public static bool AbsentDiffers(SearchKey key) => key == new SearchKey(SearchEntity.Tag, RegistryNames.PromptTag);

    public static Result<IReadOnlyList<Comparison>> ParseFilter(string? filter, SearchVocabulary vocabulary)
    {
        if (string.IsNullOrWhiteSpace(filter))
        {
            return Array.Empty<Comparison>();
        }

        if (filter.Length > MaxLength)
        {
            return Bad("it is too long");
        }

        var reader = new FilterReader(filter);
        var comparisons = new List<Comparison>();
        do
        {
            var comparison = ReadComparison(reader, vocabulary);
            if (!comparison.Ok)
            {
                return comparison.Failure;
            }

            comparisons.Add(comparison.Value);
        } while (comparisons.Count < MaxComparisons && reader.TakeWord("AND"));

        return reader.AtEnd ? comparisons : Bad("expected AND between comparisons");
    }

    public static Result<IReadOnlyList<SortKey>> ParseOrder(IEnumerable<string> orderBy, SearchVocabulary vocabulary)
    {
        var keys = new List<SortKey>();
        foreach (var text in orderBy.Take(10))
        {
            var reader = new FilterReader(text.Length > 1000 ? "" : text);
            if (ReadKey(reader, vocabulary) is not { } key)
            {
                return Failure.Invalid(
                    "registry.bad_order_by",
                    $"Invalid order_by clause '{RegistryNames.Quote(text)}'."
                );
            }

            var descending = reader.TakeWord("DESC");
            if (!descending)
            {
                reader.TakeWord("ASC");
            }

            var sortable =
                key.Entity is SearchEntity.Attribute
                    ? vocabulary.Sorts.Contains(key.Name)
                    : key.Entity is not SearchEntity.Dataset && vocabulary.Entities.Contains(key.Entity);
            if (!reader.AtEnd || !sortable)
            {
                return Failure.Invalid(
                    "registry.bad_order_by",
                    $"Invalid order_by clause '{RegistryNames.Quote(text)}'. Valid keys are "
                        + $"{string.Join(", ", vocabulary.Sorts)}, each with ASC or DESC."
                );
            }

            keys.Add(new SortKey(key, descending));
        }

        return keys;
    }

    private static Result<Comparison> ReadComparison(FilterReader reader, SearchVocabulary vocabulary)
    {
        if (ReadKey(reader, vocabulary) is not { } key)
        {
            return Bad("expected a key");
        }

        if (!vocabulary.Knows(key))
        {
            return vocabulary.UnknownKey(key);
        }

        if (reader.TakeOperator() is not { } op)
        {
            return Bad("expected a comparison operator");
        }

        if (op is SearchOp.In or SearchOp.NotIn)
        {
            if (!vocabulary.Lists(key, op))
            {
                return Bad($"'{RegistryNames.Quote(key.Name)}' does not compare with a list here");
            }

            return reader.TakeList(MaxListed) is { } list
                ? new Comparison(key, op, "", 0, list)
                : Bad("expected a list of quoted strings");
        }

        return vocabulary.IsNumeric(key) ? ReadNumber(reader, key, op) : ReadText(reader, key, op);
    }

    private static Result<Comparison> ReadNumber(FilterReader reader, SearchKey key, SearchOp op) =>
        op is not (SearchOp.Like or SearchOp.ILike)
        && double.TryParse(reader.TakeBare(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            ? new Comparison(key, op, "", number, [])
            : Bad($"'{RegistryNames.Quote(key.Name)}' compares with a number");

    private static Result<Comparison> ReadText(FilterReader reader, SearchKey key, SearchOp op) =>
        op is SearchOp.Equal or SearchOp.NotEqual or SearchOp.Like or SearchOp.ILike && reader.TakeQuoted() is { } text
            ? new Comparison(key, op, text, 0, [])
            : Bad($"'{RegistryNames.Quote(key.Name)}' compares with a quoted string by =, !=, LIKE or ILIKE");

    private static SearchKey? ReadKey(FilterReader reader, SearchVocabulary vocabulary)
    {
        if (reader.TakeIdentifier() is not { Length: > 0 } first)
        {
            return null;
        }

        if (!reader.TakeDot())
        {
            return Attribute(first);
        }

        SearchEntity? entity = first.ToLowerInvariant() switch
        {
            "attribute" or "attributes" or "attr" or "run" or "trace" => SearchEntity.Attribute,
            "metadata" or "request_metadata" => SearchEntity.Metadata,
            "tag" or "tags" => SearchEntity.Tag,
            "param" or "params" or "parameter" or "parameters" => SearchEntity.Param,
            "metric" or "metrics" => SearchEntity.Metric,
            "dataset" or "datasets" => SearchEntity.Dataset,
            _ => null,
        };
        var name = reader.TakeDottedName();
        return entity is null || name is not { Length: > 0 } ? null
            : entity == SearchEntity.Attribute ? Attribute(name)
            : new SearchKey(entity.Value, name);

        SearchKey Attribute(string text) =>
            new(SearchEntity.Attribute, vocabulary.Synonyms.GetValueOrDefault(text, text));
    }

    private static Failure Bad(string why) =>
        Failure.Invalid("registry.bad_filter", $"Invalid clause(s) in filter string: {why}.");
}

/// <summary>A cursor over a filter text.</summary>
internal sealed class FilterReader(string text)
{
    private static readonly (string Symbol, SearchOp Op)[] Symbols =
    [
        ("!=", SearchOp.NotEqual),
        (">=", SearchOp.GreaterOrEqual),
        ("<=", SearchOp.LessOrEqual),
        ("=", SearchOp.Equal),
        (">", SearchOp.Greater),
        ("<", SearchOp.Less),
    ];

    private int _at;

    public bool AtEnd
    {
        get
        {
            SkipSpace();
            return _at == text.Length;
        }
    }

    public bool TakeWord(string word)
    {
        SkipSpace();
        var end = _at + word.Length;
        if (
            end > text.Length
            || !text.AsSpan(_at, word.Length).Equals(word, StringComparison.OrdinalIgnoreCase)
            || (end < text.Length && IsBare(text[end]))
        )
        {
            return false;
        }

        _at = end;
        return true;
    }

    public bool TakeDot()
    {
        if (_at < text.Length && text[_at] == '.')
        {
            _at++;
            return true;
        }

        return false;
    }

    /// <summary>A bare word without dots, or a back-ticked or double-quoted identifier.</summary>
    public string? TakeIdentifier()
    {
        SkipSpace();
        return _at < text.Length && text[_at] is '`' or '"'
            ? TakeUntil(text[_at])
            : TakeWhile(c => IsBare(c) && c != '.');
    }

    /// <summary>The name after the first dot; may hold dots and slashes, or anything when quoted.</summary>
    public string? TakeDottedName() =>
        _at < text.Length && text[_at] is '`' or '"' ? TakeUntil(text[_at]) : TakeWhile(IsBare);

    public SearchOp? TakeOperator()
    {
        SkipSpace();
        foreach (var (symbol, op) in Symbols)
        {
            if (text.AsSpan(_at).StartsWith(symbol, StringComparison.Ordinal))
            {
                _at += symbol.Length;
                return op;
            }
        }

        return TakeWord("LIKE") ? SearchOp.Like
            : TakeWord("ILIKE") ? SearchOp.ILike
            : TakeWord("IN") ? SearchOp.In
            : TakeWord("NOT") && TakeWord("IN") ? SearchOp.NotIn
            : null;
    }

    public string? TakeQuoted()
    {
        SkipSpace();
        return _at < text.Length && text[_at] is '\'' or '"' ? TakeUntil(text[_at]) : null;
    }

    public string TakeBare()
    {
        SkipSpace();
        return TakeWhile(c => IsBare(c) || c == '+') ?? "";
    }

    public IReadOnlyList<string>? TakeList(int most)
    {
        SkipSpace();
        if (_at >= text.Length || text[_at++] != '(')
        {
            return null;
        }

        var items = new List<string>();
        while (items.Count < most && TakeQuoted() is { } item)
        {
            items.Add(item);
            SkipSpace();
            if (_at < text.Length && text[_at] == ',')
            {
                _at++;
                continue;
            }

            return _at < text.Length && text[_at++] == ')' ? items : null;
        }

        return null;
    }

    private static bool IsBare(char c) => char.IsLetterOrDigit(c) || c is '_' or '-' or '.' or '/' or ':';

    private string? TakeUntil(char quote)
    {
        var end = text.IndexOf(quote, _at + 1);
        if (end < 0)
        {
            return null;
        }

        var inside = text[(_at + 1)..end];
        _at = end + 1;
        return inside;
    }

    private string? TakeWhile(Func<char, bool> belongs)
    {
        var start = _at;
        while (_at < text.Length && belongs(text[_at]))
        {
            _at++;
        }

        return _at == start ? null : text[start.._at];
    }

    private void SkipSpace()
    {
        while (_at < text.Length && char.IsWhiteSpace(text[_at]))
        {
            _at++;
        }
    }
}
