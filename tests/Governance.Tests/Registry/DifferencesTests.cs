using CsCheck;
using Governance.Registry.Engine;

namespace Governance.Tests.Registry;

public sealed class DifferencesTests
{
    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(i => texts[i]);

    private static readonly Gen<Dictionary<string, string>> Tags = Gen.Select(OneOf("a", "b", "c"), OneOf("", "x", "y"))
        .List[0, 3]
        .Select(pairs => pairs.DistinctBy(pair => pair.Item1).ToDictionary(pair => pair.Item1, pair => pair.Item2));

    private static readonly Gen<MirroredVersion> Version = Gen.Select(
        OneOf("None", "Staging", "Production", "Archived"),
        OneOf("s", "t"),
        OneOf("", "d"),
        Tags,
        (stage, source, description, tags) =>
            new MirroredVersion(stage, source) { Description = description, Tags = tags }
    );

    private static readonly Gen<MirroredModel> Model = Gen.Select(
        OneOf("", "d", "e"),
        Tags,
        Gen.Select(OneOf("p", "q", "r"), Gen.Int[1, 4]).List[0, 3],
        Gen.Select(Gen.Int[1, 4], Version).List[0, 4],
        (description, tags, aliases, versions) =>
            new MirroredModel("m")
            {
                Description = description,
                Tags = tags,
                Aliases = aliases.DistinctBy(a => a.Item1).ToDictionary(a => a.Item1, a => a.Item2),
                Versions = versions.DistinctBy(v => v.Item1).ToDictionary(v => v.Item1, v => v.Item2),
            }
    );

    [Fact]
    public void Nothing_differs_from_itself() => Model.Sample(model => Differences.Of(model, model).Count == 0);

    [Fact]
    public void Making_every_difference_leaves_none() =>
        Gen.Select(Model, Model)
            .Sample(
                (ours, theirs) =>
                {
                    foreach (var difference in Differences.Of(ours, theirs))
                    {
                        theirs = Make(ours, theirs, difference);
                    }

                    return Differences.Of(ours, theirs).Count == 0;
                },
                iter: 20_000
            );

    [Fact]
    public void An_alias_goes_before_its_version_goes_and_comes_after_its_version_came() =>
        Gen.Select(Model, Model)
            .Sample(
                (ours, theirs) =>
                {
                    var kinds = Differences.Of(ours, theirs).ToList();
                    var removed = kinds.FindLastIndex(d => d is { Kind: DifferenceKind.Alias, Expected: null });
                    var set = kinds.FindIndex(d => d is { Kind: DifferenceKind.Alias, Expected: not null });
                    var gone = kinds.FindIndex(d => d.Kind == DifferenceKind.VersionMade);
                    return (removed < 0 || gone < 0 || removed < gone) && (set < 0 || removed < set);
                },
                iter: 20_000
            );

    [Fact]
    public void Comparing_the_other_way_round_swaps_the_sides() =>
        Gen.Select(Model, Model)
            .Sample(
                (ours, theirs) =>
                {
                    static string Text(Difference d, bool swap) =>
                        $"{d.Version} {d.Key} {(swap ? d.Found : d.Expected)} {(swap ? d.Expected : d.Found)}";

                    var there = Differences.Of(ours, theirs).Select(d => Text(d, false)).Order();
                    var back = Differences.Of(theirs, ours).Select(d => Text(d, true)).Order();
                    return there.SequenceEqual(back);
                },
                iter: 20_000
            );

    [Fact]
    public void The_gateways_own_mark_is_no_difference()
    {
        var marked = new MirroredModel("m")
        {
            Tags = new Dictionary<string, string> { [Differences.IntentTag] = "x" },
            Versions = new Dictionary<int, MirroredVersion>
            {
                [1] = new("None", "s") { Tags = new Dictionary<string, string> { [Differences.IntentTag] = "y" } },
            },
        };
        var plain = new MirroredModel("m")
        {
            Versions = new Dictionary<int, MirroredVersion> { [1] = new("None", "s") },
        };

        Assert.Empty(Differences.Of(plain, marked));
    }

    private static MirroredModel Make(MirroredModel ours, MirroredModel theirs, Difference difference) =>
        difference.Kind switch
        {
            DifferenceKind.ModelDescription => theirs with { Description = difference.Expected! },
            DifferenceKind.ModelTag => theirs with { Tags = With(theirs.Tags, difference.Key, difference.Expected) },
            DifferenceKind.Alias => theirs with
            {
                Aliases = With(
                        theirs.Aliases.ToDictionary(a => a.Key, a => $"{a.Value}"),
                        difference.Key,
                        difference.Expected
                    )
                    .ToDictionary(
                        a => a.Key,
                        a => int.Parse(a.Value, System.Globalization.CultureInfo.InvariantCulture)
                    ),
            },
            DifferenceKind.VersionMissing => theirs with
            {
                Versions = With(theirs.Versions, difference.Version, ours.Versions[difference.Version]),
            },
            DifferenceKind.VersionMade => theirs with { Versions = With(theirs.Versions, difference.Version, null) },
            _ => theirs with
            {
                Versions = With(
                    theirs.Versions,
                    difference.Version,
                    Make(theirs.Versions[difference.Version], difference)
                ),
            },
        };

    private static MirroredVersion Make(MirroredVersion theirs, Difference difference) =>
        difference.Kind switch
        {
            DifferenceKind.Stage => theirs with { Stage = difference.Expected! },
            DifferenceKind.Source => theirs with { Source = difference.Expected! },
            DifferenceKind.VersionDescription => theirs with { Description = difference.Expected! },
            DifferenceKind.Run => theirs with { RunId = difference.Expected! },
            _ => theirs with { Tags = With(theirs.Tags, difference.Key, difference.Expected) },
        };

    private static Dictionary<TKey, TValue> With<TKey, TValue>(
        IReadOnlyDictionary<TKey, TValue> all,
        TKey key,
        TValue? value
    )
        where TKey : notnull
        where TValue : class
    {
        var copy = all.ToDictionary(pair => pair.Key, pair => pair.Value);
        copy.Remove(key);
        if (value is not null)
        {
            copy[key] = value;
        }

        return copy;
    }
}
