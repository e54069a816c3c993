using System.Text;

namespace Governance.Sbom.Engine;

/// <summary>Names and versions as Python packaging compares them, and addresses without secrets.</summary>
internal static class PythonText
{
    /// <summary>PEP 503: runs of <c>-_.</c> become one dash, lower case.</summary>
    public static string NameKey(string name)
    {
        var key = new StringBuilder(name.Length);
        foreach (var c in name)
        {
            var next = c is '-' or '_' or '.' ? '-' : char.ToLowerInvariant(c);
            if (next != '-' || key.Length == 0 || key[^1] != '-')
            {
                key.Append(next);
            }
        }

        return key.ToString();
    }

    /// <summary>PEP 508 identifier: letters and digits, with <c>-_.</c> inside.</summary>
    public static bool IsName(string text) =>
        text.Length is > 0 and <= 128
        && char.IsAsciiLetterOrDigit(text[0])
        && char.IsAsciiLetterOrDigit(text[^1])
        && text.All(IsNameCharacter);

    public static bool IsNameCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.';

    /// <summary>The characters of PEP 440 versions; at most 128.</summary>
    public static bool IsVersion(string text) =>
        text.Length is > 0 and <= 128
        && char.IsAsciiLetterOrDigit(text[0])
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '+' or '!');

    /// <summary>Whether two versions are the same release; a local label (<c>+cu121</c>) counts only when both have one.</summary>
    public static bool SameVersion(string left, string right)
    {
        var (leftPublic, leftLocal) = Split(left);
        var (rightPublic, rightLocal) = Split(right);
        return leftPublic == rightPublic
            && (leftLocal.Length == 0 || rightLocal.Length == 0 || leftLocal == rightLocal);
    }

    /// <summary>An address without user name, password, query and fragment, which may hold tokens.</summary>
    public static string Redact(string address)
    {
        var end = address.AsSpan().IndexOfAny('?', '#');
        var kept = end < 0 ? address : address[..end];
        var start = kept.IndexOf("://", StringComparison.Ordinal);
        start = start < 0 ? 0 : start + 3;
        var slash = kept.IndexOf('/', start);
        var user = kept.LastIndexOf('@', slash < 0 ? kept.Length - 1 : slash);
        return user < start ? kept : kept[..start] + kept[(user + 1)..];
    }

    private static (string Public, string Local) Split(string version)
    {
        var text = version.ToLowerInvariant().TrimStart('v');
        var plus = text.IndexOf('+', StringComparison.Ordinal);
        var release = plus < 0 ? text : text[..plus];
        while (release.EndsWith(".0", StringComparison.Ordinal))
        {
            release = release[..^2];
        }

        return (release, plus < 0 ? "" : text[(plus + 1)..]);
    }
}
