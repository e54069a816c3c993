using System.Globalization;
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

        try
        {
            var stream = new YamlStream();
            stream.Load(new AnchorRefusingParser(new Parser(new StringReader(text))));
            return stream.Documents.Count == 1
                ? stream.Documents[0].RootNode
                : throw new PolicySyntaxException(1, 1, "write exactly one YAML document.");
        }
        catch (YamlException exception)
        {
            throw new PolicySyntaxException(exception.Start.Line, exception.Start.Column, exception.Message);
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
}
