using Governance.Audit.Sequencing;
using Governance.Tests.Platform;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Governance.Tests.Audit;

/// <summary>Somebody edits the database file itself, past the triggers: the start-up check finds it.</summary>
public class TamperTests
{
    [Theory]
    [InlineData(
        "UPDATE audit_entry SET \"Canonical\" = replace(\"Canonical\", 'done', 'gone') WHERE \"Serial\" = 3",
        "audit.entry_altered"
    )]
    [InlineData("UPDATE audit_entry SET \"Outcome\" = 'refused' WHERE \"Serial\" = 3", "audit.entry_altered")]
    [InlineData("UPDATE audit_entry SET \"ActorId\" = 'p-2' WHERE \"Serial\" = 3", "audit.entry_altered")]
    [InlineData("UPDATE audit_entry SET \"At\" = \"At\" + 1 WHERE \"Serial\" = 3", "audit.entry_altered")]
    [InlineData("UPDATE audit_entry SET \"Salt\" = randomblob(32) WHERE \"Serial\" = 3", "audit.entry_altered")]
    [InlineData("DELETE FROM audit_entry WHERE \"Serial\" = 3", "audit.entry_missing")]
    [InlineData("DELETE FROM audit_entry WHERE \"Serial\" = 10", "audit.entry_missing")]
    [InlineData(
        "INSERT INTO audit_entry SELECT 0, 'X', \"At\", \"Kind\", \"ActorId\", \"Subject\", \"Outcome\", \"Canonical\", \"Salt\" FROM audit_entry WHERE \"Serial\" = 3",
        "audit.entry_inserted"
    )]
    [InlineData("DELETE FROM audit_leaf WHERE \"Index\" = 4", "audit.leaf_missing")]
    [InlineData(
        "DELETE FROM audit_leaf WHERE \"Index\" = 9; DELETE FROM audit_entry WHERE \"Serial\" = 10",
        "audit.truncated"
    )]
    [InlineData(
        "UPDATE audit_leaf SET \"Index\" = 99 WHERE \"Index\" = 4; UPDATE audit_leaf SET \"Index\" = 4 WHERE \"Index\" = 5; UPDATE audit_leaf SET \"Index\" = 5 WHERE \"Index\" = 99",
        "audit.order_changed"
    )]
    [InlineData(
        "UPDATE audit_entry SET \"Serial\" = 99 WHERE \"Serial\" = 4; UPDATE audit_entry SET \"Serial\" = 4 WHERE \"Serial\" = 5; UPDATE audit_entry SET \"Serial\" = 5 WHERE \"Serial\" = 99",
        "audit.entry_altered"
    )]
    [InlineData(
        "UPDATE audit_node SET \"Hash\" = randomblob(32) WHERE \"Level\" = 1 AND \"Index\" = 2",
        "audit.tree_altered"
    )]
    [InlineData("DELETE FROM audit_node WHERE \"Level\" = 2", "audit.tree_altered")]
    [InlineData("INSERT INTO audit_node VALUES (5, 7, randomblob(32))", "audit.tree_altered")]
    [InlineData("UPDATE audit_checkpoint SET \"Root\" = randomblob(32)", "audit.checkpoint_forged")]
    [InlineData(
        "UPDATE audit_checkpoint SET \"Note\" = replace(\"Note\", 'localhost', 'elsewhere')",
        "audit.checkpoint_forged"
    )]
    [InlineData("DELETE FROM audit_checkpoint", "audit.truncated")]
    public async Task An_edit_of_the_database_is_found_at_start(string sql, string code)
    {
        await using var database = await StartAsync();
        await database.SqlAsync(sql);

        Assert.Equal(code, (await database.CheckAsync()).Failure?.Code);
    }

    [Fact]
    public async Task A_consistent_forgery_of_entry_leaf_and_tree_still_breaks_the_signature()
    {
        await using var database = await StartAsync();
        // The attacker rebuilds everything but cannot sign: here the whole log is emptied and only the checkpoint stays.
        await database.SqlAsync("DELETE FROM audit_entry; DELETE FROM audit_leaf; DELETE FROM audit_node");

        Assert.Equal("audit.truncated", (await database.CheckAsync()).Failure?.Code);
    }

    [Fact]
    public async Task The_gateway_does_not_start_on_an_altered_log()
    {
        await using var database = await StartAsync();
        await database.SqlAsync("DELETE FROM audit_entry WHERE \"Serial\" = 3");
        var sequencer = database.Services.GetServices<IHostedService>().OfType<Sequencer>().Single();

        var refusal = await Assert.ThrowsAsync<LogBrokenException>(() => sequencer.StartAsync(CancellationToken.None));

        Assert.Equal("audit.entry_missing", refusal.Code);
        await Assert.ThrowsAsync<LogBrokenException>(() => database.AppendAsync());
    }

    [Theory]
    [InlineData("UPDATE audit_node SET \"Hash\" = randomblob(32) WHERE \"Level\" = 3", "audit.tree_altered")]
    [InlineData("DELETE FROM audit_node WHERE \"Level\" = 3", "audit.tree_altered")]
    [InlineData(
        "UPDATE audit_checkpoint SET \"Note\" = replace(\"Note\", char(10) || '10' || char(10), char(10) || '11' || char(10))",
        "audit.checkpoint_forged"
    )]
    [InlineData("DELETE FROM audit_checkpoint", "audit.checkpoint_forged")]
    public async Task No_checkpoint_is_signed_that_does_not_extend_the_last(string sql, string code)
    {
        await using var database = await StartAsync();
        await database.AppendAsync();
        await database.SqlAsync(sql);

        var result = await database.Get<SequenceEntries>().RunAsync(CancellationToken.None);

        Assert.Equal(code, result.Failure?.Code);
    }

    private static async Task<TestDatabase> StartAsync()
    {
        var database = await LogFixture.StartAsync(triggers: false);
        await database.AppendManyAsync(10);
        await database.SequenceAsync();
        Assert.Equal(10, (await database.CheckAsync()).Value);
        return database;
    }
}
