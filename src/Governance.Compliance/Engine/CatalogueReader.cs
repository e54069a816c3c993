using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Governance.Kernel;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Governance.Compliance.Engine;

/// <summary>
/// Reads a catalogue strictly: a closed vocabulary, no anchors, tags, aliases or duplicate keys. Everything else is an error
/// with line and column, and start-up fails.
/// </summary>
internal sealed partial class CatalogueReader
{
    private const int MaxBytes = 1 << 20;
    private static readonly string[] TopKeys = ["regulation", "title", "version", "valid-from", "sources", "controls"];
    private static readonly string[] ControlKeys = ["id", "article", "requirement", "source", "evaluator"];
    private readonly string _file;
    private readonly Parser _parser;

    private CatalogueReader(string file, string text)
    {
        _file = file;
        _parser = new Parser(new StringReader(text));
    }

    /// <summary>Reads one file; throws <see cref="CatalogueException"/>.</summary>
    public static Catalogue Read(string file, byte[] utf8)
    {
        if (utf8.Length > MaxBytes)
        {
            throw new CatalogueException(file, 1, 1, "The file is larger than 1 MiB.");
        }

        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(utf8);
        }
        catch (DecoderFallbackException)
        {
            throw new CatalogueException(file, 1, 1, "The file isn't UTF-8.");
        }

        try
        {
            return new CatalogueReader(file, text).Document(Digest.Of(utf8));
        }
        catch (YamlException error)
        {
            throw new CatalogueException(file, error.Start.Line, error.Start.Column, "Not YAML: " + error.Message);
        }
    }

    private Catalogue Document(Digest digest)
    {
        _parser.Consume<StreamStart>();
        _parser.Consume<DocumentStart>();
        var controls = new List<Control>();
        var sources = new Dictionary<string, string>(StringComparer.Ordinal);
        var words = new Dictionary<string, Scalar>(StringComparer.Ordinal);
        Mapping(
            [.. TopKeys, "valid-until"],
            TopKeys,
            (key, at) =>
            {
                switch (key)
                {
                    case "sources":
                        Mapping(null, [], (name, _) => sources.Add(name, Word().Value));
                        break;
                    case "controls":
                        Sequence(() => controls.Add(ReadControl(controls, sources)));
                        break;
                    default:
                        words.Add(key, Word());
                        break;
                }
            }
        );
        if (!_parser.Accept<DocumentEnd>(out _))
        {
            throw Error(_parser.Current!, "Something follows the catalogue.");
        }

        _parser.MoveNext();
        if (!_parser.Accept<StreamEnd>(out _))
        {
            throw Error(_parser.Current!, "A catalogue is one YAML document.");
        }

        if (controls.Count == 0)
        {
            throw Error(words["regulation"], "The catalogue has no controls.");
        }

        return new Catalogue
        {
            Regulation = RegulationName().IsMatch(words["regulation"].Value)
                ? words["regulation"].Value
                : throw Error(words["regulation"], "A regulation is named by lower-case letters, digits and hyphens."),
            Title = words["title"].Value,
            Version =
                int.TryParse(words["version"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var version)
                && version > 0
                    ? version
                    : throw Error(words["version"], "The version is a number from 1."),
            ValidFrom = Day(words["valid-from"]),
            ValidUntil = words.TryGetValue("valid-until", out var until) ? Day(until) : null,
            Sources = sources,
            Controls = controls,
            Digest = digest,
        };
    }

    private Control ReadControl(List<Control> before, Dictionary<string, string> sources)
    {
        var words = new Dictionary<string, Scalar>(StringComparer.Ordinal);
        Mapping([.. ControlKeys, "identifiers", "missing"], ControlKeys, (key, _) => words.Add(key, Word()));
        if (before.Any(control => control.Id == words["id"].Value))
        {
            throw Error(words["id"], $"The control {words["id"].Value} stands twice.");
        }

        if (!sources.ContainsKey(words["source"].Value))
        {
            throw Error(words["source"], $"The source {words["source"].Value} isn't listed above under sources.");
        }

        if (!Evaluators.ByName.ContainsKey(words["evaluator"].Value))
        {
            throw Error(words["evaluator"], $"There is no evaluator {words["evaluator"].Value}.");
        }

        var identifiers = Parameter(words, "identifiers", Evaluators.IdentifierAbsent);
        if (identifiers.Length > 0 && !IdentifierClasses.ByKey.ContainsKey(identifiers))
        {
            throw Error(words["identifiers"], $"There is no class of identifiers {identifiers}.");
        }

        return new Control(
            words["id"].Value,
            words["article"].Value,
            words["requirement"].Value,
            words["source"].Value,
            words["evaluator"].Value,
            identifiers,
            Parameter(words, "missing", Evaluators.None)
        );
    }

    private string Parameter(Dictionary<string, Scalar> words, string key, string evaluator)
    {
        var wanted = words["evaluator"].Value == evaluator;
        var given = words.TryGetValue(key, out var word);
        return wanted == given
            ? word?.Value ?? ""
            : throw Error(
                word ?? words["evaluator"],
                wanted ? $"The evaluator {evaluator} needs {key}." : $"Only the evaluator {evaluator} takes {key}."
            );
    }

    private void Mapping(IReadOnlyList<string>? allowed, IReadOnlyList<string> required, Action<string, Scalar> read)
    {
        if (!_parser.TryConsume<MappingStart>(out var start))
        {
            throw Error(_parser.Current!, "A mapping is expected here.");
        }

        RefuseAnchor(start);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var key = Word();
            if (allowed is not null && !allowed.Contains(key.Value))
            {
                throw Error(key, $"{key.Value} isn't known here.");
            }

            if (!seen.Add(key.Value))
            {
                throw Error(key, $"{key.Value} stands twice.");
            }

            read(key.Value, key);
        }

        var missing = required.FirstOrDefault(key => !seen.Contains(key));
        if (missing is not null)
        {
            throw Error(start, $"{missing} is missing.");
        }
    }

    private void Sequence(Action read)
    {
        if (!_parser.TryConsume<SequenceStart>(out var start))
        {
            throw Error(_parser.Current!, "A list is expected here.");
        }

        RefuseAnchor(start);
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            read();
        }
    }

    private Scalar Word()
    {
        if (!_parser.TryConsume<Scalar>(out var word))
        {
            throw Error(_parser.Current!, "Text is expected here.");
        }

        RefuseAnchor(word);
        return string.IsNullOrWhiteSpace(word.Value) ? throw Error(word, "The text is empty.") : word;
    }

    private void RefuseAnchor(NodeEvent node)
    {
        if (!node.Anchor.IsEmpty || !node.Tag.IsEmpty)
        {
            throw Error(node, "Anchors and tags are not read.");
        }
    }

    private DateOnly Day(Scalar word) =>
        DateOnly.TryParseExact(word.Value, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
            ? day
            : throw Error(word, "A day is written as 2018-05-25.");

    private CatalogueException Error(ParsingEvent at, string message) =>
        new(_file, at.Start.Line, at.Start.Column, message);

    [GeneratedRegex("^[a-z][a-z0-9-]{0,31}$", RegexOptions.NonBacktracking)]
    private static partial Regex RegulationName();
}
