using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Governance.PostgreSql.Tests;

/// <summary>Jobs of one database are shared among gateways: each runs once at a time, and none is lost when a gateway is.</summary>
public sealed class JobTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_job_is_claimed_by_one_of_many_workers()
    {
        await using var database = await ComposedDatabase.StartAsync();
        await EnqueueAsync(
            database,
            [.. Enumerable.Range(0, 200).Select(n => new JobRequest("test.job", $"k{n}", ""))]
        );

        var claimed = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => Task.Run(() => DrainAsync(database), Token))
        );

        Assert.Equal(200, claimed.Sum(ids => ids.Count));
        Assert.Equal(200, claimed.SelectMany(ids => ids).Distinct().Count());
    }

    [Fact]
    public async Task Two_jobs_of_one_kind_and_key_never_run_at_once()
    {
        await using var database = await ComposedDatabase.StartAsync();
        await EnqueueAsync(database, new JobRequest("test.job", "k", "1"));
        var first = await ClaimAsync(database);
        await EnqueueAsync(database, new JobRequest("test.job", "k", "2"));
        // The first failed and waits again, beside the second: whoever is claimed, the other has to wait.
        await database.SqlAsync("UPDATE platform_job SET \"State\" = 0, \"DueAt\" = 0");

        var claims = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => Task.Run(() => ClaimAsync(database), Token))
        );

        Assert.NotNull(first);
        Assert.Single(claims, claim => claim is not null);
    }

    [Fact]
    public async Task A_job_whose_worker_died_is_claimed_again_when_its_lease_is_over_and_not_before()
    {
        var clock = new SetClock(Start);
        await using var database = await ComposedDatabase.StartAsync(clock: clock);
        await EnqueueAsync(database, new JobRequest("test.job", "k", ""));
        var first = await ClaimAsync(database);

        clock.Now += JobClaims.Lease - TimeSpan.FromSeconds(1);
        Assert.Null(await ClaimAsync(database));
        clock.Now += TimeSpan.FromSeconds(1);
        var second = await ClaimAsync(database);

        Assert.Equal((first!.Id, 0, 1), (second!.Id, first.Crashes, second.Crashes));
    }

    [Fact]
    public async Task A_unit_that_found_its_job_waiting_keeps_it_from_starting_without_the_unit()
    {
        await using var database = await ComposedDatabase.StartAsync();
        var request = new JobRequest("test.job", "k", "");
        await EnqueueAsync(database, request);
        JobRow? during = null;

        await database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.EnqueueAsync(request, token);
                during = await ClaimAsync(database);
                return default(Unit);
            },
            Token
        );

        Assert.Null(during);
        Assert.NotNull(await ClaimAsync(database));
    }

    [Fact]
    public async Task Many_units_that_ask_for_one_job_make_one()
    {
        await using var database = await ComposedDatabase.StartAsync();

        await Task.WhenAll(
            Enumerable
                .Range(0, 16)
                .Select(_ => Task.Run(() => EnqueueAsync(database, new JobRequest("test.job", "k", "")), Token))
        );

        Assert.Single(await DrainAsync(database));
    }

    private static async Task EnqueueAsync(ComposedDatabase database, params JobRequest[] requests) =>
        _ = (
            await database.Writer.WriteAsync<Unit>(
                async (session, token) =>
                {
                    await session.EnqueueAsync(requests, token);
                    return default(Unit);
                },
                Token
            )
        ).Value;

    private static async Task<JobRow?> ClaimAsync(ComposedDatabase database)
    {
        await using var db = database.Open();
        var now = database.Get<TimeProvider>().GetUtcNow();
        await JobClaims.ReclaimAsync(db, now, Token);
        return await JobClaims.TakeAsync(db, outbound: false, now, Token);
    }

    private static async Task<List<Guid>> DrainAsync(ComposedDatabase database)
    {
        var ids = new List<Guid>();
        while (await ClaimAsync(database) is { } job)
        {
            ids.Add(job.Id);
        }

        return ids;
    }
}
