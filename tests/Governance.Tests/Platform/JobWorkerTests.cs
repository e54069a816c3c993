using System.Collections.Concurrent;
using Governance.Kernel;
using Governance.Platform.Jobs;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Platform;

public class JobWorkerTests
{
    private static readonly CancellationToken Now = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_job_runs_once_and_is_gone()
    {
        var handler = new Handler(failures: 0);
        await using var database = await StartAsync(handler, maxAttempts: 3);

        await EnqueueAsync(database, "a");
        await handler.Ran(1);

        await UntilAsync(async () =>
        {
            await using var db = database.Read();
            return !await db.Set<JobRow>().AnyAsync(Now);
        });
        Assert.Equal(["a"], handler.Payloads);
    }

    [Fact]
    public async Task A_job_that_always_fails_gives_up_visibly()
    {
        var handler = new Handler(failures: 99);
        await using var database = await StartAsync(handler, maxAttempts: 2);

        await EnqueueAsync(database, "a");
        Assert.Equal("it failed 2 times", await handler.GivenUp.Task.WaitAsync(TimeSpan.FromSeconds(20), Now));

        await UntilAsync(async () =>
        {
            await using var db = database.Read();
            return await db.Set<JobRow>()
                .AnyAsync(job => job.State == JobState.Dead && job.LastError == "IOException", Now);
        });
        Assert.Equal(2, handler.Payloads.Count);
    }

    [Fact]
    public async Task A_job_made_while_one_of_its_key_runs_starts_after_it()
    {
        var handler = new Gated();
        await using var database = await TestDatabase.StartAsync(
            services => services.AddSingleton<IJobHandler>(handler),
            startHosted: true
        );

        await EnqueueAsync(database, "a");
        await UntilAsync(() => Task.FromResult(handler.Started == 1));
        await EnqueueAsync(database, "a");
        await Task.Delay(1500, Now);
        var before = handler.Started;
        handler.Gate.SetResult();
        await UntilAsync(() => Task.FromResult(handler.Started == 2));

        Assert.Equal(1, before);
    }

    [Fact]
    public async Task Jobs_that_wait_for_others_keep_no_other_job_waiting()
    {
        var (stuck, handler) = (new Gated("test.stuck"), new Handler(failures: 0));
        await using var database = await TestDatabase.StartAsync(
            services => services.AddSingleton<IJobHandler>(stuck).AddSingleton<IJobHandler>(handler),
            startHosted: true
        );
        for (var i = 0; i < 10; i++)
        {
            await EnqueueAsync(database, $"{i}", "test.stuck", outbound: true);
        }

        await UntilAsync(() => Task.FromResult(stuck.Started == 2));
        await EnqueueAsync(database, "a");
        await handler.Ran(1);

        Assert.Equal(2, stuck.Started);
        stuck.Gate.SetResult();
        await UntilAsync(() => Task.FromResult(stuck.Started == 10));
    }

    [Fact]
    public async Task A_postponed_job_runs_again_and_counts_no_failure()
    {
        var handler = new Postponing();
        await using var database = await TestDatabase.StartAsync(
            services => services.AddSingleton<IJobHandler>(handler).AddSingleton(new JobOptions { MaxAttempts = 1 }),
            startHosted: true
        );

        await EnqueueAsync(database, "a");

        await UntilAsync(async () =>
        {
            await using var db = database.Read();
            return handler.Runs == 3 && !await db.Set<JobRow>().AnyAsync(Now);
        });
    }

    private sealed class Postponing : IJobHandler
    {
        private int _runs;

        public string Kind => "test.job";

        public int Runs => Volatile.Read(ref _runs);

        public Task RunAsync(string payload, CancellationToken cancellationToken) =>
            Interlocked.Increment(ref _runs) < 3
                ? throw new JobPostponedException(TimeSpan.FromMilliseconds(10))
                : Task.CompletedTask;

        public Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("A postponed job is not given up.");
    }

    private sealed class Gated(string kind = "test.job") : IJobHandler
    {
        private int _started;

        public string Kind => kind;

        public int Started => Volatile.Read(ref _started);

        public TaskCompletionSource Gate { get; } = new();

        public Task RunAsync(string payload, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _started);
            return Gate.Task.WaitAsync(cancellationToken);
        }

        public Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken) =>
            Task.CompletedTask;
    }

    private static Task<TestDatabase> StartAsync(Handler handler, int maxAttempts) =>
        TestDatabase.StartAsync(
            services =>
                services.AddSingleton<IJobHandler>(handler).AddSingleton(new JobOptions { MaxAttempts = maxAttempts }),
            startHosted: true
        );

    private static Task EnqueueAsync(
        TestDatabase database,
        string payload,
        string kind = "test.job",
        bool outbound = false
    ) =>
        database.Writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.EnqueueAsync(new JobRequest(kind, payload, payload) { Outbound = outbound }, token);
                return default(Unit);
            },
            Now
        );

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        for (var i = 0; i < 200 && !await condition(); i++)
        {
            await Task.Delay(50, Now);
        }

        Assert.True(await condition());
    }

    private sealed class Handler(int failures) : IJobHandler
    {
        private readonly ConcurrentQueue<string> _payloads = new();

        public string Kind => "test.job";

        public IReadOnlyCollection<string> Payloads => _payloads;

        public TaskCompletionSource<string> GivenUp { get; } = new();

        public Task RunAsync(string payload, CancellationToken cancellationToken)
        {
            _payloads.Enqueue(payload);
            return _payloads.Count <= failures ? throw new IOException("planted") : Task.CompletedTask;
        }

        public Task GiveUpAsync(string payload, string reason, CancellationToken cancellationToken)
        {
            GivenUp.TrySetResult(reason);
            return Task.CompletedTask;
        }

        public Task Ran(int count) => UntilAsync(() => Task.FromResult(_payloads.Count >= count));
    }
}
