using System.Buffers;
using System.Text;
using Governance.Kernel;

namespace Governance.Sbom.Engine;

/// <summary>A further file that a requirements file names.</summary>
internal sealed record Include(string Path, bool Constraint, int Line);

/// <summary>What one requirements file says.</summary>
internal sealed record Requirements(IReadOnlyList<Mention> Mentions, IReadOnlyList<Include> Includes);

/// <summary>
/// The requirements file format of pip: comments, continuations, options, includes, editable installs, direct references.
/// A line that cannot be read is a finding by number, never by content, because lines may hold credentials.
/// </summary>
internal static class RequirementsFile
{
    private static readonly SearchValues<char> Hex = SearchValues.Create("0123456789abcdefABCDEF");
    private const int MaxLines = 10_000;
    private const int MaxLineLength = 8_192;

    private static readonly Dictionary<string, string> Risks = new(StringComparer.Ordinal)
    {
        ["-i"] = "replaces the package index",
        ["--index-url"] = "replaces the package index",
        ["--pypi-url"] = "replaces the package index",
        ["--extra-index-url"] = "adds a package index, which allows dependency confusion",
        ["-f"] = "adds a place to find packages",
        ["--find-links"] = "adds a place to find packages",
        ["--trusted-host"] = "switches off certificate checks for a host",
        ["--pre"] = "allows pre-releases",
        ["--no-binary"] = "runs build code of source distributions",
        ["--global-option"] = "passes options to build code",
        ["--install-option"] = "passes options to build code",
        ["--config-settings"] = "passes options to build code",
    };

    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "--no-index",
        "--prefer-binary",
        "--only-binary",
        "--require-hashes",
        "--use-feature",
    };

    public static Result<Requirements> Parse(string text, string source, Origin origin, Findings findings)
    {
        var lines = text.Split('\n');
        if (lines.Length > MaxLines)
        {
            return Failure.Invalid("sbom.too_many_requirements", $"{source} has more than {MaxLines} lines.");
        }

        var mentions = new List<Mention>();
        var includes = new List<Include>();
        foreach (var (number, line) in Join(lines))
        {
            if (line.Length > MaxLineLength)
            {
                findings.Add($"{source} line {number} is longer than {MaxLineLength} characters and was not read.");
            }
            else if (WithoutComment(line) is { Length: > 0 } content)
            {
                Read(content, new Position(source, number, origin, findings), mentions, includes);
            }
        }

        return new Requirements(mentions, includes);
    }

    private sealed record Position(string Source, int Line, Origin Origin, Findings Findings)
    {
        public void Report(string what) => Findings.Add($"{Source} line {Line} {what}.");
    }

    private static void Read(string line, Position at, List<Mention> mentions, List<Include> includes)
    {
        if (line.Contains("${", StringComparison.Ordinal))
        {
            at.Report("uses an environment variable, whose value is not known here");
        }

        var words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        var optionsFrom = Array.FindIndex(words, word => word.StartsWith('-'));
        if (optionsFrom == 0)
        {
            ReadOption(words, at, mentions, includes);
            return;
        }

        var requirement = string.Join(' ', optionsFrom < 0 ? words : words[..optionsFrom]);
        var hashes = optionsFrom < 0 ? [] : ReadRequirementOptions(words[optionsFrom..], at);
        if (Resolve(requirement, at) is { } mention)
        {
            mentions.Add(mention with { Hashes = hashes });
        }
    }

    private static Mention? Resolve(string requirement, Position at)
    {
        if (DirectReference.IsAddress(requirement))
        {
            at.Report($"installs from {Kind(requirement)} instead of an index");
            var address = requirement.Split(" ;")[0].Trim();
            var found = DirectReference.Identify(address, at.Origin, at.Source, at.Line);
            if (found is null)
            {
                at.Report("does not say which library it installs");
            }

            return found;
        }

        if (!Requirement.TryParse(requirement, at.Origin, at.Source, at.Line, out var mention))
        {
            at.Report("is not a requirement that can be read");
            return null;
        }

        if (mention.Url is not null)
        {
            at.Report($"installs {mention.Name} from {Kind(mention.Url)} instead of an index");
        }

        return mention;
    }

    private static void ReadOption(string[] words, Position at, List<Mention> mentions, List<Include> includes)
    {
        var (option, value) = SplitOption(words);
        switch (option)
        {
            case "-r" or "--requirement" or "-c" or "--constraint" when value.Length > 0:
                includes.Add(new Include(value, option is "-c" or "--constraint", at.Line));
                break;
            case "-e" or "--editable" when value.Length > 0:
                at.Report("is an editable install: its code can change after the model was logged");
                if (Resolve(value, at) is { } mention)
                {
                    mentions.Add(mention);
                }

                break;
            default:
                ReportOption(option, value, at);
                break;
        }
    }

    private static string[] ReadRequirementOptions(string[] words, Position at)
    {
        var hashes = new List<string>();
        for (var i = 0; i < words.Length; i++)
        {
            if (!words[i].StartsWith('-'))
            {
                continue;
            }

            var takesNext = !words[i].Contains('=', StringComparison.Ordinal) && i + 1 < words.Length;
            var (option, value) = SplitOption(words[i..(takesNext ? i + 2 : i + 1)]);
            if (option == "--hash" && IsHash(value))
            {
                hashes.Add(value.ToLowerInvariant());
            }
            else if (option == "--hash")
            {
                at.Report("has a hash that cannot be read");
            }
            else
            {
                ReportOption(option, value, at);
            }
        }

        hashes.Sort(StringComparer.Ordinal);
        return [.. hashes];
    }

    private static void ReportOption(string option, string value, Position at)
    {
        if (Risks.TryGetValue(option, out var risk))
        {
            var host = value.Contains("://", StringComparison.Ordinal) ? $" ({PythonText.Redact(value)})" : "";
            at.Report($"has {option}, which {risk}{host}");
        }
        else if (!Harmless.Contains(option))
        {
            at.Report("has an option that is not known");
        }
    }

    // `--name=value`, `--name value`, `-r value` and pip's `-rvalue`.
    private static (string Option, string Value) SplitOption(string[] words)
    {
        var first = words[0];
        var equals = first.IndexOf('=', StringComparison.Ordinal);
        if (first.StartsWith("--", StringComparison.Ordinal))
        {
            return equals < 0
                ? (first, string.Join(' ', words[1..]))
                : (first[..equals], string.Join(' ', [first[(equals + 1)..], .. words[1..]]));
        }

        return first.Length <= 2
            ? (first, string.Join(' ', words[1..]))
            : (first[..2], string.Join(' ', [first[2..], .. words[1..]]));
    }

    private static bool IsHash(string value)
    {
        var word = value.Split(' ')[0];
        var colon = word.IndexOf(':', StringComparison.Ordinal);
        return colon > 0
            && word == value
            && word[..colon] is "sha256" or "sha384" or "sha512"
            && word.Length - colon - 1 is 64 or 96 or 128
            && !word.AsSpan(colon + 1).ContainsAnyExcept(Hex);
    }

    private static string Kind(string address) =>
        DirectReference.IsVcs(address) ? "a repository"
        : address.Contains("://", StringComparison.Ordinal) ? "an address"
        : "a local path";

    // As pip: continuations are joined before comments go, and a comment line ends a continuation.
    private static IEnumerable<(int Number, string Line)> Join(string[] lines)
    {
        var joined = new StringBuilder();
        var first = 0;
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].TrimEnd('\r');
            var comment = line.TrimStart().StartsWith('#');
            first = joined.Length == 0 ? i + 1 : first;
            if (line.EndsWith('\\') && !comment && joined.Length <= MaxLineLength)
            {
                joined.Append(line.AsSpan(0, line.Length - 1));
                // An empty first part still has to count as begun.
                if (joined.Length == 0)
                {
                    joined.Append(' ');
                }

                continue;
            }

            yield return (first, joined.Append(comment ? " " : "").Append(line).ToString());
            joined.Clear();
        }

        if (joined.Length > 0)
        {
            yield return (first, joined.ToString());
        }
    }

    private static string WithoutComment(string line)
    {
        for (var i = 0; i < line.Length; i++)
        {
            if (line[i] == '#' && (i == 0 || char.IsWhiteSpace(line[i - 1])))
            {
                return line[..i].Trim();
            }
        }

        return line.Trim();
    }
}
