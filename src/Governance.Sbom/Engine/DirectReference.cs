namespace Governance.Sbom.Engine;

/// <summary>Requirements that point at a file or repository instead of an index (PEP 440 "Direct references", pip VCS support).</summary>
internal static class DirectReference
{
    private static readonly string[] VcsSchemes = ["git+", "hg+", "svn+", "bzr+"];
    private static readonly string[] Archives = [".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz"];

    public static bool IsVcs(string address) =>
        Array.Exists(VcsSchemes, scheme => address.StartsWith(scheme, StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether a requirement line is an address or path rather than a name.</summary>
    public static bool IsAddress(string text) =>
        IsVcs(text)
        || (
            text.Contains("://", StringComparison.Ordinal)
            && !text.Contains(" @ ", StringComparison.Ordinal)
            && !IsNamed(text)
        )
        || text.StartsWith("file:", StringComparison.OrdinalIgnoreCase)
        || text.StartsWith('.')
        || text.StartsWith('/')
        || text.StartsWith('~')
        || text.EndsWith(".whl", StringComparison.OrdinalIgnoreCase)
        || Array.Exists(Archives, end => text.EndsWith(end, StringComparison.OrdinalIgnoreCase));

    /// <summary>Name and version that the address itself states: <c>#egg=</c>, a wheel name (PEP 427) or an archive name; else null.</summary>
    public static Mention? Identify(string address, Origin origin, string source, int line)
    {
        var (name, version) = Egg(address) is { } egg ? (egg, null) : FromFileName(address);
        return name is null || !PythonText.IsName(name)
            ? null
            : Apply(
                new Mention
                {
                    Name = name,
                    Origin = origin,
                    Source = source,
                    Line = line,
                    Version = version is not null && PythonText.IsVersion(version) ? version : null,
                },
                address
            );
    }

    /// <summary>Adds the redacted address; the version comes from the file name when the mention has none.</summary>
    public static Mention Apply(Mention mention, string address)
    {
        var (_, version) = FromFileName(address);
        return mention with
        {
            Url = address.Contains("://", StringComparison.Ordinal) ? PythonText.Redact(address) : null,
            Version = mention.Version ?? (version is not null && PythonText.IsVersion(version) ? version : null),
        };
    }

    // `name@https://…` without blanks around the at sign is a named requirement.
    private static bool IsNamed(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        if (at <= 0)
        {
            return false;
        }

        var before = text[..at].TrimEnd();
        var bracket = before.IndexOf('[', StringComparison.Ordinal);
        return PythonText.IsName(bracket > 0 && before.EndsWith(']') ? before[..bracket].TrimEnd() : before);
    }

    private static string? Egg(string address)
    {
        var fragment = address.IndexOf('#', StringComparison.Ordinal);
        var pair =
            fragment < 0
                ? null
                : Array.Find(
                    address[(fragment + 1)..].Split('&'),
                    part => part.StartsWith("egg=", StringComparison.Ordinal)
                );
        return pair?[4..].Split('[')[0];
    }

    private static (string? Name, string? Version) FromFileName(string address)
    {
        if (IsVcs(address))
        {
            return (null, null);
        }

        var file = PythonText.Redact(address).Split('/')[^1];
        if (file.EndsWith(".whl", StringComparison.OrdinalIgnoreCase))
        {
            var parts = file[..^4].Split('-');
            return parts.Length is 5 or 6 ? (parts[0], Decode(parts[1])) : (null, null);
        }

        var archive = Array.Find(Archives, end => file.EndsWith(end, StringComparison.OrdinalIgnoreCase));
        var dash = archive is null ? -1 : file[..^archive.Length].LastIndexOf('-');
        return dash <= 0 ? (null, null) : (file[..dash], Decode(file[(dash + 1)..^archive!.Length]));
    }

    private static string Decode(string text) => text.Replace("%2B", "+", StringComparison.OrdinalIgnoreCase);
}
