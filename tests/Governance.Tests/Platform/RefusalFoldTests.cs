using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Logging;

namespace Governance.Tests.Platform;

/// <summary>A flood of refusals grows the log by a bounded number of entries, and every actor in it is still named.</summary>
public sealed class RefusalFoldTests
{
    private readonly RefusalFold _fold = new();

    [Fact]
    public void A_million_refusals_of_one_actor_are_few_entries_and_one_exact_count()
    {
        var entries = Enumerable.Range(0, 1_000_000).Count(_ => Admit("a") is not null);

        var summary = Assert.Single(_fold.Close());
        Assert.Equal(RefusalFold.Alike + 1, entries);
        Assert.Equal("a", summary.Actor.Id);
        Assert.Equal(1_000_000 - RefusalFold.Alike, (long)summary.Details["count"]!);
        Assert.Equal("GET /x", summary.Details["kinds"]![0]!["what"]!.ToString());
    }

    [Fact]
    public void The_entry_that_begins_counting_says_so_and_later_ones_are_not_written()
    {
        var admitted = Enumerable.Range(0, 50).Select(_ => Admit("a")).ToList();

        Assert.All(admitted.Take(RefusalFold.Alike), entry => Assert.False(entry!.Details.ContainsKey("counting")));
        Assert.True((bool)admitted[RefusalFold.Alike]!.Details["counting"]!);
        Assert.All(admitted.Skip(RefusalFold.Alike + 1), Assert.Null);
    }

    [Fact]
    public void A_probe_of_another_route_or_kind_is_an_entry_also_in_a_flood()
    {
        for (var count = 0; count < 10_000; count++)
        {
            Admit("a");
        }

        Assert.NotNull(Admit("a", route: "/secret"));
        Assert.NotNull(Admit("a", kind: "registry.refused"));
        Assert.NotNull(Admit("b"));
    }

    [Fact]
    public void What_one_actor_tries_on_many_routes_is_bounded_too_and_counted_by_route()
    {
        var entries = 0;
        for (var count = 0; count < 50_000; count++)
        {
            entries += Admit("a", route: $"/r{count % 5_000}") is null ? 0 : 1;
        }

        var summary = Assert.Single(_fold.Close());
        Assert.Equal(RefusalFold.PerCaller + 1, entries);
        Assert.Equal(50_000 - RefusalFold.PerCaller, (long)summary.Details["count"]!);
        Assert.Equal(100, summary.Details["kinds"]!.AsArray().Count);
    }

    [Fact]
    public void Ten_thousand_actors_are_all_named()
    {
        var named = new HashSet<string>(StringComparer.Ordinal);
        for (var count = 0; count < 1_000_000; count++)
        {
            if (Admit($"actor-{count % 10_000}") is { } entry)
            {
                named.Add(entry.Actor.Id);
            }
        }

        Assert.Equal(10_000, named.Count);
        Assert.Equal(10_000, _fold.Close().Select(summary => summary.Actor.Id).Distinct().Count());
    }

    [Fact]
    public void Callers_without_a_token_are_bounded_all_together_and_their_addresses_are_counted()
    {
        var entries = 0;
        for (var count = 0; count < 1_000_000; count++)
        {
            entries += AdmitAddress($"{count % 100_000}") is null ? 0 : 1;
        }

        var summaries = _fold.Close();
        Assert.InRange(entries, RefusalFold.Unknown, RefusalFold.Unknown + 1);
        Assert.InRange(summaries.Count, 2, 11);
        Assert.Equal(1_000_000 - RefusalFold.Unknown, summaries.Sum(summary => (long)summary.Details["count"]!));
        Assert.Contains(summaries, summary => summary.Details["addresses"]!.ToJsonString().Contains("others"));
    }

    [Fact]
    public void A_flood_of_strangers_hides_no_actor()
    {
        for (var count = 0; count < 100_000; count++)
        {
            AdmitAddress($"{count}");
        }

        Assert.NotNull(Admit("a"));
    }

    [Fact]
    public void Nothing_folded_is_no_summary_and_a_new_window_begins_with_entries()
    {
        for (var count = 0; count < RefusalFold.Alike; count++)
        {
            Assert.NotNull(Admit("a"));
        }

        Assert.Empty(_fold.Close());
        Assert.False(Admit("a")!.Details.ContainsKey("counting"));
    }

    private LogEntry? Admit(string actor, string kind = "access.denied", string route = "GET /x") =>
        _fold.Admit(
            new LogEntry(kind, new Actor(ActorKind.Service, actor), "", LogOutcome.Refused)
            {
                Details = new JsonObject { ["route"] = route },
            }
        );

    private LogEntry? AdmitAddress(string address) =>
        _fold.Admit(
            new LogEntry("access.unauthenticated", Actor.Anonymous, "", LogOutcome.Refused)
            {
                Details = new JsonObject { ["route"] = "GET /x", ["address"] = address },
            }
        );
}
