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
