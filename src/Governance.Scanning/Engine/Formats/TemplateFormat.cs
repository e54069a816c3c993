using System.Text.RegularExpressions;
using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Formats;

/// <summary>Jinja templates in files of their own.</summary>
internal sealed class TemplateFormat : IFormat
{
    public bool Scan(ScanItem item, ScanRun run)
    {
        if (!item.HasExtension(".jinja", ".jinja2", ".j2"))
        {
            return false;
        }

        TemplateRules.Judge(item.Path, TextDocument.Read(item, run), run.Findings);
        return true;
    }
}

/// <summary>A chat template formats messages; whatever reaches for Python objects is an injection.</summary>
internal static partial class TemplateRules
{
    public static void Judge(string path, string template, Findings findings, long? offset = null)
    {
        var plain = Unescape(template);
        if (Dunder().Match(plain) is { Success: true } dunder)
        {
            findings.Add(path, ScanClass.Malicious, "template.reaches-python", dunder.Value, offset);
        }
        else if (Reach().Match(plain) is { Success: true } reach)
        {
            findings.Add(path, ScanClass.Malicious, "template.reaches-python", reach.Value, offset);
        }
        else if (Odd().Match(plain) is { Success: true } odd)
        {
            findings.Add(path, ScanClass.Suspicious, "template.odd-construct", odd.Value, offset);
        }
    }

    private static string Unescape(string text) =>
        Escape()
            .Replace(
                text,
                match => ((char)Convert.ToInt32(match.Groups["byte"].Value + match.Groups["unit"].Value, 16)).ToString()
            );

    [GeneratedRegex(
        @"\\x(?<byte>[0-9a-fA-F]{2})|\\u(?<unit>[0-9a-fA-F]{4})",
        RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Escape();

    [GeneratedRegex("__[a-z]+__", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Dunder();

    [GeneratedRegex(
        @"\b(os\.(system|popen)|popen\s*\(|subprocess|importlib|lipsum|cycler\s*\.|joiner\s*\.|get_flashed_messages|url_for|self\._|request\.application|config\.items)",
        RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Reach();

    [GeneratedRegex(
        @"\|\s*(attr|map\s*\(\s*attribute)\b|['""]_+['""]\s*[~+*]|[~+]\s*['""]_+['""]|\{%-?\s*(include|import|from|extends)\b|\bformat_map\b|\.mro\b",
        RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Odd();
}
