using System.Buffers;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Sbom.Engine;

/// <summary>What an environment file says: libraries, Python, and requirement files it includes.</summary>
internal sealed record EnvironmentFile(
    IReadOnlyList<Mention> Mentions,
    IReadOnlyList<Include> Includes,
    PythonMention? Python
);

/// <summary><c>conda.yaml</c>: channels, match specifications, and a nested list in pip's grammar.</summary>
internal static class CondaEnvironment
{
    private const int MaxDependencies = 10_000;
    private static readonly SearchValues<char> Unread = SearchValues.Create("[]@()'\"");
    private static readonly SearchValues<char> Ranges = SearchValues.Create(",|<>!~");

    public static Result<EnvironmentFile> Parse(string text, string source, Findings findings)
    {
        var root = SafeYaml.ParseMapping(text, source);
        return root.Ok ? Read(root.Value, source, findings) : root.Failure;
    }

    private static Result<EnvironmentFile> Read(JsonObject root, string source, Findings findings)
    {
        ReadChannels(root["channels"] as JsonArray ?? [], source, findings);
        var mentions = new List<Mention>();
        var includes = new List<Include>();
        PythonMention? python = null;
        foreach (var item in root["dependencies"] as JsonArray ?? [])
        {
            if (item is JsonObject { Count: 1 } nested && nested["pip"] is JsonArray lines)
            {
                var pip = RequirementsFile.Parse(YamlText.Lines(lines), $"{source} pip", Origin.CondaPip, findings);
                if (!pip.Ok)
                {
                    return pip.Failure;
                }

                mentions.AddRange(pip.Value.Mentions);
                includes.AddRange(pip.Value.Includes);
            }
            else if (YamlText.Of(item) is not { } spec || ReadSpec(spec, source) is not { } mention)
            {
                findings.Add($"{source} has a dependency that cannot be read.");
            }
            else if (mention.Name.Equals("python", StringComparison.OrdinalIgnoreCase))
            {
                python = new PythonMention(source, mention.Version, mention.Specifier);
            }
            else
            {
                mentions.Add(mention);
            }

            if (mentions.Count > MaxDependencies)
            {
                return Failure.Invalid("sbom.too_many_requirements", $"{source} has too many dependencies.");
            }
        }

        return new EnvironmentFile(mentions, includes, python);
    }

    private static void ReadChannels(JsonArray channels, string source, Findings findings)
    {
        foreach (var channel in channels)
        {
            if (YamlText.Of(channel) is { } name && name.AsSpan().IndexOfAny("/:\\") >= 0)
            {
                findings.Add($"{source} takes packages from the channel {PythonText.Redact(name)}.");
            }
        }
    }

    // channel::name=version=build, name>=1,<2, name 1.2.3 build.
    private static Mention? ReadSpec(string spec, string source)
    {
        var colons = spec.IndexOf("::", StringComparison.Ordinal);
        var channel = colons < 0 ? null : PythonText.Redact(spec[..colons].Trim());
        var text = (colons < 0 ? spec : spec[(colons + 2)..]).Trim();
        var nameEnd = 0;
        while (nameEnd < text.Length && PythonText.IsNameCharacter(text[nameEnd]))
        {
            nameEnd++;
        }

        // Conda's own system packages start with an underscore, such as _libgcc_mutex.
        var name = text[..nameEnd];
        if (!PythonText.IsName(name.TrimStart('_')) || ReadVersion(text[nameEnd..].Trim()) is not { } parts)
        {
            return null;
        }

        return new Mention
        {
            Name = name,
            Origin = Origin.Conda,
            Source = source,
            Version = parts.Version,
            Specifier = parts.Specifier,
            CondaBuild = parts.Build,
            CondaChannel = channel,
        };
    }

    private static (string? Version, string Specifier, string? Build)? ReadVersion(string text)
    {
        if (text.Length == 0)
        {
            return (null, "", null);
        }

        if (text.AsSpan().ContainsAny(Unread) || text.Length > 256)
        {
            return null;
        }

        var exact = text.StartsWith("==", StringComparison.Ordinal);
        if (!exact && text[0] is '<' or '>' or '!' or '~')
        {
            return (null, text, null);
        }

        // Either `=version=build` or, separated by blanks, `version build`.
        var parts = text.TrimStart('=').Split((char[])['=', ' '], StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length is 0 or > 2 || parts[0].AsSpan().ContainsAny(Ranges))
        {
            return parts.Length == 1 ? (null, text, null) : null;
        }

        // A single equals sign is a prefix match: `=1.26` also allows 1.26.4, while three numbers name one release.
        var whole = exact || text[0] != '=' || parts.Length == 2 || parts[0].Count(c => c == '.') >= 2;
        return (whole && PythonText.IsVersion(parts[0]) ? parts[0] : null, text, parts.Length == 2 ? parts[1] : null);
    }
}
