using System.Diagnostics.CodeAnalysis;

namespace Governance.Sbom.Engine;

/// <summary>One dependency specification: <c>name[extras] specifiers ; marker</c> or <c>name @ address ; marker</c>, PEP 508.</summary>
internal static class Requirement
{
    private static readonly string[] Operators = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];

    public static bool TryParse(
        string text,
        Origin origin,
        string source,
        int? line,
        [NotNullWhen(true)] out Mention? mention
    )
    {
        mention = null;
        var nameEnd = 0;
        while (nameEnd < text.Length && PythonText.IsNameCharacter(text[nameEnd]))
        {
            nameEnd++;
        }

        var name = text[..nameEnd];
        if (!PythonText.IsName(name) || !TryReadExtras(text[nameEnd..].TrimStart(), out var extras, out var rest))
        {
            return false;
        }

        var start = new Mention
        {
            Name = name,
            Origin = origin,
            Source = source,
            Line = line,
            Extras = extras,
        };
        return rest.StartsWith('@')
            ? TryAddress(start, rest[1..].Trim(), out mention)
            : TryVersions(start, rest, out mention);
    }

    /// <summary>The one version that a specifier list allows, or null.</summary>
    public static string? PinnedBy(string specifier)
    {
        var trimmed = specifier.Trim();
        return trimmed.StartsWith("==", StringComparison.Ordinal) && PythonText.IsVersion(trimmed.TrimStart('=').Trim())
            ? trimmed.TrimStart('=').Trim()
            : null;
    }

    /// <summary>Whether every comma-separated part is an operator with a version.</summary>
    public static bool IsSpecifierList(string specifiers) => specifiers.Split(',').All(IsSpecifier);

    private static bool TryReadExtras(string text, out IReadOnlyList<string> extras, out string rest)
    {
        (extras, rest) = ([], text);
        if (!text.StartsWith('['))
        {
            return true;
        }

        var end = text.IndexOf(']', StringComparison.Ordinal);
        if (end < 0)
        {
            return false;
        }

        rest = text[(end + 1)..].TrimStart();
        var inside = text[1..end].Trim();
        extras = inside.Length == 0 ? [] : [.. inside.Split(',', StringSplitOptions.TrimEntries)];
        return extras.All(PythonText.IsName);
    }

    private static bool TryVersions(Mention start, string text, [NotNullWhen(true)] out Mention? mention)
    {
        mention = null;
        if (!TrySplitMarker(text, ";", out var specifiers, out var marker))
        {
            return false;
        }

        if (specifiers.StartsWith('(') && specifiers.EndsWith(')'))
        {
            specifiers = specifiers[1..^1].Trim();
        }

        if (specifiers.Length > 0 && !IsSpecifierList(specifiers))
        {
            return false;
        }

        mention = start with { Specifier = specifiers, Version = PinnedBy(specifiers), Marker = marker };
        return true;
    }

    private static bool TryAddress(Mention start, string text, [NotNullWhen(true)] out Mention? mention)
    {
        mention = null;
        // An address may hold a semicolon: only one after white space starts a marker.
        if (
            !TrySplitMarker(text, " ;", out var address, out var marker)
            || address.Length == 0
            || address.Contains(' ')
        )
        {
            return false;
        }

        mention = DirectReference.Apply(start, address) with { Marker = marker };
        return true;
    }

    private static bool TrySplitMarker(string text, string separator, out string before, out Marker? marker)
    {
        marker = null;
        var at = text.IndexOf(separator, StringComparison.Ordinal);
        before = (at < 0 ? text : text[..at]).Trim();
        return at < 0 || Marker.TryParse(text[(at + separator.Length)..], out marker);
    }

    private static bool IsSpecifier(string text)
    {
        var part = text.Trim();
        var op = Array.Find(Operators, candidate => part.StartsWith(candidate, StringComparison.Ordinal));
        if (op is null)
        {
            return false;
        }

        var version = part[op.Length..].Trim();
        return PythonText.IsVersion(
            op is "==" or "!=" && version.EndsWith(".*", StringComparison.Ordinal) ? version[..^2] : version
        );
    }
}
