using System.Diagnostics;

namespace Governance.EndToEnd.Tests;

/// <summary>
/// The gateway dies by SIGKILL at seeded moments and is started again on the same data. Each seed is one installation that
/// dies once in every phase; the delay within the phase comes from the seed and from how long the phase took in a rehearsal.
/// </summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private enum Phase
    {
        Dataset,
        Run,
        Upload,
        Register,
        Evidence0,
        Evidence1,
        Evidence2,
        Evidence3,
        Evidence4,
        Decide,
        Move,
        MoveFreely,
        Sequence,
    }

    // 4 seeds × 13 phases = 52 kills; 39 × 13 = 507 in a long run.
    private static int Seeds => Environment.GetEnvironmentVariable("GOVERNANCE_LONG_TESTS") == "1" ? 39 : 4;

    [Fact]
    public Task What_was_acknowledged_survives_kill_9_and_nothing_half_written_is_seen() =>
        Parallel.ForEachAsync(
            Enumerable.Range(1, Seeds),
            new ParallelOptions
            {
                MaxDegreeOfParallelism = 2,
                CancellationToken = TestContext.Current.CancellationToken,
            },
            async (seed, token) => await DieInEveryPhaseAsync(seed, token)
        );

    private async Task DieInEveryPhaseAsync(int seed, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        using var gateway = new GatewayProcess();
        var installation = new Installation(gateway, new Random(seed), output, limit.Token);
        await installation.SetUpAsync();
        var order = Enum.GetValues<Phase>();
        new Random(seed).Shuffle(order);
        foreach (var phase in order)
        {
            await installation.DieAsync(seed, phase);
        }

        output.WriteLine($"seed {seed}: {installation.Summary}");
    }

    private sealed class Installation
    {
        private readonly GatewayProcess _gateway;
        private readonly Random _random;
        private readonly ITestOutputHelper _output;
        private readonly CancellationToken _token;
        private readonly Ledger _ledger = new();
        private readonly People _people;
        private readonly Workload _workload;
        private readonly Verification _verification;
        private readonly Dictionary<Phase, TimeSpan> _took = [];
        private readonly List<string> _checkpoints = [];
        private readonly List<double> _starts = [];
        private readonly List<double> _signed = [];
        private readonly Queue<string> _ready = new();
        private TimeSpan _firstStart;
        private string _beat = "";
        private int _kills;

        public Installation(GatewayProcess gateway, Random random, ITestOutputHelper output, CancellationToken token)
        {
            _gateway = gateway;
            _random = random;
            _output = output;
            _token = token;
            _people = new People(gateway);
            _workload = new Workload(_people, _ledger, random, token);
            _verification = new Verification(_people, _ledger, _workload, _checkpoints, token);
        }

        public string Summary =>
            $"{_kills} kills, {_ledger.Count} acknowledged facts, {_verification.Receipts} receipts, {_checkpoints.Count} checkpoints kept; "
            + $"start cold {_firstStart.TotalMilliseconds:F0} ms, warm median {Median(_starts):F0} ms (max {_starts.Max():F0}); "
            + $"commit to checkpoint median {Median(_signed):F0} ms (max {_signed.Max():F0})";

        /// <summary>Accounts, data, and every phase once without dying, to learn how long each takes.</summary>
        public async Task SetUpAsync()
        {
            _firstStart = await _gateway.StartAsync(_token);
            await _people.EnrolAsync(
                new Dictionary<string, string>
                {
                    ["dana"] = "data-scientist",
                    ["remy"] = "release-manager",
                    ["rita"] = "reviewer",
                    ["ada"] = "auditor",
                },
                _token
            );
            await _workload.PrepareAsync();
            await TimeAsync(Phase.Dataset, _workload.UploadDatasetAsync);
            await TimeAsync(Phase.Run, async () => _beat = await _workload.RunAsync());
            var model = "";
            await TimeAsync(Phase.Upload, async () => model = await _workload.PutAsync(_beat));
            var version = "";
            await TimeAsync(Phase.Register, async () => version = await _workload.RegisterAsync(_beat, model));
            await TimeAsync(Phase.Evidence0, () => _workload.ReadyAsync(version));
            await _workload.TagAsync(version, _beat);
            var request = "";
            await TimeAsync(Phase.Decide, async () => request = await _workload.RequestAsync(version));
            await TimeAsync(Phase.Move, () => _workload.MoveAsync(version, request));
            var other = await _workload.MakeReadyVersionAsync();
            await TimeAsync(Phase.MoveFreely, () => _workload.MoveFreelyAsync(other));
            await HoldsAsync("rehearsal");
        }

        /// <summary>Brings the gateway into a phase, kills it there, starts it again and checks everything.</summary>
        public async Task DieAsync(int seed, Phase phase)
        {
            var delay = Delay(phase);
            var moment = $"seed {seed}, {phase} + {delay.TotalMilliseconds:F1} ms";
            await _verification.KeepCheckpointAsync();
            var work = phase switch
            {
                Phase.Dataset => Later(delay, _workload.UploadDatasetAsync),
                Phase.Run => Later(delay, _workload.RunAsync),
                Phase.Upload => await UploadingAsync(delay),
                Phase.Register => await RegisteringAsync(delay),
                Phase.Decide => await DecidingAsync(delay),
                Phase.Move => await MovingAsync(delay),
                Phase.MoveFreely => await MovingFreelyAsync(delay),
                Phase.Sequence => await SequencingAsync(delay),
                _ => await ProducingAsync(delay),
            };
            _gateway.Kill();
            _kills++;
            var finished = await EndedAsync(work);
            moment += $" ({(finished ? "all answered" : "interrupted")}; {_gateway.Remains()})";
            _starts.Add((await _gateway.StartAsync(_token)).TotalMilliseconds);
            await HoldsAsync(moment);
            await MeasureSigningAsync(moment);
        }

        // The jobs of a version share one span, a fifth of it for each.
        private TimeSpan Delay(Phase phase) =>
            phase is >= Phase.Evidence0 and <= Phase.Evidence4
                ? _took[Phase.Evidence0] * ((phase - Phase.Evidence0 + _random.NextDouble()) / 5)
                : _took.GetValueOrDefault(phase, TimeSpan.FromMilliseconds(40)) * 1.1 * _random.NextDouble();

        private async Task HoldsAsync(string moment)
        {
            var problems = await _verification.RunAsync();
            _output.WriteLine($"{moment}: {_ledger.Count} facts, {problems.Count} problems");
            Assert.True(
                problems.Count == 0,
                $"{moment}:\n{string.Join('\n', problems)}\n--- gateway ---\n{_gateway.Output}"
            );
        }

        // The sequence continues after the restart: a new commit comes under a larger checkpoint.
        private async Task MeasureSigningAsync(string moment)
        {
            var before = await _verification.KeepCheckpointAsync();
            await _workload.LogMetricAsync(_beat);
            var clock = Stopwatch.StartNew();
            while (await _verification.KeepCheckpointAsync() <= before)
            {
                Assert.True(clock.Elapsed < TimeSpan.FromSeconds(15), $"{moment}: no checkpoint follows a commit");
                _checkpoints.RemoveAt(_checkpoints.Count - 1);
                await Task.Delay(5, _token);
            }

            _signed.Add(clock.Elapsed.TotalMilliseconds);
        }

        private async Task<Task> UploadingAsync(TimeSpan delay)
        {
            var run = await _workload.RunAsync();
            return Later(delay, () => _workload.PutAsync(run));
        }

        private async Task<Task> RegisteringAsync(TimeSpan delay)
        {
            var run = await _workload.RunAsync();
            var model = await _workload.PutAsync(run);
            return Later(delay, async () => _ready.Enqueue(await _workload.RegisterAsync(run, model)));
        }

        // Dies while the version's jobs are at work.
        private async Task<Task> ProducingAsync(TimeSpan delay)
        {
            var run = await _workload.RunAsync();
            _ready.Enqueue(await _workload.RegisterAsync(run, await _workload.PutAsync(run)));
            return Later(delay, () => Task.CompletedTask);
        }

        private async Task<Task> DecidingAsync(TimeSpan delay)
        {
            var version = await ReadyVersionAsync();
            return Later(delay, () => _workload.RequestAsync(version));
        }

        private async Task<Task> MovingAsync(TimeSpan delay)
        {
            var version = await ReadyVersionAsync();
            var request = await _workload.RequestAsync(version);
            return Later(delay, () => _workload.MoveAsync(version, request));
        }

        private async Task<Task> MovingFreelyAsync(TimeSpan delay)
        {
            var version = await ReadyVersionAsync();
            return Later(delay, () => _workload.MoveFreelyAsync(version));
        }

        private async Task<Task> SequencingAsync(TimeSpan delay)
        {
            var run = await _workload.RunAsync();
            var acknowledged = 0;
            var work = _workload.LogMetricsAsync(run, () => Interlocked.Increment(ref acknowledged));
            var enough = _random.Next(4, 40);
            while (Volatile.Read(ref acknowledged) < enough && !work.IsCompleted)
            {
                await Task.Delay(1, _token);
            }

            Wait(delay);
            return work;
        }

        private async Task<string> ReadyVersionAsync()
        {
            if (!_ready.TryDequeue(out var version))
            {
                return await _workload.MakeReadyVersionAsync();
            }

            await _workload.ReadyAsync(version);
            return version;
        }

        private static Task Later(TimeSpan delay, Func<Task> work)
        {
            var running = Task.Run(work);
            Wait(delay);
            return running;
        }

        // Finer than a timer tick of the task scheduler.
        private static void Wait(TimeSpan delay)
        {
            var clock = Stopwatch.StartNew();
            Thread.Sleep(delay - TimeSpan.FromMilliseconds(Math.Min(2, delay.TotalMilliseconds)));
            SpinWait.SpinUntil(() => clock.Elapsed >= delay);
        }

        // False when the kill interrupted it; an answer that is no answer of this product is an error of its own.
        private static async Task<bool> EndedAsync(Task work)
        {
            try
            {
                await work;
                return true;
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException)
            {
                return false;
            }
        }

        private async Task TimeAsync(Phase phase, Func<Task> work)
        {
            var clock = Stopwatch.StartNew();
            await work();
            _took[phase] = clock.Elapsed;
        }

        private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
    }
}
