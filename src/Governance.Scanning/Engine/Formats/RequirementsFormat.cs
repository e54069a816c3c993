using System.Text.RegularExpressions;
using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Formats;

/// <summary>requirements.txt and its like.</summary>
internal sealed class RequirementsFormat : IFormat
{
    public bool Scan(ScanItem item, ScanRun run)
    {
        var isRequirements =
            item.HasExtension(".txt")
            && (
                item.Name.StartsWith("requirements", StringComparison.Ordinal)
                || item.Name.StartsWith("constraints", StringComparison.Ordinal)
                || item.Name.EndsWith("requirements.txt", StringComparison.Ordinal)
            );
        if (!isRequirements)
        {
            return false;
        }

        foreach (var line in TextDocument.Read(item, run).Replace("\\\n", " ", StringComparison.Ordinal).Split('\n'))
        {
            RequirementRules.Judge(item.Path, line, run.Findings);
        }

        return true;
    }
}

/// <summary>A dependency line that later meets a shell or an installer must be nothing but a requirement (PEP 508).</summary>
internal static partial class RequirementRules
{
    /// <summary>Reports a line that is more than a requirement.</summary>
    public static void Judge(string path, string line, Findings findings)
    {
        var comment = line.IndexOf(" #", StringComparison.Ordinal);
        line = (comment >= 0 ? line[..comment] : line).Trim();
        if (line.Length == 0 || line[0] == '#' || Plain().IsMatch(line))
        {
            return;
        }

        var rule =
            line.IndexOfAny(['`', '$', '|', '&', '\\', '{', '}', '*', '?']) >= 0 && !Plain().IsMatch(line)
                ? "requirements.shell"
            : line[0] == '-' ? "requirements.option"
            : line.Contains("://", StringComparison.Ordinal) || line.Contains('@', StringComparison.Ordinal)
                ? "requirements.direct-url"
            : "requirements.shell";
        findings.Add(path, ScanClass.Suspicious, rule, line);
    }

    [GeneratedRegex(
        """^(-r [\w.-]+|-c [\w.-]+|--requirement [\w.-]+|([\w./-]+::)?[A-Za-z0-9][\w.-]*\s*(\[[\w.,\s-]*\])?\s*\(?(\s*(===|==|~=|!=|<=|>=|<|>|=)\s*[\w.*+!-]+\s*,?)*\)?(=[\w.*]+)?\s*(;[\s(]*(python_version|python_full_version|os_name|sys_platform|platform_\w+|implementation_\w+|extra)\s*(===|==|~=|!=|<=|>=|<|>|in |not in )[\w\s.'"<>=!~()]+)?(\s+--hash=\w+:[0-9a-fA-F]+)*)$""",
        RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture
    )]
    private static partial Regex Plain();
}
