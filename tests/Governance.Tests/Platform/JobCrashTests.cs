using System.Collections.Concurrent;
using Governance.Kernel;
using Governance.Platform.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Governance.Tests.Platform;

/// <summary>What becomes of a job whose process died: a row still marked running at the next start.</summary>
public class JobCrashTests
{
    private static readonly CancellationToken Now = TestContext.Current.CancellationToken;
    private readonly Clock _clock = new();

    [Fact]
    public async Task Deaths_of_the_process_use_up_no_attempt()
    {
        var handler = new Handler { Failures = 1 };
        await using var database = await OpenAsync(handler, new JobOptions { MaxAttempts = 2 });
        await PlantAsync(database, "a", crashes: 8);
        await using var worker = await Worker.StartAsync(database);

        await UntilAsync(async () =>
        {
            var job = await JobAsync(database, "a");
            if (job is { State: JobState.Waiting } || handler.Ran("a") == 0)
            {
                _clock.Advance(TimeSpan.FromMinutes(1)); // not while it runs: that minute is a death, too
            }

            return job is null;
        });

        Assert.Equal(2, handler.Ran("a"));
        Assert.Empty(handler.GivenUp);
    }

    [Fact]
    public async Task A_job_that_died_with_its_process_runs_again_at_once_the_first_time_and_later_after_that()
    {
        var handler = new Handler();
        await using var database = await OpenAsync(handler);
        await PlantAsync(database, "first", crashes: 0);
        await PlantAsync(database, "fifth", crashes: 4);
        await using var worker = await Worker.StartAsync(database);

        await UntilAsync(() => handler.Ran("first") == 1);
        await Task.Delay(1200, Now);

        Assert.Equal(0, handler.Ran("fifth"));
        Assert.Equal(_clock.GetUtcNow() + TimeSpan.FromSeconds(30), (await JobAsync(database, "fifth"))!.DueAt);
        _clock.Advance(TimeSpan.FromSeconds(30));
        await UntilAsync(() => handler.Ran("fifth") == 1);
    }

    [Fact]
    public async Task A_job_that_takes_the_process_down_every_time_is_given_up_without_running_again()
    {
        var handler = new Handler();
        await using var database = await OpenAsync(handler, new JobOptions { MaxCrashes = 3 });
        await PlantAsync(database, "a", crashes: 2);
        await using var worker = await Worker.StartAsync(database);

        await UntilAsync(async () =>
        {
            if (handler.GivenUp.Count == 0)
            {
                _clock.Advance(TimeSpan.FromMinutes(1)); // not while it is given up: that minute is a death, too
            }

            return await JobAsync(database, "a") is { State: JobState.Dead };
        });

        Assert.Equal(["a: the gateway died 3 times while it ran"], handler.GivenUp);
        Assert.Equal(0, handler.Ran("a"));
    }

    [Fact]
    public async Task Of_jobs_that_ran_when_the_process_died_one_runs_at_a_time_beside_others()
    {
        var handler = new Handler { Hold = true };
        await using var database = await OpenAsync(handler, new JobOptions { Workers = 3 });
        await PlantAsync(database, "suspect1", crashes: 0);
        await PlantAsync(database, "suspect2", crashes: 0);
        await PlantAsync(database, "fresh", crashes: 0, JobState.Waiting);
        await using var worker = await Worker.StartAsync(database);

        await UntilAsync(() => handler.Total == 2);
        await Task.Delay(1200, Now);

        Assert.Equal(2, handler.Total);
        Assert.Equal(1, handler.Ran("fresh"));
        handler.Release();
        await UntilAsync(() => handler.Total == 3);
    }

    [Fact]
    public async Task A_stop_counts_neither_as_a_failure_nor_as_a_death()
    {
        var handler = new Handler { Hold = true };
        await using var database = await OpenAsync(handler);
        await PlantAsync(database, "a", crashes: 0, JobState.Waiting);
        await using (await Worker.StartAsync(database))
        {
            await UntilAsync(() => handler.Total == 1);
        }

        var job = await JobAsync(database, "a");

        Assert.Equal((JobState.Waiting, 0, 0), (job!.State, job.Attempts, job.Crashes));
    }

    [Fact]
    public async Task Giving_up_that_fails_is_tried_again()
    {
        var handler = new Handler { Failures = 1, GiveUpFailures = 1 };
        await using var database = await OpenAsync(handler, new JobOptions { MaxAttempts = 1 });
        await PlantAsync(database, "a", crashes: 0, JobState.Waiting);
        await using var worker = await Worker.StartAsync(database);

        await UntilAsync(async () => await JobAsync(database, "a") is { State: JobState.Waiting, Attempts: 1 });
        _clock.Advance(TimeSpan.FromMinutes(2));
        await UntilAsync(async () => await JobAsync(database, "a") is { State: JobState.Dead });

        Assert.Equal(1, handler.Ran("a"));
        Assert.Equal(2, handler.GivenUp.Count);
    }

    private Task<TestDatabase> OpenAsync(Handler handler, JobOptions? options = null) =>
        TestDatabase.StartAsync(
            services => services.AddSingleton<IJobHandler>(handler).AddSingleton(options ?? new JobOptions()),
            clock: _clock
        );

    private static Task PlantAsync(TestDatabase database, string key, int crashes, JobState state = JobState.Running) =>
        database.Writer.WriteAsync<Unit>(
            (session, _) =>
            {
                session.Db.Add(
                    new JobRow
                    {
                        Id = Guid.CreateVersion7(session.Now),
                        Kind = "test.job",
                        Key = key,
                        Payload = key,
                        State = state,
                        Crashes = crashes,
                        DueAt = session.Now,
                        CreatedAt = session.Now,
                    }
                );
                return Task.FromResult<Result<Unit>>(default(Unit));
            },
            Now
        );

    private static async Task<JobRow?> JobAsync(TestDatabase database, string key)
    {
        await using var db = database.Read();
        return await db.Set<JobRow>().AsNoTracking().SingleOrDefaultAsync(job => job.Key == key, Now);
    }

    private static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        for (var i = 0; i < 400 && !await condition(); i++)
        {
            await Task.Delay(50, Now);
        }

        Assert.True(await condition());
    }

    /// <summary>The hosted worker of a database, stopped as the host stops it.</summary>
    private sealed class Worker : IAsyncDisposable
    {
        private readonly List<IHostedService> _hosted;

        private Worker(IEnumerable<IHostedService> hosted) => _hosted = [.. hosted];

        public static async Task<Worker> StartAsync(TestDatabase database)
        {
            var worker = new Worker(database.Services.GetServices<IHostedService>());
            foreach (var hosted in worker._hosted)
            {
                await hosted.StartAsync(Now);
            }

            return worker;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var hosted in _hosted)
            {
                await hosted.StopAsync(CancellationToken.None);
            }
        }
    }

    private sealed class Clock : TimeProvider
    {
        private long _ms = 1_800_000_000_000;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeMilliseconds(Volatile.Read(ref _ms));

        public void Advance(TimeSpan by) => Interlocked.Add(ref _ms, (long)by.TotalMilliseconds);
    }

    private sealed class Handler : IJobHandler
    {
        private readonly ConcurrentQueue<string> _runs = new();
        private readonly ConcurrentQueue<string> _givenUp = new();
        private readonly TaskCompletionSource _gate = new();

        public int Failures { get; init; }

        public int GiveUpFailures { get; init; }

        public bool Hold { get; init; }

        public string Kind => "test.job";

        public int Total => _runs.Count;

        public IReadOnlyCollection<string> GivenUp => _givenUp;

        public int Ran(string key) => _runs.Count(run => run == key);

        public void Release() => _gate.SetResult();

        public async Task RunAsync(string payload, CancellationToken cancellationToken)
        {
            _runs.Enqueue(payload);
            if (Hold)
            {
                await _gate.Task.WaitAsync(cancellationToken);
            }

            if (_runs.Count <= Failures)
            {
                throw new IOException("planted");
            }
        }

        public Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken)
        {
            _givenUp.Enqueue($"{payload}: {reason}");
            return _givenUp.Count <= GiveUpFailures ? throw new IOException("planted") : Task.CompletedTask;
        }
    }
}
