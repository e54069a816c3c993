using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Governance.Tests.Platform;

public class WriterTests
{
    private static readonly CancellationToken Now = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_failed_unit_leaves_nothing_and_touches_nobody_else()
    {
        await using var database = await TestDatabase.StartAsync();

        var good = Enqueue(database.Writer, "good", fail: false);
        var bad = Enqueue(database.Writer, "bad", fail: true);
        var thrown = Assert.ThrowsAsync<InvalidOperationException>(() => ThrowAsync(database.Writer));
        var other = Enqueue(database.Writer, "other", fail: false);

        Assert.True((await good).Ok);
        Assert.Equal("test.refused", (await bad).Failure!.Code);
        await thrown;
        Assert.True((await other).Ok);
        await using var db = database.Read();
        Assert.Equal(
            ["good", "other"],
            await db.Set<JobRow>().Select(job => job.Key).OrderBy(key => key).ToListAsync(Now)
        );
    }

    [Fact]
    public async Task A_waiting_job_of_the_same_key_absorbs_another()
    {
        await using var database = await TestDatabase.StartAsync();

        await Enqueue(database.Writer, "same", fail: false);
        await Enqueue(database.Writer, "same", fail: false);

        await using var db = database.Read();
        Assert.Equal(1, await db.Set<JobRow>().CountAsync(Now));
    }

    [Fact]
    public async Task A_job_of_another_kind_or_one_that_runs_or_is_dead_absorbs_nothing()
    {
        await using var database = await TestDatabase.StartAsync();
        await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.EnqueueAsync(new JobRequest("test.other", "same", ""), token);
                await session.EnqueueAsync(new JobRequest("test.runs", "same", ""), token);
                await session.EnqueueAsync(new JobRequest("test.dead", "same", ""), token);
                var jobs = session.Db.Set<JobRow>();
                (await jobs.SingleAsync(job => job.Kind == "test.runs", token)).State = JobState.Running;
                (await jobs.SingleAsync(job => job.Kind == "test.dead", token)).State = JobState.Dead;
                return default(Unit);
            },
            Now
        );

        await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.EnqueueAsync(
                    [
                        new JobRequest("test.other", "same", ""),
                        new JobRequest("test.runs", "same", ""),
                        new JobRequest("test.dead", "same", ""),
                        new JobRequest("test.new", "same", ""),
                    ],
                    token
                );
                return default(Unit);
            },
            Now
        );

        await using var db = database.Read();
        Assert.Equal(
            ["test.dead", "test.dead", "test.new", "test.other", "test.runs", "test.runs"],
            await db.Set<JobRow>().Select(job => job.Kind).OrderBy(kind => kind).ToListAsync(Now)
        );
    }

    [Fact]
    public async Task Waiting_jobs_are_looked_up_by_their_key_however_many_wait()
    {
        await using var database = await TestDatabase.StartAsync();
        await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var jobs = Enumerable.Range(0, 2000).Select(i => new JobRequest("test.runs", $"key-{i}", ""));
                await session.EnqueueAsync([.. jobs], token);
                return default(Unit);
            },
            Now
        );
        await using var db = database.Read();
        await db.Database.OpenConnectionAsync(Now);
        await db.Database.ExecuteSqlRawAsync("ANALYZE", Now);

        var plan = TestServer.IsPostgreSql
            ? await PlanAsync($"EXPLAIN {Dialect.WaitingOnPostgreSql}", new[] { "a" }, column: 0)
            : await PlanAsync($"EXPLAIN QUERY PLAN {Dialect.WaitingOnSqlite}", "[\"a\"]", column: 3);

        Assert.Contains(plan, step => step.Contains("IX_platform_job_Key", StringComparison.Ordinal));

        Task<List<string>> PlanAsync(string sql, object keys, int column) =>
            db.ReadAsync(sql, [keys], row => row.GetString(column), Now);
    }

    [Fact]
    public async Task Many_concurrent_writers_all_commit()
    {
        await using var database = await TestDatabase.StartAsync();

        var results = await Task.WhenAll(
            Enumerable.Range(0, 500).Select(i => Enqueue(database.Writer, $"k{i}", fail: i % 10 == 0))
        );

        Assert.Equal(450, results.Count(result => result.Ok));
        await using var db = database.Read();
        Assert.Equal(450, await db.Set<JobRow>().CountAsync(Now));
    }

    [Fact]
    public async Task The_writer_commits_through_a_log_that_reaches_the_disk_before_anybody_is_told()
    {
        await using var database = await TestDatabase.StartAsync();

        var settings = await database.Writer.WriteAsync<string>(
            async (session, token) =>
            {
                if (TestServer.IsPostgreSql)
                {
                    var commits = await session
                        .Db.Database.SqlQueryRaw<string>("SHOW synchronous_commit")
                        .ToListAsync(token);
                    return commits[0] == "on" ? "wal 2" : commits[0];
                }

                var journal = await session.Db.Database.SqlQueryRaw<string>("PRAGMA journal_mode").ToListAsync(token);
                var level = await session.Db.Database.SqlQueryRaw<int>("PRAGMA synchronous").ToListAsync(token);
                return $"{journal[0]} {level[0]}";
            },
            Now
        );

        Assert.Equal("wal 2", settings.Value); // 2 is FULL: each commit ends with fsync of the log
    }

    [Fact]
    public async Task What_fails_after_the_commit_does_not_tell_that_the_commit_failed()
    {
        await using var database = await TestDatabase.StartAsync();
        var ran = false;

        var result = await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.EnqueueAsync(new JobRequest("test.none", "kept", ""), token);
                session.AfterCommit(() => throw new IOException("planted"));
                session.AfterCommit(() => ran = true);
                return default(Unit);
            },
            Now
        );

        Assert.True(result.Ok);
        Assert.True(ran);
        await using var db = database.Read();
        Assert.Equal(1, await db.Set<JobRow>().CountAsync(Now));
    }

    private static Task<Result<Unit>> Enqueue(IWriter writer, string key, bool fail) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.EnqueueAsync(new JobRequest("test.none", key, ""), token);
                await session.Db.SaveChangesAsync(token);
                return fail ? Failure.Denied("test.refused", "No.") : default(Unit);
            },
            Now
        );

    private static Task<Result<Unit>> ThrowAsync(IWriter writer) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.EnqueueAsync(new JobRequest("test.none", "thrown", ""), token);
                await session.Db.SaveChangesAsync(token);
                throw new InvalidOperationException();
            },
            Now
        );
}
