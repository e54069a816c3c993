using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Runs;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace Governance.Registry.Upstream;

/// <summary>
/// Takes over experiments, runs and logged models that upstream has and the gateway has not, under upstream's ids. They belong to
/// nobody: grants by pattern decide. Files stay where they are until somebody registers them. Goes on where it stopped, since
/// what is here already is passed over.
/// </summary>
internal sealed partial class TrackingAdoption(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    UpstreamClient client,
    TimeProvider clock,
    ILogger<TrackingAdoption> logger
)
{
    /// <summary>How long a run that upstream failed to read is left alone; whoever asks for it by its id need not wait.</summary>
    public static readonly TimeSpan SkippedFor = TimeSpan.FromMinutes(10);

    private const string SkippedRun = "run:";
    private const int RetriedAtOnce = 10;
    private const int RunsPerPage = 200;
    private const int HistoryPage = 25_000;
    private const int MaxPagesAtOnce = 10_000;

    /// <summary>
    /// One sweep; null when upstream said everything that it can say. The first one reads all, later ones stop at what is known. A
    /// run that upstream itself fails to read hides nothing else; it is remembered, and asked for again by its id now and then.
    /// </summary>
    public async Task<Failure?> SweepAsync(CancellationToken cancellationToken)
    {
        var experiments = new List<RemoteExperiment>();
        var pages = client.Reader.PagesAsync(
            token => client.Reader.ExperimentsAsync(RemoteView.All, 1000, token, cancellationToken),
            cancellationToken
        );
        await foreach (var page in pages)
        {
            if (!page.Ok)
            {
                return page.Failure;
            }

            experiments.AddRange(page.Value.Items.Where(item => item.Value.Ok).Select(item => item.Value.Value));
        }

        await ExperimentsAsync(experiments, cancellationToken);
        foreach (var experiment in experiments.Where(one => ArtifactAddress.TryExperiment(one.Id, out _)))
        {
            if (
                (
                    await RunsAsync(experiment.Id, cancellationToken)
                    ?? await LoggedModelsAsync(experiment.Id, cancellationToken)
                ) is
                { } failure
            )
            {
                return failure;
            }
        }

        return await SkippedAsync(cancellationToken);
    }

    /// <summary>Takes over one run, and its experiment first.</summary>
    public async Task<Failure?> AdoptRunAsync(string id, CancellationToken cancellationToken)
    {
        var run = await client.Reader.RunAsync(id, cancellationToken);
        return !run.Ok ? run.Failure
            : await AdoptExperimentAsync(run.Value.ExperimentId, cancellationToken) is { } failure ? failure
            : (await RunAsync(run.Value, cancellationToken)).Failure;
    }

    public async Task<Failure?> AdoptLoggedModelAsync(string id, CancellationToken cancellationToken)
    {
        var model = await client.Reader.LoggedModelAsync(id, cancellationToken);
        if (!model.Ok)
        {
            return model.Failure;
        }

        if (await AdoptExperimentAsync(model.Value.ExperimentId, cancellationToken) is { } failure)
        {
            return failure;
        }

        await WriteAsync(
            "logged_models",
            async (session, token) => await AddLoggedModelAsync(session, model.Value, token) ? 1 : 0,
            cancellationToken
        );
        return null;
    }

    public async Task<Failure?> AdoptExperimentAsync(string id, CancellationToken cancellationToken) =>
        await AdoptAsync(await client.Reader.ExperimentAsync(id, cancellationToken), cancellationToken);

    public async Task<Failure?> AdoptExperimentNamedAsync(string name, CancellationToken cancellationToken) =>
        await AdoptAsync(await client.Reader.ExperimentNamedAsync(name, cancellationToken), cancellationToken);

    private async Task<Failure?> AdoptAsync(Result<RemoteExperiment> found, CancellationToken cancellationToken)
    {
        if (!found.Ok)
        {
            return found.Failure;
        }

        await ExperimentsAsync([found.Value], cancellationToken);
        return null;
    }

    private async Task ExperimentsAsync(List<RemoteExperiment> theirs, CancellationToken cancellationToken)
    {
        foreach (var batch in theirs.Chunk(RunsPerPage))
        {
            var found = new List<RemoteExperiment>();
            var known = await KnownAsync(batch, cancellationToken);
            foreach (var experiment in batch.Where(experiment => !known.Contains(experiment.Id)))
            {
                if (
                    await IsTheirsAsync(
                        experiment.Tags,
                        async () =>
                            await client.Reader.ExperimentAsync(experiment.Id, cancellationToken)
                                is { Ok: true, Value.Deleted: false },
                        cancellationToken
                    )
                )
                {
                    found.Add(experiment);
                }
            }

            await WriteAsync(
                "experiments",
                async (session, token) =>
                {
                    var added = 0;
                    foreach (var experiment in found)
                    {
                        added += await AddExperimentAsync(session, experiment, token) ? 1 : 0;
                    }

                    return added;
                },
                cancellationToken
            );
        }
    }

    private async Task<HashSet<string>> KnownAsync(
        IReadOnlyCollection<RemoteExperiment> theirs,
        CancellationToken cancellationToken
    )
    {
        var ids = theirs
            .Select(experiment => ArtifactAddress.TryExperiment(experiment.Id, out var id) ? id : -1)
            .ToList();
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var known = await db.Set<ExperimentRow>()
            .Where(row => ids.Contains(row.Id))
            .Select(row => row.Id)
            .ToListAsync(cancellationToken);
        return [.. known.Select(id => id.ToString(CultureInfo.InvariantCulture))];
    }

    private static async Task<bool> AddExperimentAsync(
        WriteSession session,
        RemoteExperiment experiment,
        CancellationToken cancellationToken
    )
    {
        var rows = session.Db.Set<ExperimentRow>();
        // One that an open intent names is being made now.
        if (
            !ArtifactAddress.TryExperiment(experiment.Id, out var id)
            || await IsIntendedAsync(session.Db, experiment.Tags, cancellationToken)
            || await rows.AnyAsync(row => row.Id == id || row.Name == experiment.Name, cancellationToken)
        )
        {
            return false;
        }

        rows.Add(
            new ExperimentRow
            {
                Id = id,
                Name = experiment.Name,
                OwnerId = Actor.System.Id,
                Deleted = experiment.Deleted,
                CreatedMs = experiment.CreatedMs ?? 0,
                UpdatedMs = experiment.UpdatedMs ?? 0,
            }
        );
        await Labels.SetAsync(session.Db, LabelScope.ExperimentTag, experiment.Id, experiment.Tags, cancellationToken);
        return true;
    }

    // Newest first, until a page brings nothing new.
    private async Task<Failure?> RunsAsync(string experiment, CancellationToken cancellationToken)
    {
        string? token = null;
        for (var page = 0; page < MaxPagesAtOnce; page++)
        {
            var body = new JsonObject
            {
                ["experiment_ids"] = new JsonArray(experiment),
                ["run_view_type"] = "ALL",
                ["order_by"] = new JsonArray("attributes.start_time DESC"),
                ["max_results"] = RunsPerPage,
            }.With("page_token", token);
            var answer = await client.SendAsync(UpstreamRoute.SearchRuns, body, cancellationToken);
            if (!answer.Ok)
            {
                return answer.Failure;
            }

            var runs = RemoteReading.Guard(() =>
                RemoteReading.Page(answer.Value, "runs", RunsPerPage, RemoteReading.Run)
            );
            if (!runs.Ok)
            {
                return runs.Failure;
            }

            var added = 0;
            var theirs = runs.Value.Items.Where(item => item.Value.Ok).Select(item => item.Value.Value).ToList();
            var skipped = await SkippedOfAsync(theirs, cancellationToken);
            foreach (var run in theirs.Where(run => !skipped.Contains(SkippedRun + run.Id)))
            {
                var adopted = await RunAsync(run, cancellationToken);
                if (adopted.Ok)
                {
                    added += adopted.Value ? 1 : 0;
                }
                else if (adopted.Failure.Kind == FailureKind.Unavailable)
                {
                    return adopted.Failure;
                }
                else
                {
                    await SkipAsync(run.Id, adopted.Failure, cancellationToken);
                }
            }

            token = runs.Value.Next;
            if (token is null || (added == 0 && await IsCompleteAsync(experiment, cancellationToken)))
            {
                break;
            }
        }

        await CompleteAsync(experiment, cancellationToken);
        return null;
    }

    private async Task<HashSet<string>> SkippedOfAsync(List<RemoteRun> runs, CancellationToken cancellationToken)
    {
        var names = runs.ConvertAll(run => SkippedRun + run.Id);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<UpstreamProgressRow>()
            .Where(row => names.Contains(row.Name))
            .Select(row => row.Name)
            .ToHashSetAsync(StringComparer.Ordinal, cancellationToken);
    }

    // Those that have waited longest, a few at a time.
    private async Task<Failure?> SkippedAsync(CancellationToken cancellationToken)
    {
        var due = (clock.GetUtcNow() - SkippedFor).ToUnixTimeMilliseconds();
        List<string> names;
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            names = await db.Set<UpstreamProgressRow>()
                .Where(row => row.Name.StartsWith(SkippedRun) && row.UpdatedMs <= due)
                .OrderBy(row => row.UpdatedMs)
                .Select(row => row.Name)
                .Take(RetriedAtOnce)
                .ToListAsync(cancellationToken);
        }

        foreach (var name in names)
        {
            var id = name[SkippedRun.Length..];
            var failure = await AdoptRunAsync(id, cancellationToken);
            if (failure is null || failure == RemoteFailures.NotFound)
            {
                await ForgetAsync(name, cancellationToken);
            }
            else
            {
                await SkipAsync(id, failure, cancellationToken);
            }

            if (failure is { Kind: FailureKind.Unavailable })
            {
                return failure;
            }
        }

        return null;
    }

    private async Task SkipAsync(string run, Failure failure, CancellationToken cancellationToken)
    {
        Skipped(logger, run, failure.Code);
        await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var row = await session.Db.Set<UpstreamProgressRow>().FindAsync([SkippedRun + run], token);
                if (row is null)
                {
                    row = new UpstreamProgressRow { Name = SkippedRun + run };
                    session.Db.Add(row);
                }

                (row.Value, row.UpdatedMs) = (failure.Code, session.Now.ToUnixTimeMilliseconds());
                return default(Unit);
            },
            cancellationToken
        );
    }

    private Task ForgetAsync(string name, CancellationToken cancellationToken) =>
        writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                await session.Db.Set<UpstreamProgressRow>().Where(row => row.Name == name).ExecuteDeleteAsync(token);
                return default(Unit);
            },
            cancellationToken
        );

    [LoggerMessage(4023, LogLevel.Warning, "Upstream cannot read its run {Run}: {Code}")]
    private static partial void Skipped(ILogger logger, string run, string code);

    private async Task<bool> IsCompleteAsync(string experiment, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var name = Progress(experiment);
        return await db.Set<UpstreamProgressRow>().AnyAsync(row => row.Name == name, cancellationToken);
    }

    private async Task CompleteAsync(string experiment, CancellationToken cancellationToken)
    {
        if (!await IsCompleteAsync(experiment, cancellationToken))
        {
            await writer.WriteAsync<Unit>(
                (session, _) =>
                {
                    session.Db.Add(
                        new UpstreamProgressRow
                        {
                            Name = Progress(experiment),
                            Value = "all",
                            UpdatedMs = session.Now.ToUnixTimeMilliseconds(),
                        }
                    );
                    return Task.FromResult<Result<Unit>>(default(Unit));
                },
                cancellationToken
            );
        }
    }

    private static string Progress(string experiment) => $"runs:{experiment}";

    private async Task<Result<bool>> RunAsync(RemoteRun run, CancellationToken cancellationToken)
    {
        if (!ArtifactAddress.IsRunId(run.Id) || !ArtifactAddress.TryExperiment(run.ExperimentId, out var experiment))
        {
            return false;
        }

        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            if (await db.Set<RunRow>().AnyAsync(row => row.RunId == run.Id, cancellationToken))
            {
                return false;
            }
        }

        if (
            !await IsTheirsAsync(
                run.Tags,
                async () =>
                    await client.Reader.RunAsync(run.Id, cancellationToken) is { Ok: true, Value.Deleted: false },
                cancellationToken
            )
        )
        {
            return false;
        }

        var history = await HistoryAsync(run, cancellationToken);
        if (!history.Ok)
        {
            return history.Failure;
        }

        await WriteAsync(
            "run",
            async (session, token) =>
            {
                if (
                    await session.Db.Set<RunRow>().AnyAsync(row => row.RunId == run.Id, token)
                    || await IsIntendedAsync(session.Db, run.Tags, token)
                    || !await session.Db.Set<ExperimentRow>().AnyAsync(row => row.Id == experiment, token)
                )
                {
                    return 0;
                }

                await AddRunAsync(session, run, experiment, history.Value, token);
                return 1;
            },
            cancellationToken
        );
        return true;
    }

    private static async Task AddRunAsync(
        WriteSession session,
        RemoteRun run,
        long experiment,
        IReadOnlyList<RemoteMetric> history,
        CancellationToken cancellationToken
    )
    {
        var db = session.Db;
        db.Add(
            new RunRow
            {
                RunId = run.Id,
                ExperimentId = experiment,
                OwnerId = Actor.System.Id,
                Name = run.Name,
                Status = run.Status,
                StartMs = run.StartMs,
                EndMs = run.EndMs,
                Deleted = run.Deleted,
            }
        );
        await Labels.SetAsync(db, LabelScope.RunTag, run.Id, run.Tags, cancellationToken);
        await Labels.SetAsync(db, LabelScope.RunParam, run.Id, run.Params, cancellationToken);
        db.AddRange(history.Select(metric => Metric(run.Id, metric)));
        db.AddRange(
            run.Metrics.DistinctBy(metric => metric.Key)
                .Select(metric => new LatestMetricRow
                {
                    RunId = run.Id,
                    Key = metric.Key,
                    Value = Stored(metric.Value),
                    IsNan = double.IsNaN(metric.Value),
                    TimestampMs = metric.TimestampMs,
                    Step = metric.Step,
                })
        );
        // A source that names a dataset of this gateway was bound by nobody here: it stays a name.
        db.AddRange(run.Inputs.Select(input => Input(run.Id, input)).DistinctBy(row => row.InputKey));
        db.AddRange(run.ModelInputs.Distinct().Select(model => new RunModelRow { RunId = run.Id, ModelId = model }));
        db.AddRange(
            run.ModelOutputs.DistinctBy(model => model.ModelId)
                .Select(model => new RunModelRow
                {
                    RunId = run.Id,
                    ModelId = model.ModelId,
                    IsOutput = true,
                    Step = model.Step,
                })
        );
        await KeepAsync(session, ArtifactAddress.OfRun(experiment, run.Id), cancellationToken);
    }

    private async Task<Result<IReadOnlyList<RemoteMetric>>> HistoryAsync(
        RemoteRun run,
        CancellationToken cancellationToken
    )
    {
        var all = new List<RemoteMetric>();
        foreach (var key in run.Metrics.Select(metric => metric.Key).Distinct(StringComparer.Ordinal))
        {
            var pages = client.Reader.PagesAsync(
                token => client.Reader.MetricHistoryAsync(run.Id, key, HistoryPage, token, cancellationToken),
                cancellationToken
            );
            await foreach (var page in pages)
            {
                if (!page.Ok)
                {
                    return page.Failure;
                }

                all.AddRange(page.Value.Items.Where(item => item.Value.Ok).Select(item => item.Value.Value));
            }
        }

        return all;
    }

    private async Task<Failure?> LoggedModelsAsync(string experiment, CancellationToken cancellationToken)
    {
        var pages = client.Reader.PagesAsync(
            token => client.Reader.LoggedModelsAsync(experiment, 50, token, cancellationToken),
            cancellationToken
        );
        await foreach (var page in pages)
        {
            if (!page.Ok)
            {
                // Servers before 3.0 have none.
                return page.Failure == RemoteFailures.NotFound ? null : page.Failure;
            }

            await WriteAsync(
                "logged_models",
                async (session, token) =>
                {
                    var added = 0;
                    foreach (var item in page.Value.Items.Where(item => item.Value.Ok))
                    {
                        added += await AddLoggedModelAsync(session, item.Value.Value, token) ? 1 : 0;
                    }

                    return added;
                },
                cancellationToken
            );
        }

        return null;
    }

    private static async Task<bool> AddLoggedModelAsync(
        WriteSession session,
        RemoteLoggedModel model,
        CancellationToken cancellationToken
    )
    {
        if (
            !ArtifactAddress.IsLoggedModelId(model.Id)
            || !ArtifactAddress.TryExperiment(model.ExperimentId, out var experiment)
            || await IsIntendedAsync(session.Db, model.Tags, cancellationToken)
            || await session.Db.Set<LoggedModelRow>().AnyAsync(row => row.ModelId == model.Id, cancellationToken)
        )
        {
            return false;
        }

        session.Db.Add(
            new LoggedModelRow
            {
                ModelId = model.Id,
                ExperimentId = experiment,
                OwnerId = Actor.System.Id,
                Name = model.Name,
                Status = model.Status,
                ModelType = model.ModelType,
                SourceRunId = model.SourceRunId,
                CreatedMs = model.CreatedMs ?? 0,
                UpdatedMs = model.UpdatedMs ?? 0,
            }
        );
        await Labels.SetAsync(session.Db, LabelScope.LoggedModelTag, model.Id, model.Tags, cancellationToken);
        await Labels.SetAsync(session.Db, LabelScope.LoggedModelParam, model.Id, model.Params, cancellationToken);
        await KeepAsync(session, ArtifactAddress.OfLoggedModel(experiment, model.Id), cancellationToken);
        return true;
    }

    private static async Task KeepAsync(WriteSession session, string container, CancellationToken cancellationToken)
    {
        if (await session.Db.Set<UpstreamAdoptedRow>().FindAsync([container], cancellationToken) is null)
        {
            session.Db.Add(new UpstreamAdoptedRow { Container = container });
        }
    }

    /// <summary>
    /// Whether somebody else made it, or it stays although the gateway made it. What carries an intent is being made or taken
    /// away while the intent is open; once that has ended, another look tells what is left, for the first one may be older.
    /// </summary>
    private async Task<bool> IsTheirsAsync(
        IEnumerable<(string Key, string Value)> tags,
        Func<Task<bool>> isThere,
        CancellationToken cancellationToken
    )
    {
        var labels = tags.ToList();
        if (!labels.Exists(tag => tag.Key == Differences.IntentTag))
        {
            return true;
        }

        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            if (await IsIntendedAsync(db, labels, cancellationToken))
            {
                return false;
            }
        }

        return await isThere();
    }

    /// <summary>Whether the gateway is making it now: its row is written by whoever asked for it.</summary>
    public static async Task<bool> IsIntendedAsync(
        GovernanceDb db,
        IEnumerable<(string Key, string Value)> tags,
        CancellationToken cancellationToken
    ) =>
        Guid.TryParseExact(tags.FirstOrDefault(tag => tag.Key == Differences.IntentTag).Value, "N", out var intent)
        && await db.Set<UpstreamIntentRow>().AnyAsync(row => row.Id == intent, cancellationToken);

    private static InputRow Input(string runId, RemoteInput input) =>
        LogInputs.Row(
            runId,
            input.Name,
            input.Digest,
            input.SourceType,
            input.Source,
            input.Schema,
            input.Profile,
            input.Tags,
            null
        );

    private static MetricRow Metric(string runId, RemoteMetric metric) =>
        new()
        {
            RunId = runId,
            Key = metric.Key,
            Value = Stored(metric.Value),
            IsNan = double.IsNaN(metric.Value),
            TimestampMs = metric.TimestampMs,
            Step = metric.Step,
            LoggedModelId = metric.ModelId,
            DatasetName = metric.DatasetName,
            DatasetDigest = metric.DatasetDigest,
        };

    private static double Stored(double value) =>
        double.IsNaN(value) ? 0 : Math.Clamp(value, double.MinValue, double.MaxValue);

    private async Task WriteAsync(
        string what,
        Func<WriteSession, CancellationToken, Task<int>> add,
        CancellationToken cancellationToken
    )
    {
        var written = await writer.WriteAsync<Unit>(
            async (session, token) =>
            {
                var added = await add(session, token);
                if (added > 0)
                {
                    await session.LogAsync(
                        new LogEntry("upstream.adopted", Actor.System, "", LogOutcome.Done)
                        {
                            Details = new JsonObject { ["what"] = what, ["count"] = added },
                        },
                        token
                    );
                }

                return default(Unit);
            },
            cancellationToken
        );
        if (!written.Ok)
        {
            throw new InvalidOperationException(written.Failure.Code);
        }
    }
}
