using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Storage;

namespace Governance.PostgreSql.Tests;

/// <summary>Log entries, metrics and params lie in one partition per month.</summary>
public sealed class PartitionTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_row_of_next_month_lands_in_the_partition_that_was_made_ahead()
    {
        var clock = new SetClock(Start);
        await using var database = await ComposedDatabase.StartAsync(clock: clock);
        await WriteAsync(database, "first");
        clock.Now = Start.AddMonths(1);
        await WriteAsync(database, "second");

        string[] expected =
        [
            "audit_entry_2026_11",
            "audit_entry_2026_12",
            "registry_metrics_2026_11",
            "registry_metrics_2026_12",
            "registry_params_2026_11",
            "registry_params_2026_12",
            "registry_tags",
            "registry_tags",
        ];
        Assert.Equal(expected, await PlacesAsync(database));
    }

    [Fact]
    public async Task A_row_of_a_month_without_partition_is_kept_all_the_same()
    {
        var clock = new SetClock(Start);
        await using var database = await ComposedDatabase.StartAsync(clock: clock);
        clock.Now = Start.AddYears(2);
        await WriteAsync(database, "late");

        string[] expected = ["audit_entry_other", "registry_metrics_other", "registry_params_other", "registry_tags"];
        Assert.Equal(expected, await PlacesAsync(database));
        // Its month can no longer be made, which stops nothing.
        await database.Get<MonthPartitions>().MakeAheadAsync(TestContext.Current.CancellationToken);
        clock.Now = Start.AddYears(2).AddMonths(1);
        await WriteAsync(database, "later");
        Assert.Contains("audit_entry_2028_12", await PlacesAsync(database));
    }

    [Fact]
    public async Task The_log_is_checked_across_months()
    {
        var clock = new SetClock(Start);
        await using var database = await ComposedDatabase.StartAsync(clock: clock);
        for (var month = 0; month < 3; month++)
        {
            clock.Now = Start.AddMonths(month);
            await Log.AppendAsync(database);
            await Log.AppendAsync(database);
            Assert.Equal(2, await Log.SequenceAsync(database));
        }

        Assert.Equal(6, await Log.CheckAsync(database));
    }

    private static async Task WriteAsync(ComposedDatabase database, string run)
    {
        var written = await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                session.Db.Add(
                    new MetricRow
                    {
                        RunId = run,
                        Key = "loss",
                        TimestampMs = 1,
                    }
                );
                session.Db.Add(Label(LabelScope.RunParam, run));
                session.Db.Add(Label(LabelScope.RunTag, run));
                await session.LogAsync(Log.Entry($"run:{run}"), token);
                return default(Unit);
            },
            TestContext.Current.CancellationToken
        );
        Assert.True(written.Ok);
    }

    private static LabelRow Label(LabelScope scope, string run) =>
        new()
        {
            Scope = scope,
            ObjectId = run,
            Key = "k",
            Value = "v",
        };

    private static async Task<IEnumerable<string>> PlacesAsync(ComposedDatabase database) =>
        (
            await database.QueryAsync<string>(
                """
                SELECT tableoid::regclass::text AS "Value" FROM audit_entry
                UNION ALL SELECT tableoid::regclass::text FROM registry_metrics
                UNION ALL SELECT tableoid::regclass::text FROM registry_labels
                """
            )
        ).Order(StringComparer.Ordinal);
}
