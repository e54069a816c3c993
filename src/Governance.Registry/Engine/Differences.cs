using System.Globalization;

namespace Governance.Registry.Engine;

/// <summary>Compares what a model says here with what it says upstream.</summary>
internal static class Differences
{
    /// <summary>The tag by which a thing made upstream names the intent that it was made for.</summary>
    public const string IntentTag = "governance.intent";

    /// <summary>
    /// Every difference, in the order in which upstream can be made to follow: what points at a version goes before the version
    /// goes, and what is pointed at is there before something points at it.
    /// </summary>
    public static IReadOnlyList<Difference> Of(MirroredModel? ours, MirroredModel? theirs)
    {
        if (ours is null || theirs is null)
        {
            return ours is null && theirs is null ? []
                : ours is null ? [new(DifferenceKind.ModelMade, 0, "", null, "")]
                : [new(DifferenceKind.ModelMissing, 0, "", "", null)];
        }

        var found = new List<Difference>();
        foreach (var alias in Keys(ours.Aliases, theirs.Aliases))
        {
            Add(found, DifferenceKind.Alias, 0, alias, Text(ours.Aliases, alias), Text(theirs.Aliases, alias));
        }

        Add(found, DifferenceKind.ModelDescription, 0, "", ours.Description, theirs.Description);
        Labels(found, DifferenceKind.ModelTag, 0, ours.Tags, theirs.Tags);
        foreach (var number in Keys(ours.Versions, theirs.Versions))
        {
            var (here, there) = (ours.Versions.GetValueOrDefault(number), theirs.Versions.GetValueOrDefault(number));
            if (here is null || there is null)
            {
                var kind = here is null ? DifferenceKind.VersionMade : DifferenceKind.VersionMissing;
                found.Add(new Difference(kind, number, "", here?.Source, there?.Source));
            }
            else
            {
                Compare(found, number, here, there);
            }
        }

        return [.. found.OrderBy(Turn)];
    }

    private static void Compare(List<Difference> found, int number, MirroredVersion here, MirroredVersion there)
    {
        Add(found, DifferenceKind.Source, number, "", here.Source, there.Source);
        // Who names no run contradicts nobody.
        if (here.RunId.Length > 0 && there.RunId.Length > 0)
        {
            Add(found, DifferenceKind.Run, number, "", here.RunId, there.RunId);
        }

        Add(found, DifferenceKind.VersionDescription, number, "", here.Description, there.Description);
        Add(found, DifferenceKind.Stage, number, "", here.Stage, there.Stage);
        Labels(found, DifferenceKind.VersionTag, number, here.Tags, there.Tags);
    }

    private static int Turn(Difference difference) =>
        difference switch
        {
            { Kind: DifferenceKind.Alias, Expected: null } => 0,
            { Kind: DifferenceKind.Stage } => 2,
            { Kind: DifferenceKind.Alias } => 3,
            { Kind: DifferenceKind.VersionMade } => 4,
            _ => 1,
        };

    private static void Labels(
        List<Difference> found,
        DifferenceKind kind,
        int number,
        IReadOnlyDictionary<string, string> ours,
        IReadOnlyDictionary<string, string> theirs
    )
    {
        foreach (var key in Keys(ours, theirs).Where(key => key != IntentTag))
        {
            Add(found, kind, number, key, ours.GetValueOrDefault(key), theirs.GetValueOrDefault(key));
        }
    }

    private static void Add(
        List<Difference> found,
        DifferenceKind kind,
        int number,
        string key,
        string? expected,
        string? actual
    )
    {
        if (expected != actual)
        {
            found.Add(new Difference(kind, number, key, expected, actual));
        }
    }

    private static IEnumerable<TKey> Keys<TKey, TValue>(
        IReadOnlyDictionary<TKey, TValue> one,
        IReadOnlyDictionary<TKey, TValue> other
    ) => one.Keys.Union(other.Keys).Order();

    private static string? Text(IReadOnlyDictionary<string, int> aliases, string alias) =>
        aliases.TryGetValue(alias, out var number) ? number.ToString(CultureInfo.InvariantCulture) : null;
}
