namespace Governance.Sbom.Engine;

/// <summary>A library, merged from every place that names it.</summary>
internal sealed record Library(
    string Key,
    string Name,
    string? Version,
    string Purl,
    bool Excluded,
    IReadOnlyList<Mention> Mentions
);

/// <summary>Merges mentions by PEP 503 name; the most trusted origin that pins a version decides, disagreement is a finding.</summary>
internal static class LibraryMerge
{
    public static IReadOnlyList<Library> Merge(IEnumerable<Mention> mentions, string? python, Findings findings) =>
        [
            .. mentions
                .GroupBy(mention => PythonText.NameKey(mention.Name), StringComparer.Ordinal)
                .Where(group => group.Any(mention => mention.Origin != Origin.Constraint))
                .OrderBy(group => group.Key, StringComparer.Ordinal)
                .Select(group => MergeOne(group.Key, [.. group], python, findings)),
        ];

    /// <summary>The Python version, of the first place that states one.</summary>
    public static string? Python(IReadOnlyList<PythonMention> mentions, Findings findings)
    {
        var stated = mentions.Where(mention => mention.Version is not null).ToList();
        foreach (
            var other in stated.Skip(1).Where(other => !PythonText.SameVersion(other.Version!, stated[0].Version!))
        )
        {
            findings.Add($"python: {stated[0].Source} says {stated[0].Version}, {other.Source} says {other.Version}.");
        }

        return stated.Count == 0 ? null : stated[0].Version;
    }

    private static Library MergeOne(string key, List<Mention> mentions, string? python, Findings findings)
    {
        var ordered = mentions
            .OrderBy(mention => mention.Origin)
            .ThenBy(mention => mention.Source, StringComparer.Ordinal)
            .ThenBy(mention => mention.Line)
            .ThenBy(mention => mention.Specifier, StringComparer.Ordinal)
            .ToList();
        var asked = ordered.Where(mention => mention.Origin != Origin.Constraint).ToList();
        var inUse = asked.Where(mention => mention.Marker?.Evaluate(python) != false).ToList();
        var counted = inUse.Count == 0 ? asked : [.. ordered.Where(m => m.Marker?.Evaluate(python) != false)];
        var pinned = counted.Where(mention => mention.Version is not null).ToList();
        var decisive = pinned.FirstOrDefault();
        foreach (var other in pinned.Skip(1).Where(m => !PythonText.SameVersion(m.Version!, decisive!.Version!)))
        {
            findings.Add($"{key}: {decisive!.Place} says {decisive.Version}, {other.Place} says {other.Version}.");
        }

        if (decisive is null)
        {
            findings.Add($"{key} is not pinned to one version.");
        }

        var named = decisive is null || decisive.Origin == Origin.Constraint ? asked[0] : decisive;
        return new Library(
            key,
            named.Name,
            decisive?.Version,
            Purl(named, asked, decisive?.Version),
            Excluded: inUse.All(mention => mention.Origin == Origin.Build),
            ordered
        );
    }

    private static string Purl(Mention named, List<Mention> asked, string? version)
    {
        if (asked.TrueForAll(mention => mention.Origin == Origin.Conda))
        {
            return PackageUrl.Conda(named.Name, version, named.CondaBuild, named.CondaChannel);
        }

        var url = asked.Find(mention => mention.Url is not null)?.Url;
        return PackageUrl.Pypi(
            named.Name,
            version,
            ("vcs_url", url is not null && DirectReference.IsVcs(url) ? url : null),
            ("download_url", url is not null && !DirectReference.IsVcs(url) ? url : null)
        );
    }
}
