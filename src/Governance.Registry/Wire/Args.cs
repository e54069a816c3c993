using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Registry.Engine;
using Microsoft.AspNetCore.Http;

namespace Governance.Registry.Wire;

/// <summary>
/// A refusal on the way through a handler. Only the dispatcher catches it, so no handler can go on with an argument or a
/// right that was not there.
/// </summary>
internal sealed class RefusedException(Failure failure) : Exception(failure.Code)
{
    public Failure Failure { get; } = failure;
}

/// <summary>The typed arguments of a request: a JSON body, or the query of a GET. Unknown members are ignored.</summary>
internal sealed class Args
{
    private readonly JsonObject _body;

    private Args(JsonObject body) => _body = body;

    /// <summary>Bytes of the body that was read; 0 for a query.</summary>
    public int Bytes { get; private init; }

    public static Args Empty => new([]);

    public static Args OfQuery(IQueryCollection query)
    {
        var body = new JsonObject();
        foreach (var (name, values) in query)
        {
            // Repeated keys are MLflow's arrays.
            body[name] = values.Count == 1 ? values[0] : new JsonArray([.. values.Select(v => JsonValue.Create(v))]);
        }

        return new Args(body);
    }

    public static Result<Args> OfBody(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty)
        {
            return new Args([]);
        }

        return CanonicalJson.TryParse(utf8) is JsonObject body
            ? new Args(body) { Bytes = utf8.Length }
            : Failure.Invalid(
                "registry.bad_json",
                "The body is not a JSON object, or it has duplicate keys or is too deep."
            );
    }

    public bool Has(string name) => Node(name) is not null;

    public string Required(string name, int max = 1000)
    {
        var text = Optional(name, max);
        return string.IsNullOrEmpty(text) ? throw new RefusedException(RegistryNames.MissingParameter(name)) : text;
    }

    public string? Optional(string name, int max = 1000) =>
        Node(name) switch
        {
            null => null,
            JsonValue value when value.TryGetValue<string>(out var text) => Bounded(name, text, max),
            _ => throw Wrong(name, "a string"),
        };

    public long? Int64(string name) =>
        Node(name) switch
        {
            null => null,
            JsonValue value when Whole(value) is { } number => number,
            _ => throw Wrong(name, "an integer"),
        };

    public int Count(string name, int fallback, int least, int most)
    {
        var value = Int64(name) ?? fallback;
        return value >= least && value <= most
            ? (int)value
            : throw new RefusedException(
                Failure.Invalid(
                    "registry.bad_max_results",
                    $"Invalid value for parameter '{name}': it must be between {least} and {most}."
                )
            );
    }

    public double Double(string name) =>
        Node(name) switch
        {
            null => throw new RefusedException(RegistryNames.MissingParameter(name)),
            JsonValue value when Real(value) is { } number => number,
            _ => throw Wrong(name, "a number"),
        };

    public bool Bool(string name) =>
        Node(name) switch
        {
            null => false,
            JsonValue value when value.TryGetValue<bool>(out var flag) => flag,
            _ => throw Wrong(name, "a boolean"),
        };

    public IReadOnlyList<string> Strings(string name, int most = 1000) =>
        Node(name) switch
        {
            null => [],
            JsonArray items when items.Count <= most => [.. items.Select(item => Text(name, item))],
            JsonArray => throw Many(name, most),
            JsonValue value when value.TryGetValue<string>(out var one) => [Bounded(name, one, 10_000)],
            _ => throw Wrong(name, "a list of strings"),
        };

    public IReadOnlyList<Args> Objects(string name, int most)
    {
        return Node(name) switch
        {
            null => [],
            JsonArray items when items.Count > most => throw Many(name, most),
            JsonArray items =>
            [
                .. items.Select(item => item is JsonObject o ? new Args(o) : throw Wrong(name, "a list of objects")),
            ],
            _ => throw Wrong(name, "a list of objects"),
        };
    }

    public Args? Object(string name) =>
        Node(name) switch
        {
            null => null,
            JsonObject inner => new Args(inner),
            _ => throw Wrong(name, "an object"),
        };

    /// <summary>Any JSON value, as a copy; null when it is absent or null.</summary>
    public JsonNode? Any(string name, int max)
    {
        if (Node(name) is not { } node)
        {
            return null;
        }

        try
        {
            var copy = node.DeepClone();
            Bounded(name, copy.ToJsonString(), max);
            return copy;
        }
        catch (ArgumentException)
        {
            throw Wrong(name, "given once");
        }
    }

    /// <summary>Key and value lists of tags and params; the last of one key wins.</summary>
    public IReadOnlyList<(string Key, string Value)> Labels(string name, int most, int maxValue) =>
        Labels(name, most, maxValue, item => item.LabelKey());

    /// <summary>The same where MLflow checks the keys: see <see cref="Key"/>.</summary>
    public IReadOnlyList<(string Key, string Value)> Keyed(string name, int most, int maxValue) =>
        Labels(name, most, maxValue, item => item.Key());

    private (string Key, string Value)[] Labels(string name, int most, int maxValue, Func<Args, string> key) =>
        [
            .. Objects(name, most)
                .Select(item => (Key: key(item), Value: item.Optional("value", maxValue) ?? ""))
                .GroupBy(item => item.Key, StringComparer.Ordinal)
                .Select(group => group.Last()),
        ];

    /// <summary>An object of texts, as newer clients send tags and metadata.</summary>
    public IReadOnlyList<(string Key, string Value)> Texts(string name, int most, int maxValue)
    {
        if (Object(name) is not { } map)
        {
            return [];
        }

        var keys = map._body.Select(member => member.Key).ToList();
        return keys.Count > most
            ? throw Many(name, most)
            :
            [
                .. keys.Select(key =>
                    key.Length is > 0 and <= 250 && RegistryNames.IsPlainText(key)
                        ? (key, map.Optional(key, maxValue) ?? "")
                        : throw Wrong(name, "keys of 1 to 250 visible characters")
                ),
            ];
    }

    public string LabelKey()
    {
        var key = Required("key", 250);
        return RegistryNames.IsPlainText(key)
            ? key
            : throw Wrong("key", "text without control, invisible or combining characters");
    }

    /// <summary>The key of a metric, param or tag that is logged or set, by MLflow's rule for these.</summary>
    public string Key()
    {
        var key = LabelKey();
        return RegistryNames.CheckKey(key) is { } bad ? throw new RefusedException(bad) : key;
    }

    private static long? Whole(JsonValue value) =>
        value.GetValueKind() switch
        {
            JsonValueKind.Number when value.TryGetValue<long>(out var number) => number,
            JsonValueKind.Number
                when value.TryGetValue<double>(out var real) && real == Math.Floor(real) && Math.Abs(real) < 1L << 53 =>
                (long)real,
            JsonValueKind.String
                when long.TryParse(
                    value.GetValue<string>(),
                    NumberStyles.AllowLeadingSign,
                    CultureInfo.InvariantCulture,
                    out var parsed
                ) => parsed,
            _ => null,
        };

    private static double? Real(JsonValue value) =>
        value.GetValueKind() switch
        {
            JsonValueKind.Number => value.GetValue<double>(),
            JsonValueKind.String => value.GetValue<string>() switch
            {
                "NaN" => double.NaN,
                "Infinity" => double.PositiveInfinity,
                "-Infinity" => double.NegativeInfinity,
                var text
                    when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                        && double.IsFinite(number) => number,
                _ => null,
            },
            _ => null,
        };

    private static string Text(string name, JsonNode? item) =>
        item is JsonValue value && value.TryGetValue<string>(out var text)
            ? Bounded(name, text, 10_000)
            : throw Wrong(name, "a list of strings");

    private static string Bounded(string name, string text, int max)
    {
        if (text.Length > max)
        {
            throw new RefusedException(
                Failure.Invalid(
                    "registry.too_long",
                    $"Invalid value for parameter '{name}': it is longer than {max} characters."
                )
            );
        }

        // A NUL or half a surrogate pair cannot be stored faithfully by every database.
        for (var i = 0; i < text.Length; i++)
        {
            if (
                text[i] == '\0'
                || (char.IsSurrogate(text[i]) && (i + 1 >= text.Length || !char.IsSurrogatePair(text, i++)))
            )
            {
                throw Wrong(name, "well-formed text");
            }
        }

        return text;
    }

    private JsonNode? Node(string name)
    {
        try
        {
            return _body[name];
        }
        catch (ArgumentException)
        {
            // JsonObject builds its index lazily and reports duplicate keys only then.
            throw Wrong(name, "given once");
        }
    }

    private static RefusedException Wrong(string name, string expected) =>
        new(
            Failure.Invalid(
                "registry.bad_parameter",
                $"Invalid value for parameter '{name}' supplied: expected {expected}."
            )
        );

    private static RefusedException Many(string name, int most) =>
        new(
            Failure.Invalid(
                "registry.too_many",
                $"Invalid value for parameter '{name}': it has more than {most} items."
            )
        );
}
