using Governance.Audit.Sequencing;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.PostgreSql.Tests;

/// <summary>The tree has the order of the serials although units commit in any order, and one gateway at a time extends it.</summary>
public sealed class SequencerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_entry_that_commits_after_a_later_one_is_neither_skipped_nor_put_out_of_order()
    {
        await using var database = await ComposedDatabase.StartAsync();
        var (drawn, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        var slow = Task.Run(
            () =>
                database.Writer.WriteAsync<Unit>(
                    async (session, token) =>
                    {
                        await session.LogAsync(Log.Entry("version:slow/1"), token);
                        drawn.TrySetResult();
                        await release.Task.WaitAsync(token);
                        return default(Unit);
                    },
                    Token
                ),
            Token
        );
        await drawn.Task.WaitAsync(Token);
        await Log.AppendAsync(database, "version:quick/1");

        // The quick one is committed and visible, the slow one has the lower serial: neither may be sequenced yet.
        Assert.Equal(0, await Log.SequenceAsync(database));
        release.SetResult();
        Assert.True((await slow).Ok);
        Assert.Equal(2, await Log.SequenceAsync(database));

        Assert.Equal(
            ["version:slow/1", "version:quick/1"],
            await database.QueryAsync<string>(
                "SELECT entry.\"Subject\" AS \"Value\" FROM audit_leaf AS leaf JOIN audit_entry AS entry ON entry.\"Serial\" = leaf.\"Serial\" ORDER BY leaf.\"Index\""
            )
        );
        Assert.Equal(2, await Log.CheckAsync(database));
    }

    [Fact]
    public async Task A_serial_that_was_drawn_and_rolled_back_holds_nothing_up()
    {
        await using var database = await ComposedDatabase.StartAsync();
        await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.LogAsync(Log.Entry("version:gone/1"), token);
                return Failure.Conflict("test.no", "No.");
            },
            Token
        );
        await Log.AppendAsync(database);

        Assert.Equal(1, await Log.SequenceAsync(database));
        Assert.Equal(1, await Log.CheckAsync(database));
    }

    [Fact]
    public async Task The_log_holds_while_units_append_and_the_sequencer_runs()
    {
        await using var database = await ComposedDatabase.StartAsync();
        using var stop = new CancellationTokenSource();
        var sequencing = Task.Run(
            async () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    await Log.SequenceAsync(database);
                    await Log.CheckAsync(database);
                }
            },
            Token
        );

        await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => Task.Run(() => Log.AppendAsync(database), Token)));
        await stop.CancelAsync();
        await sequencing;
        await Log.SequenceAsync(database);

        Assert.Equal(200, await Log.CheckAsync(database));
    }

    [Fact]
    public async Task While_another_gateway_has_the_role_nothing_is_sequenced_here_and_afterwards_it_is()
    {
        var clock = new SetClock(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
        await using var database = await ComposedDatabase.StartAsync(clock: clock);
        await Log.AppendAsync(database);
        await TakeAsync(database, new Leases());

        Assert.Equal(0, await Log.SequenceAsync(database));
        clock.Now += Leases.Duration;
        Assert.Equal(1, await Log.SequenceAsync(database));
    }

    [Fact]
    public async Task Of_many_that_reach_for_a_free_role_one_gets_it()
    {
        await using var database = await ComposedDatabase.StartAsync();

        var taken = await Task.WhenAll(
            Enumerable.Range(0, 12).Select(_ => Task.Run(() => TakeAsync(database, new Leases()), Token))
        );

        Assert.Single(taken, had => had);
    }

    private static async Task<bool> TakeAsync(ComposedDatabase database, Leases leases) =>
        (
            await database.Writer.WriteAsync<bool>(
                async (session, token) => await leases.TakeAsync(session, SequenceEntries.Role, token),
                Token
            )
        ).Value;
}
