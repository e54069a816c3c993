using System.Globalization;
using System.Text;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Governance.Policy.Engine;

/// <summary>Words of a policy text: whatever is unknown, doubled or misplaced is refused with line and column.</summary>
internal static class PolicyYaml
{
    private const int MaxCharacters = 256 * 1024;
    private const int MaxWord = 200;
    private const string Self = "";

    public static YamlNode Document(string text)
    {
        if (text.Length > MaxCharacters)
        {
            throw new PolicySyntaxException(1, 1, $"the policy is longer than {MaxCharacters} characters.");
        }

        var parser = new Parser(new StringReader(text));
        try
        {
            var stream = new YamlStream();
            stream.Load(new AnchorRefusingParser(parser));
            return stream.Documents.Count == 1
                ? stream.Documents[0].RootNode
                : throw new PolicySyntaxException(1, 1, "write exactly one YAML document.");
        }
        catch (YamlException exception)
        {
            throw new PolicySyntaxException(exception.Start.Line, exception.Start.Column, exception.Message);
        }
        catch (ArgumentOutOfRangeException)
        {
            // The library makes a character of \UFFFFFFFF without a look.
            var (line, column) = parser.Current is { } last ? (last.End.Line, last.End.Column) : (1, 1);
            throw new PolicySyntaxException(line, column, "an escape here names no character.");
        }
    }

    public static List<string> Words(YamlNode node, string[]? allowed) =>
        [.. Sequence(node).Select(item => Text(item, allowed))];

    public static IList<YamlNode> Sequence(YamlNode node) =>
        node is YamlSequenceNode sequence ? sequence.Children : throw At(node, "write a list: [a, b].");

    public static YamlMappingNode Mapping(YamlNode node, string what) =>
        node as YamlMappingNode ?? throw At(node, $"{what} must be a mapping of names to values.");

    public static Dictionary<string, YamlNode> Map(YamlNode node, string what, string[] allowed)
    {
        var map = new Dictionary<string, YamlNode>(StringComparer.Ordinal);
        foreach (var (key, value) in Mapping(node, what).Children)
        {
            map.Add(Text(key, allowed), value);
        }

        map[Self] = node;
        return map;
    }

    public static YamlNode Required(Dictionary<string, YamlNode> map, string key) =>
        map.TryGetValue(key, out var value) ? value : throw At(map[Self], $"'{key}' is missing.");

    public static string Text(YamlNode node, string[]? allowed)
    {
        if (node is not YamlScalarNode { Value: { Length: > 0 and <= MaxWord } text })
        {
            throw At(node, "write a word here.");
        }

        return allowed is null || allowed.Contains(text)
            ? text
            : throw At(node, $"'{text}' is not known here; write one of: {string.Join(", ", allowed)}.");
    }

    /// <summary>A block of text: a key or a file inside the policy.</summary>
    public static string Block(YamlNode node) =>
        node is YamlScalarNode { Value: { Length: > 0 } text } ? text : throw At(node, "write a block of text here.");

    public static long Number(YamlNode node, long least, long most) =>
        long.TryParse(Text(node, null), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && number >= least
        && number <= most
            ? number
            : throw At(node, $"write a whole number from {least} to {most}.");

    public static PolicySyntaxException At(YamlNode node, string problem) =>
        new(node.Start.Line, node.Start.Column, problem);

    /// <summary>
    /// Whoever approves a text must see what is read: no line that begins where none shows, nothing after an end that does not
    /// show. Texts that are in force already are read without this.
    /// </summary>
    public static void RefuseHidden(string text)
    {
        long line = 1,
            column = 1;
        var returned = false;
        foreach (var rune in text.EnumerateRunes())
        {
            if (
                (returned && rune.Value != '\n')
                || (
                    rune.Value is not ('\n' or '\r' or '\t')
                    && Rune.GetUnicodeCategory(rune)
                        is UnicodeCategory.Control
                            or UnicodeCategory.Format
                            or UnicodeCategory.LineSeparator
                            or UnicodeCategory.ParagraphSeparator
                )
            )
            {
                throw new PolicySyntaxException(line, column, "a character that does not show is not allowed.");
            }

            returned = rune.Value == '\r';
            (line, column) = rune.Value == '\n' ? (line + 1, 1) : (line, column + 1);
        }
    }
}
