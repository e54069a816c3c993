using System.Diagnostics;

namespace Governance.EndToEnd.Tests;

/// <summary>One gateway on its own data, its people, and what they hold; it dies and rises.</summary>
internal sealed class Installation
{
    private static readonly IReadOnlyDictionary<Phase, string> Jobs = new Dictionary<Phase, string>
    {
        [Phase.DatasetScan] = "privacy.scan",
        [Phase.Scan] = "evidence.scan",
        [Phase.ScanOfMalice] = "evidence.scan",
        [Phase.Sbom] = "evidence.sbom",
        [Phase.Signature] = "evidence.signature",
        [Phase.Lineage] = "evidence.lineage",
        [Phase.Privacy] = "evidence.privacy",
        [Phase.Erase] = "identity.erase",
    };

    private readonly GatewayProcess _gateway;
    private readonly UpstreamProcess? _upstream;
    private readonly Random _random;
    private readonly ITestOutputHelper _output;
    private readonly CancellationToken _token;
    private readonly Ledger _ledger = new();
    private readonly Flight _flight = new();
    private readonly Workload _workload;
    private readonly People _people;
    private readonly Verification _verification;
    private readonly List<string> _checkpoints = [];
    private readonly List<double> _starts = [];
    private readonly List<double> _signed = [];
    private readonly List<double> _checks = [];
    private readonly Queue<string> _ready = new();
    private Func<Task>? _again;
    private Action? _release;
    private TimeSpan _firstStart;
    private string _beat = "";
    private string _model = "";
    private string _version = "";

    public Installation(
        GatewayProcess gateway,
        UpstreamProcess? upstream,
        Random random,
        ITestOutputHelper output,
        CancellationToken token
    )
    {
        (_gateway, _upstream) = (gateway, upstream);
        _random = random;
        _output = output;
        _token = token;
        _people = new People(gateway);
        _workload = new Workload(_people, _ledger, _flight, random, token);
        _verification = new Verification(_people, _ledger, _workload, _checkpoints, upstream, token);
    }

    /// <summary>How often it died.</summary>
    public int Kills { get; private set; }

    public string Summary =>
        $"{Kills} kills, {_ledger.Count} acknowledged facts, {_verification.Receipts} receipts, {_verification.Malicious} malicious versions, "
        + $"{_checkpoints.Count} checkpoints kept; start cold {_firstStart.TotalMilliseconds:F0} ms, warm {Spread(_starts)}; "
        + $"check {Spread(_checks)}; commit to checkpoint {Spread(_signed)}";

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
        await _workload.UploadDataset(_ => Task.CompletedTask).Work;
        await (await _workload.UploadLargeAsync(Phase.Stored, _ => Task.CompletedTask)).Work;
        _beat = await _workload.RunAsync();
        _model = await _workload.PutAsync(_beat);
        var version = _version = await _workload.RegisterAsync(_beat, _model);
        await _workload.ReadyAsync(version);
        await _workload.TagAsync(version, _beat);
        var request = await _workload.RequestAsync(version);
        await _workload.ApproveAsync(request);
        await _workload.MoveAsync(version, request);
        await _workload.MoveFreelyAsync(await _workload.MakeReadyVersionAsync());
        await _workload.TagFreelyAsync(version);
        await _workload.DeleteAsync(await _workload.MakeDoomedAsync(_model));
        var (key, number) = await _workload.ChooseKeyAsync();
        await _workload.RotateAsync(key, number);
        var (person, confirmation) = await _workload.AskToEraseAsync();
        await _workload.ConfirmAsync(person, confirmation);
        await HoldsAsync("rehearsal");
    }

    /// <summary>
    /// Brings the gateway into a phase, kills it there, starts it again and checks everything. Gives back the phases that the
    /// kill met; none, and no kill, when the phase was over too soon.
    /// </summary>
    public async Task<IReadOnlySet<string>> DieAsync(int seed, Phase phase)
    {
        (_again, _release) = (null, null);
        await _verification.KeepCheckpointAsync();
        var (work, there) = await ReachAsync(phase);
        if (!there)
        {
            await work;
            return new HashSet<string>();
        }

        _gateway.Kill();
        Kills++;
        _release?.Invoke();
        await EndedAsync(work);
        var remains = _gateway.Remains();
        var met = Met(phase, remains);
        var moment = $"seed {seed}, kill {Kills}, {phase} {(met.Contains(phase) ? "met" : "missed")} ({remains})";
        var broken = _gateway.BrokenBlobs();
        Assert.True(broken.Count == 0, $"{moment}: {string.Join(", ", broken)}");
        var cutOff = _gateway.HalfWritten().Select(file => file.Name).ToHashSet();
        _starts.Add((await _gateway.StartAsync(_token)).TotalMilliseconds);
        var left = _gateway.HalfWritten().Select(file => file.Name).Where(cutOff.Contains).ToList();
        Assert.True(
            _gateway.IsShared || left.Count == 0,
            $"{moment}: still there after the start: {string.Join(", ", left)}"
        );
        await HoldsAsync(moment);
        await MeasureSigningAsync(moment);
        if (_again is { } again)
        {
            // What was cut off can be sent once more; the next check reads it back.
            await again();
        }

        return met.Select(one => $"{one}").ToHashSet();
    }

    /// <summary>
    /// Brings the gateway into a phase, kills the server behind it, starts that again and checks everything. Gives back what the gateway
    /// could not answer, by the name of the phase.
    /// </summary>
    public async Task<IReadOnlySet<string>> UpstreamDiesAsync(int seed, Phase phase)
    {
        var (work, there) = await ReachAsync(phase);
        if (!there)
        {
            await work;
            return new HashSet<string>();
        }

        _upstream!.Kill();
        Kills++;
        await EndedAsync(work);
        await _upstream.StartAsync(_token);
        var met = _flight.Interrupted().Select(one => $"{one} upstream").ToHashSet();
        await HoldsAsync($"seed {seed}, kill {Kills} upstream, {phase} {(met.Count > 0 ? "met" : "missed")}");
        return met;
    }

    private HashSet<Phase> Met(Phase aim, Remains remains)
    {
        var interrupted = _flight.Interrupted();
        var met = interrupted
            .Where(phase => phase is not (Phase.Upload or Phase.DatasetUpload) || remains.HalfWritten > 0)
            .Where(phase => _upstream is null || remains.Unmade > 0)
            .ToHashSet();
        met.UnionWith(
            Jobs.Where(job =>
                    remains.Running.Contains(job.Value)
                    && job.Key != (aim == Phase.ScanOfMalice ? Phase.Scan : Phase.ScanOfMalice)
                )
                .Select(job => job.Key)
        );
        if (remains.Unsequenced > 0)
        {
            met.Add(Phase.Sequence);
        }

        return met;
    }

    private async Task<(Task Work, bool There)> ReachAsync(Phase phase)
    {
        switch (phase)
        {
            case Phase.Run:
                return Answering(phase, _workload.RunAsync);
            case Phase.DatasetUpload or Phase.Upload:
                return await HalfwayAsync(phase);
            case Phase.Stored:
                return await StoringAsync();
            case Phase.Register:
            {
                var run = await _workload.RunAsync();
                var model = await _workload.PutAsync(run);
                return Answering(phase, async () => _ready.Enqueue(await _workload.RegisterAsync(run, model)));
            }

            case Phase.Decide:
            {
                var version = await ReadyVersionAsync();
                return Answering(phase, () => _workload.RequestAsync(version));
            }

            case Phase.Approve:
            {
                var request = await _workload.RequestAsync(await ReadyVersionAsync());
                return Answering(phase, () => _workload.ApproveAsync(request));
            }

            case Phase.Move:
            {
                var version = await ReadyVersionAsync();
                var request = await _workload.RequestAsync(version);
                await _workload.ApproveAsync(request);
                return Answering(phase, () => _workload.MoveAsync(version, request));
            }

            case Phase.MoveFreely:
            {
                var version = await ReadyVersionAsync();
                return Answering(phase, () => _workload.MoveFreelyAsync(version));
            }

            case Phase.Tag:
                return Answering(phase, () => _workload.TagFreelyAsync(_version));
            case Phase.Delete:
            {
                var doomed = await _workload.MakeDoomedAsync(_model);
                return Answering(phase, () => _workload.DeleteAsync(doomed));
            }

            case Phase.Rotate:
            {
                var (key, number) = await _workload.ChooseKeyAsync();
                return Answering(phase, () => _workload.RotateAsync(key, number));
            }

            case Phase.Confirm:
            {
                var (person, confirmation) = await _workload.AskToEraseAsync();
                return Answering(phase, () => _workload.ConfirmAsync(person, confirmation));
            }

            case Phase.Sequence:
                return await SequencingAsync();
            default:
                return await JobAsync(phase);
        }
    }

    // Somewhere between sending a request and its answer.
    private (Task Work, bool There) Answering(Phase phase, Func<Task> send)
    {
        var delay = _flight.Took(phase) * _random.NextDouble();
        var work = Task.Run(send);
        Wait(delay);
        WaitUntilUnmade(work);
        return (work, !work.IsCompleted);
    }

    // Before a server of somebody else a moment counts only when something has still to be made there.
    private void WaitUntilUnmade(Task work)
    {
        if (_upstream is not null)
        {
            using var live = _gateway.OpenLive();
            SpinWait.SpinUntil(() => work.IsCompleted || live.Unmade() > 0);
        }
    }

    // A seeded number of pieces is sent, and the next one not.
    private async Task<(Task Work, bool There)> HalfwayAsync(Phase phase)
    {
        var pieces = _random.Next(6, Workload.Pieces);
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var dead = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (work, again) =
            phase == Phase.Upload
                ? await _workload.UploadLargeAsync(phase, PauseAsync)
                : _workload.UploadDataset(PauseAsync);
        _again = again;
        await Task.WhenAny(sent.Task, work);
        var wait = Stopwatch.StartNew();
        while (wait.Elapsed < TimeSpan.FromSeconds(5) && !_gateway.HalfWritten().Any(file => file.Length > 0))
        {
            await Task.Delay(1, _token);
        }

        Wait(TimeSpan.FromMilliseconds(_random.NextDouble() * 5));
        _release = dead.SetResult;
        return (work, !work.IsCompleted);

        Task PauseAsync(int piece)
        {
            if (piece != pieces)
            {
                return Task.CompletedTask;
            }

            sent.TrySetResult();
            return dead.Task.WaitAsync(_token);
        }
    }

    // The last piece is on its way: the file is hashed, made durable, named, and committed.
    private async Task<(Task Work, bool There)> StoringAsync()
    {
        var last = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (work, again) = await _workload.UploadLargeAsync(Phase.Stored, PauseAsync);
        _again = again;
        await Task.WhenAny(last.Task, work);
        await Task.Delay(50, _token); // the server has what came before
        go.SetResult();
        Wait(TimeSpan.FromMilliseconds(_random.NextDouble() * (_upstream is null ? 25 : 5)));
        WaitUntilUnmade(work);
        return (work, !work.IsCompleted);

        Task PauseAsync(int piece)
        {
            if (piece != Workload.Pieces - 1)
            {
                return Task.CompletedTask;
            }

            last.TrySetResult();
            return go.Task.WaitAsync(_token);
        }
    }

    private async Task<(Task Work, bool There)> JobAsync(Phase phase)
    {
        var kind = Jobs[phase];
        Task<string> began;
        if (phase == Phase.DatasetScan)
        {
            began = _gateway.Jobs.NextAsync(kind);
            await _workload.UploadDataset(_ => Task.CompletedTask).Work;
        }
        else if (phase == Phase.Erase)
        {
            var (person, confirmation) = await _workload.AskToEraseAsync();
            began = _gateway.Jobs.NextAsync(kind);
            await _workload.ConfirmAsync(person, confirmation);
        }
        else
        {
            var malicious = phase == Phase.ScanOfMalice;
            var run = await _workload.RunAsync();
            var model = await _workload.PutAsync(run, malicious);
            began = _gateway.Jobs.NextAsync(kind);
            var version = await _workload.RegisterAsync(run, model);
            if (!malicious)
            {
                _ready.Enqueue(version);
            }
        }

        var job = await began.WaitAsync(TimeSpan.FromSeconds(30), _token);
        Wait(_gateway.Jobs.Took(kind) * (0.9 * _random.NextDouble()));
        return (Task.CompletedTask, _gateway.Jobs.Runs(job));
    }

    private async Task<(Task Work, bool There)> SequencingAsync()
    {
        var run = await _workload.RunAsync();
        var acknowledged = 0;
        var work = _workload.LogMetricsAsync(run, () => Interlocked.Increment(ref acknowledged));
        var enough = _random.Next(4, 40);
        SpinWait.SpinUntil(() => Volatile.Read(ref acknowledged) >= enough || work.IsCompleted);
        Wait(TimeSpan.FromMilliseconds(_random.NextDouble() * 3)); // a commit was just acknowledged
        return (work, true);
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

    private async Task HoldsAsync(string moment)
    {
        var clock = Stopwatch.StartNew();
        var problems = await _verification.RunAsync();
        _checks.Add(clock.Elapsed.TotalMilliseconds);
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

    // The kill ends it, or it was answered just before.
    private static async Task EndedAsync(Task work)
    {
        try
        {
            await work;
        }
        catch (Exception exception) when (Flight.IsDeath(exception))
        {
            // Neither acknowledged nor refused: the check finds out what became of it.
        }
    }

    // Finer than a timer tick of the task scheduler.
    private static void Wait(TimeSpan delay)
    {
        var clock = Stopwatch.StartNew();
        Thread.Sleep(delay - TimeSpan.FromMilliseconds(Math.Min(2, delay.TotalMilliseconds)));
        SpinWait.SpinUntil(() => clock.Elapsed >= delay);
    }

    private static string Spread(List<double> values) =>
        $"median {values.Order().ElementAt(values.Count / 2):F0} ms (max {values.Max():F0})";
}
