using Governance.Lineage.Storage;
using Governance.Platform.Graph;
using Microsoft.EntityFrameworkCore;
using static Governance.Tests.Lineage.LineageDatabase;

namespace Governance.Tests.Lineage;

public sealed class GraphWriterTests
{
    [Fact]
    public async Task Recording_an_edge_twice_changes_nothing()
    {
        await using var graph = await CreateAsync();

        await graph.LinkAsync(Edge("run:a", "run:b"), Edge("run:a", "run:b"));
        await graph.LinkAsync(Edge("run:a", "run:b"));

        await using var db = await graph.OpenAsync();
        Assert.Equal(1, await db.Set<EdgeRow>().CountAsync());
        Assert.Equal(2, await db.Set<NodeRow>().CountAsync());
    }

    [Fact]
    public async Task Closing_an_edge_keeps_its_history_and_opening_it_again_is_a_new_life()
    {
        await using var graph = await CreateAsync();
        var edge = Edge("run:a", "run:b");

        await graph.LinkAsync(edge, edge with { Ends = true }, edge with { Ends = true });
        var whileClosed = await graph.WalkAsync("run:a");
        await graph.LinkAsync(edge);

        await using var db = await graph.OpenAsync();
        var rows = await db.Set<EdgeRow>().OrderBy(row => row.Id).ToListAsync();
        Assert.Empty(whileClosed!.Edges);
        Assert.Equal([Now, null], rows.Select(row => row.ClosedAt));
        Assert.NotNull(rows[0].ClosingEntryId);
        Assert.Single((await graph.WalkAsync("run:a"))!.Edges);
    }

    [Fact]
    public async Task Closing_an_edge_that_was_never_open_records_no_edge()
    {
        await using var graph = await CreateAsync();

        await graph.LinkAsync(Edge("run:a", "run:b") with { Ends = true });

        await using var db = await graph.OpenAsync();
        Assert.Equal(0, await db.Set<EdgeRow>().CountAsync());
    }

    [Fact]
    public async Task Grades_are_separate_facts_that_close_together()
    {
        await using var graph = await CreateAsync();
        var observed = Edge("run:a", "run:b");

        await graph.LinkAsync(observed with { Grade = GraphGrade.Declared }, observed);
        var open = await graph.WalkAsync("run:a");
        await graph.LinkAsync(observed with { Ends = true });

        Assert.Equal([GraphGrade.Declared, GraphGrade.Observed], open!.Edges.Select(edge => edge.Grade));
        Assert.Empty((await graph.WalkAsync("run:a"))!.Edges);
    }

    [Fact]
    public async Task A_URN_never_changes_its_kind()
    {
        await using var graph = await CreateAsync();
        await graph.LinkAsync(Edge("run:a", "run:b"));

        var other = Edge("run:a", "run:b") with { From = new GraphNode("run:a", GraphNodeKind.Model, "a") };

        await Assert.ThrowsAsync<InvalidOperationException>(() => graph.LinkAsync(other));
    }
}
