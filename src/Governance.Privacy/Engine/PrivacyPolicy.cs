using System.Collections.Frozen;
using System.Globalization;
using Governance.Kernel;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Governance.Privacy.Engine;

/// <summary>What a column name says.</summary>
/// <param name="Role">direct, quasi, sensitive, or other for a technical name.</param>
/// <param name="Kind">Kind of the policy.</param>
internal sealed record NameHint(string Role, string Kind);

/// <summary>The privacy policy: thresholds and the words of column names. Closed vocabulary; unknown keys are refused.</summary>
internal sealed class PrivacyPolicy
{
    /// <summary>Version of detectors, shapes and rules in this assembly. Raise it when their answers change.</summary>
    public const string DetectorsVersion = "2";

    private const int MaxText = 1 << 18;

    private readonly FrozenDictionary<string, (NameHint Hint, bool Whole)> _names;
    private readonly int _longest;

    private PrivacyPolicy(string text, Dictionary<string, (NameHint Hint, bool Whole)> names)
    {
        _names = names.ToFrozenDictionary(StringComparer.Ordinal);
        _longest = names.Count == 0 ? 0 : names.Keys.Max(key => key.Count(c => c == ' ')) + 1;
        Version = $"detectors {DetectorsVersion}, policy {Digest.Of(text).Hex[..12]}";
    }

    /// <summary>Detectors and policy, as evidence names it.</summary>
    public string Version { get; }

    /// <summary>Least size of a class of rows that share all quasi-identifiers.</summary>
    public required int LeastK { get; init; }

    /// <summary>Least number of distinct sensitive values in such a class.</summary>
    public required int LeastL { get; init; }

    /// <summary>Whether bytes stay after the scan.</summary>
    public required bool Retain { get; init; }

    /// <summary>Most distinct values of a category.</summary>
    public required int MaxCategories { get; init; }

    /// <summary>Most characters of a category.</summary>
    public required int MaxCategoryLength { get; init; }

    /// <summary>The role that columns of a kind have, or null when the policy has no such kind.</summary>
    public string? RoleOf(string kind) =>
        kind == Kinds.None ? null
        : Array.IndexOf(Kinds.Detected, kind) >= 0 ? Roles.Direct
        : _names.Values.FirstOrDefault(entry => entry.Hint.Kind == kind).Hint?.Role;

    /// <summary>What a column name says: the entry with most words wins.</summary>
    public NameHint? HintOf(string column)
    {
        var words = ColumnName.Words(column);
        var joined = string.Concat(words);
        if (_names.TryGetValue(joined, out var run))
        {
            return run.Hint;
        }

        for (var length = Math.Min(_longest, words.Count); length >= 1; length--)
        {
            for (var start = 0; start + length <= words.Count; start++)
            {
                if (
                    _names.TryGetValue(string.Join(' ', words.Skip(start).Take(length)), out var entry)
                    && (!entry.Whole || length == words.Count)
                )
                {
                    return entry.Hint;
                }
            }
        }

        return null;
    }

    /// <summary>Reads a policy. Code <c>privacy.policy_invalid</c>.</summary>
    public static Result<PrivacyPolicy> Parse(string text)
    {
        if (text.Length > MaxText)
        {
            return Invalid("it is over 256 KiB");
        }

        try
        {
            var stream = new YamlStream();
            using var reader = new StringReader(text);
            stream.Load(reader);
            return stream.Documents is [{ RootNode: YamlMappingNode root }]
                ? Read(text, root)
                : Invalid("it is not one mapping");
        }
        catch (Exception error) when (error is YamlException or FormatException or InvalidCastException)
        {
            return Invalid("it is not the YAML that is expected");
        }
    }

    private static Result<PrivacyPolicy> Read(string text, YamlMappingNode root)
    {
        var names = new Dictionary<string, (NameHint Hint, bool Whole)>(StringComparer.Ordinal);
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var retain = false;
        foreach (var (keyNode, value) in root.Children)
        {
            var key = ((YamlScalarNode)keyNode).Value ?? "";
            switch (key)
            {
                case "version" or "leastK" or "leastL" or "maxCategories" or "maxCategoryLength":
                    numbers[key] = int.Parse(
                        ((YamlScalarNode)value).Value ?? "",
                        NumberStyles.None,
                        CultureInfo.InvariantCulture
                    );
                    break;
                case "retain":
                    retain = bool.Parse(((YamlScalarNode)value).Value ?? "");
                    break;
                case "technical":
                    AddNames(names, new NameHint(Roles.Other, Kinds.None), (YamlSequenceNode)value);
                    break;
                case Roles.Direct or Roles.Quasi or Roles.Sensitive:
                    foreach (var (kind, entries) in ((YamlMappingNode)value).Children)
                    {
                        AddNames(
                            names,
                            new NameHint(key, ((YamlScalarNode)kind).Value ?? ""),
                            (YamlSequenceNode)entries
                        );
                    }

                    break;
                default:
                    return Invalid($"the key '{key}' is not known");
            }
        }

        var least = numbers.GetValueOrDefault("leastK");
        return numbers.GetValueOrDefault("version") != 1 ? Invalid("only version 1 is known")
            : least < 2 ? Invalid("leastK must be 2 or more")
            : new PrivacyPolicy(text, names)
            {
                LeastK = least,
                LeastL = Math.Max(1, numbers.GetValueOrDefault("leastL", 1)),
                Retain = retain,
                MaxCategories = Math.Clamp(numbers.GetValueOrDefault("maxCategories", 50), 2, 1000),
                MaxCategoryLength = Math.Clamp(numbers.GetValueOrDefault("maxCategoryLength", 40), 1, 200),
            };
    }

    // A leading "=" asks for the whole column name; otherwise the words may stand anywhere in it. The first entry wins.
    private static void AddNames(
        Dictionary<string, (NameHint Hint, bool Whole)> names,
        NameHint hint,
        YamlSequenceNode entries
    )
    {
        foreach (var entry in entries.Children.Cast<YamlScalarNode>().Select(node => node.Value ?? ""))
        {
            var words = ColumnName.Words(entry);
            names.TryAdd(string.Join(' ', words), (hint, entry.StartsWith('=')));
            names.TryAdd(string.Concat(words), (hint, entry.StartsWith('=')));
        }
    }

    private static Failure Invalid(string reason) =>
        Failure.Invalid("privacy.policy_invalid", $"The privacy policy is not valid: {reason}.");
}
