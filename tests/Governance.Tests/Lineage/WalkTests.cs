using CsCheck;
using Governance.Lineage.Contracts;
using Governance.Platform.Graph;
using static Governance.Tests.Lineage.LineageDatabase;

namespace Governance.Tests.Lineage;

public sealed class WalkTests
{
    [Fact]
    public async Task An_unknown_start_is_null()
    {
        await using var graph = await CreateAsync();

        Assert.Null(await graph.WalkAsync("run:nowhere"));
    }

    [Fact]
    public async Task An_invisible_start_is_null_like_an_unknown_one()
    {
        await using var graph = await CreateAsync();
        await graph.LinkAsync(Edge("run:a", "run:b"));

        Assert.Null(await graph.WalkAsync("run:a", visible: node => node.Urn != "run:a"));
    }

    [Theory]
    [InlineData(Direction.Up, "b,a")]
    [InlineData(Direction.Down, "b,c")]
    [InlineData(Direction.Both, "b,a,c")]
    public async Task A_walk_follows_the_asked_direction(Direction direction, string expected)
    {
        await using var graph = await CreateAsync();
        await graph.LinkAsync(Edge("a", "b"), Edge("b", "c"));

        var answer = await graph.WalkAsync("b", direction);

        Assert.Equal(expected.Split(','), answer!.Nodes.Select(node => node.Urn));
        Assert.Null(answer.Truncated);
        Assert.Empty(answer.Frontier);
    }

    [Fact]
    public async Task A_cycle_ends_and_shows_its_closing_edge()
    {
        await using var graph = await CreateAsync();
        await graph.LinkAsync(Edge("a", "b"), Edge("b", "c"), Edge("c", "a"), Edge("a", "a"));

        var answer = await graph.WalkAsync("a");

        Assert.Equal(["a", "b", "c"], answer!.Nodes.Select(node => node.Urn));
        Assert.Equal(4, answer.Edges.Count);
    }

    [Fact]
    public async Task A_diamond_meets_its_lower_end_once()
    {
        await using var graph = await CreateAsync();
        await graph.LinkAsync(Edge("a", "b"), Edge("a", "c"), Edge("b", "d"), Edge("c", "d"));

        var answer = await graph.WalkAsync("a");

        Assert.Equal(["a", "b", "c", "d"], answer!.Nodes.Select(node => node.Urn));
        Assert.Equal(4, answer.Edges.Count);
    }

    [Fact]
    public async Task Depth_is_counted_from_the_start_and_is_not_a_cut()
    {
        await using var graph = await CreateAsync();
        await graph.LinkAsync(Edge("a", "b"), Edge("b", "c"));

        var answer = await graph.WalkAsync("a", depth: 1);

        Assert.Equal(["a", "b"], answer!.Nodes.Select(node => node.Urn));
        Assert.Null(answer.Truncated);
    }

    [Fact]
    public async Task A_cut_is_announced_with_everything_that_was_not_expanded()
    {
        await using var graph = await CreateAsync();
        await graph.LinkAsync(Edge("a", "b"), Edge("a", "c"), Edge("b", "d"), Edge("c", "e"));

        var answer = await graph.WalkAsync("a", maxNodes: 4);

        Assert.Equal(["a", "b", "c", "d"], answer!.Nodes.Select(node => node.Urn));
        Assert.Equal("nodes", answer.Truncated);
        Assert.Equal(["c", "d"], answer.Frontier);
    }

    [Fact]
    public async Task What_lies_only_behind_an_invisible_node_is_not_shown()
    {
        await using var graph = await CreateAsync();
        await graph.LinkAsync(Edge("a", "secret"), Edge("secret", "b"), Edge("a", "c"));

        var answer = await graph.WalkAsync("a", visible: node => node.Urn != "secret");

        Assert.Equal(["a", "c"], answer!.Nodes.Select(node => node.Urn));
        Assert.Equal("c", Assert.Single(answer.Edges).To);
    }

    [Fact]
    public async Task Visibility_is_asked_in_batches_and_never_twice_about_one_node()
    {
        await using var graph = await CreateAsync();
        await graph.LinkAsync(
            Enumerable.Range(0, 60).SelectMany(i => new[] { Edge("a", $"n{i}"), Edge($"n{i}", "z") })
        );
        var asked = new List<string>();
        var calls = 0;

        await graph.Lineage.WalkAsync(
            "a",
            Direction.Both,
            64,
            5_000,
            (nodes, _) =>
            {
                calls++;
                asked.AddRange(nodes.Select(node => node.Urn));
                return ValueTask.FromResult<IReadOnlySet<string>>(nodes.Select(node => node.Urn).ToHashSet());
            },
            TestContext.Current.CancellationToken
        );

        Assert.Equal(62, asked.Count);
        Assert.Equal(62, asked.Distinct().Count());
        Assert.Equal(3, calls);
    }

    [Fact]
    public async Task A_level_of_many_nodes_costs_one_query_per_500()
    {
        await using var graph = await CreateAsync();
        await graph.LinkAsync(Enumerable.Range(0, 600).Select(i => Edge("a", $"n{i:000}")));
        graph.Queries.Count = 0;

        var answer = await graph.WalkAsync("a");

        Assert.Equal(601, answer!.Nodes.Count);
        Assert.Equal(1 + 1 + 2, graph.Queries.Count);
    }

    [Theory]
    [InlineData(0, 10)]
    [InlineData(65, 10)]
    [InlineData(1, 0)]
    [InlineData(1, 5_001)]
    public async Task Limits_out_of_range_are_refused(int depth, int maxNodes)
    {
        await using var graph = await CreateAsync();

        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() =>
            graph.WalkAsync("a", depth: depth, maxNodes: maxNodes)
        );
    }

    [Fact]
    public async Task Random_graphs_agree_with_a_naive_walk_in_memory()
    {
        var cases = Gen.Select(
            Gen.Select(Gen.Int[0, 11], Gen.Int[0, 11]).Array[0, 40],
            Gen.Enum<Direction>(),
            Gen.Int[1, 6],
            Gen.Int[1, 14],
            Gen.Int[0, 11].HashSet[0, 3]
        );
        await using var graph = await CreateAsync();
        var number = 0;
        await cases.SampleAsync(
            async (pairs, direction, depth, maxNodes, hidden) =>
            {
                var prefix = $"graph {number++} node ";
                await graph.LinkAsync(pairs.Select(pair => Edge(prefix + pair.Item1, prefix + pair.Item2)));
                bool Visible(string urn) => !hidden.Contains(int.Parse(urn[prefix.Length..]));

                var actual = await graph.WalkAsync(prefix + 0, direction, depth, maxNodes, node => Visible(node.Urn));

                var expected = Naive(prefix, pairs, direction, depth, maxNodes, Visible);
                Assert.Equal(expected is null, actual is null);
                if (expected is var (nodes, edges, truncated, frontier))
                {
                    Assert.Equal(nodes, actual!.Nodes.Select(node => node.Urn));
                    Assert.Equal(edges, actual.Edges.Select(edge => (edge.From, edge.To)));
                    Assert.Equal(truncated, actual.Truncated);
                    Assert.Equal(frontier, actual.Frontier);
                }
            },
            iter: 150,
            threads: 1
        );
    }

    /// <summary>The textbook walk: a queue, node by node, over the distinct edges in the order they were recorded.</summary>
    private static (List<string>, List<(string, string)>, string?, List<string>)? Naive(
        string prefix,
        (int, int)[] pairs,
        Direction direction,
        int depth,
        int maxNodes,
        Func<string, bool> visible
    )
    {
        var all = pairs.Distinct().Select(pair => (From: prefix + pair.Item1, To: prefix + pair.Item2)).ToList();
        var start = prefix + 0;
        if (!visible(start) || !all.Exists(edge => edge.From == start || edge.To == start))
        {
            return null;
        }

        var distance = new Dictionary<string, int> { [start] = 0 };
        var nodes = new List<string> { start };
        var edges = new List<(string, string)>();
        var queue = new Queue<string>(nodes);
        while (queue.TryPeek(out var node) && distance[node] < depth)
        {
            foreach (var (from, to) in all)
            {
                var down = from == node && direction != Direction.Up;
                var up = to == node && direction != Direction.Down;
                if (!down && !up)
                {
                    continue;
                }

                var other = from == node ? to : from;
                if (!visible(other))
                {
                    continue;
                }

                if (!distance.ContainsKey(other))
                {
                    if (nodes.Count == maxNodes)
                    {
                        return (nodes, edges, "nodes", [.. queue]);
                    }

                    distance[other] = distance[node] + 1;
                    nodes.Add(other);
                    queue.Enqueue(other);
                }

                if (!edges.Contains((from, to)))
                {
                    edges.Add((from, to));
                }
            }

            queue.Dequeue();
        }

        return (nodes, edges, null, []);
    }
}
