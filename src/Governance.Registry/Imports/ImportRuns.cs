using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Runs;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Imports;

/// <summary>Brings runs under their own ids: params, tags, every value of every metric, inputs, outputs and artifacts.</summary>
internal static class ImportRuns
{
    private const int PageSize = 100;
    private const int HistoryPage = 25_000;
    private const int MaxPoints = 2_000_000;
    private const int PointsPerUnit = 10_000;
    private static readonly string[] Ended = ["FINISHED", "FAILED", "KILLED"];

    public static async Task StepAsync(ImportUnits units, CancellationToken cancellationToken)
    {
        var import = units.Import;
        if (await ImportExperiments.CurrentAsync(units, cancellationToken) is not { } experiment)
        {
            await units.MoveOnAsync(ImportPhase.LoggedModels, "", null, cancellationToken);
            return;
        }

        var page = await ImportJob.PageAsync(
            token => units.Remote.RunsAsync(experiment.RemoteId, RemoteView.Active, PageSize, token, cancellationToken),
            import.PageToken
        );
        var known = await units.KnownAsync(
            ImportKinds.Run,
            page.Items.Select(item => item.Id).ToList(),
            cancellationToken
        );
        // A run that was open when this import saw it is not looked at twice by it.
        var whole = await units.EachAsync(
            page.Items.Where(item =>
                !known.TryGetValue(item.Id, out var row)
                || row.State == ImportedState.Partial
                || (row.State == ImportedState.Open && row.ImportId != import.Id)
            ),
            async (item, token) =>
            {
                var failure =
                    item.Value.Failure
                    ?? await BringAsync(units, experiment, item.Value.Value, known.GetValueOrDefault(item.Id), token);
                await units.SettleAsync(ImportKinds.Run, item.Id, failure, token);
            },
            cancellationToken
        );
        if (!whole)
        {
            return;
        }

        var next = page.Next is null
            ? await ImportExperiments.NextAsync(units, experiment.RemoteId, cancellationToken)
            : experiment;
        units.Count(
            ImportKinds.Run,
            page.Items.Count,
            known.Values.Count(row => row.ImportId != import.Id && row.State == ImportedState.Whole)
        );
        await units.MoveOnAsync(
            next is null ? ImportPhase.LoggedModels : ImportPhase.Runs,
            next?.RemoteId ?? "",
            page.Next,
            cancellationToken
        );
    }

    private static async Task<Failure?> BringAsync(
        ImportUnits units,
        ImportedRow experiment,
        RemoteRun run,
        ImportedRow? known,
        CancellationToken cancellationToken
    )
    {
        if (!ArtifactAddress.IsRunId(run.Id) || run.ExperimentId != experiment.RemoteId)
        {
            return ImportFailures.BadId;
        }

        await using (var db = await units.Ports.Databases.CreateDbContextAsync(cancellationToken))
        {
            if (known is null && await db.Set<RunRow>().AnyAsync(row => row.RunId == run.Id, cancellationToken))
            {
                return ImportFailures.Taken;
            }
        }

        var container = ArtifactAddress.OfRun(ImportExperiments.LocalId(experiment), run.Id);
        var fetched = await ImportFiles.FetchAsync(
            units,
            ImportFiles.PlaceOf(run.ArtifactUri, new RemotePlace.OfRun(run.Id)),
            container,
            (call, session) => units.MarkAsync(call, session, ImportKinds.Run, run.Id, ImportedState.Partial),
            cancellationToken
        );
        if (!fetched.Ok)
        {
            return fetched.Failure;
        }

        // What is here already is not taken away for what cannot be read to the end.
        if (
            known is { State: ImportedState.Open }
            && await HistoryAsync(units, run, new Points { Tried = true }, cancellationToken) is { } broken
        )
        {
            return broken;
        }

        var points = new Points();
        var written = await HistoryAsync(units, run, points, cancellationToken) is { } failure
            ? failure
            : await units.WriteAsync(
                (call, session) => WriteAsync(units, call, session, experiment, run, points, fetched.Value, container),
                cancellationToken
            );
        if (!written.Ok && written.Failure.Kind != FailureKind.Unavailable && points.Staged)
        {
            // Nobody will ever see these.
            await units.WriteAsync<Unit>(
                async (call, session) =>
                {
                    if (await IsOursAsync(units, session.Db, run.Id, points, call.Token))
                    {
                        await ForgetMetricsAsync(session.Db, run.Id, call.Token);
                    }

                    return default(Unit);
                },
                cancellationToken
            );
        }

        return written.Failure;
    }

    /// <summary>Values that are not yet written, whether earlier ones of this attempt are, and what they come to.</summary>
    private sealed class Points
    {
        /// <summary>Only read, to see whether it can be.</summary>
        public bool Tried { get; init; }

        public List<RemoteMetric> Left { get; } = [];
        public bool Staged { get; set; }
        public int Total { get; set; }
        public Dictionary<string, RemoteMetric> Latest { get; } = new(StringComparer.Ordinal);
    }

    // A page at a time: a run may have more values than fit in memory.
    private static async Task<Failure?> HistoryAsync(
        ImportUnits units,
        RemoteRun run,
        Points points,
        CancellationToken cancellationToken
    )
    {
        foreach (var key in run.Metrics.Select(metric => metric.Key).Distinct().Order(StringComparer.Ordinal))
        {
            if (key.Length > 250 || !RegistryNames.IsPlainText(key))
            {
                return ImportFailures.TooLong;
            }

            var pages = units.Remote.PagesAsync(
                token => units.Remote.MetricHistoryAsync(run.Id, key, HistoryPage, token, cancellationToken),
                cancellationToken
            );
            await foreach (var page in pages)
            {
                if (!page.Ok || (points.Total += page.Value.Items.Count) > MaxPoints)
                {
                    return page.Failure ?? ImportFailures.TooMany;
                }

                foreach (var item in page.Value.Items)
                {
                    if (!item.Value.Ok)
                    {
                        return item.Value.Failure;
                    }

                    // The answer is about the key that was asked for.
                    var point = item.Value.Value with
                    {
                        Key = key,
                    };
                    points.Left.Add(point);
                    points.Latest[key] = points.Latest.TryGetValue(key, out var last) ? Later(last, point) : point;
                }

                if (points.Tried)
                {
                    points.Left.Clear();
                }

                while (points.Left.Count > PointsPerUnit)
                {
                    if (await StageAsync(units, run.Id, points, cancellationToken) is { } failure)
                    {
                        return failure;
                    }
                }
            }
        }

        return null;
    }

    private static async Task<Failure?> StageAsync(
        ImportUnits units,
        string run,
        Points points,
        CancellationToken cancellationToken
    )
    {
        var staged = await units.WriteAsync<Unit>(
            async (call, session) =>
            {
                if (await ClaimAsync(units, session.Db, run, points, call.Token) is { } taken)
                {
                    return taken;
                }

                await units.MarkAsync(call, session, ImportKinds.Run, run, ImportedState.Partial);
                session.Db.AddRange(points.Left.Take(PointsPerUnit).Select(point => Row(run, point)));
                return default(Unit);
            },
            cancellationToken
        );
        if (staged.Ok)
        {
            points.Left.RemoveRange(0, PointsPerUnit);
            points.Staged = true;
        }

        return staged.Failure;
    }

    private static async Task<Result<Unit>> WriteAsync(
        ImportUnits units,
        Call call,
        WriteSession session,
        ImportedRow experiment,
        RemoteRun run,
        Points points,
        FetchedFiles files,
        string container
    )
    {
        var db = session.Db;
        var (tags, parameters) = (ImportUnits.Labels(run.Tags), ImportUnits.Labels(run.Params));
        if (!tags.Ok || !parameters.Ok)
        {
            return tags.Failure ?? parameters.Failure!;
        }

        if (await ClaimAsync(units, db, run.Id, points, call.Token) is { } taken)
        {
            return taken;
        }

        if (await ImportFiles.AttachAsync(call, session, container, files.Waiting) is { } lost)
        {
            return lost;
        }

        var row = await db.Set<RunRow>().FindAsync([run.Id], call.Token);
        if (row is null)
        {
            row = new RunRow
            {
                RunId = run.Id,
                ExperimentId = ImportExperiments.LocalId(experiment),
                OwnerId = units.Import.OwnerId,
            };
            db.Add(row);
        }

        row.Name = run.Name.Length <= 250 ? run.Name : run.Name[..250];
        row.Status = Ended.Append("RUNNING").Append("SCHEDULED").Contains(run.Status) ? run.Status : "FAILED";
        row.StartMs = run.StartMs is { } start ? ImportUnits.Past(start, session.Now) : null;
        row.EndMs = run.EndMs is { } end ? ImportUnits.Past(end, session.Now) : null;
        await Labels.SetAsync(
            db,
            LabelScope.RunTag,
            run.Id,
            tags.Value.Append((ImportUnits.TagPrefix + "source", units.Import.Source))
                .Append((ImportUnits.TagPrefix + "user", run.UserId))
                .Where(tag => tag.Item2.Length > 0 || tag.Item1 != ImportUnits.TagPrefix + "user"),
            call.Token
        );
        await Labels.SetAsync(db, LabelScope.RunParam, run.Id, parameters.Value, call.Token);
        db.AddRange(points.Left.Select(point => Row(run.Id, point)));
        db.AddRange(points.Latest.Values.Select(point => Latest(run.Id, point)));
        var inputs = await AddInputsAsync(call, db, run);
        if (!inputs.Ok)
        {
            return inputs.Failure;
        }

        await AddModelsAsync(call, db, run);
        var mark = await units.MarkAsync(
            call,
            session,
            ImportKinds.Run,
            run.Id,
            Ended.Contains(run.Status) ? ImportedState.Whole : ImportedState.Open
        );
        (mark.LocalId, mark.ArtifactUri) = (run.Id, run.ArtifactUri);
        (mark.Files, mark.Bytes) = (files.Files, files.Bytes);
        await db.SaveChangesAsync(call.Token);
        await LogAndLinkAsync(units, call, session, row, run, points.Total, files, inputs.Value);
        if (inputs.Value.Count > 0)
        {
            await VersionSubjects.RecomputeAsync(call, session, run.Id);
        }

        return default(Unit);
    }

    // Servers that began as copies of one database have the same ids of runs, and their imports may be under way at once. A run
    // that is here is that import's whose mark says so. Before it is here, values belong to whoever staged last: it takes the
    // others' values away and their marks too, by which they see it.
    private static async Task<Failure?> ClaimAsync(
        ImportUnits units,
        GovernanceDb db,
        string runId,
        Points points,
        CancellationToken cancellationToken
    )
    {
        if (!await IsOursAsync(units, db, runId, points, cancellationToken))
        {
            return ImportFailures.Taken;
        }

        if (!points.Staged && await db.Set<MetricRow>().AnyAsync(metric => metric.RunId == runId, cancellationToken))
        {
            await db.Set<ImportedRow>()
                .Where(mark =>
                    mark.Kind == ImportKinds.Run
                    && mark.LocalId == ""
                    && mark.RemoteId == runId
                    && mark.Source != units.Import.Source
                )
                .ExecuteDeleteAsync(cancellationToken);
            await ForgetMetricsAsync(db, runId, cancellationToken);
        }

        return null;
    }

    private static async Task<bool> IsOursAsync(
        ImportUnits units,
        GovernanceDb db,
        string runId,
        Points points,
        CancellationToken cancellationToken
    )
    {
        var mark = await db.Set<ImportedRow>()
            .FindAsync([units.Import.Source, ImportKinds.Run, runId], cancellationToken);
        return await db.Set<RunRow>().AnyAsync(row => row.RunId == runId, cancellationToken)
            ? mark?.LocalId == runId
            : mark is not null || !points.Staged;
    }

    private static async Task ForgetMetricsAsync(GovernanceDb db, string runId, CancellationToken cancellationToken)
    {
        await db.Set<MetricRow>().Where(metric => metric.RunId == runId).ExecuteDeleteAsync(cancellationToken);
        await db.Set<LatestMetricRow>().Where(metric => metric.RunId == runId).ExecuteDeleteAsync(cancellationToken);
    }

    private static async Task<Result<List<InputRow>>> AddInputsAsync(Call call, GovernanceDb db, RemoteRun run)
    {
        var known = await db.Set<InputRow>()
            .Where(input => input.RunId == run.Id)
            .Select(input => input.InputKey)
            .ToListAsync(call.Token);
        var added = new List<InputRow>();
        foreach (var input in run.Inputs)
        {
            // A source that names a dataset here would bind it in the importer's name, who may not read it.
            var row = LogInputs.Row(
                run.Id,
                input.Name,
                input.Digest,
                input.SourceType,
                input.Source,
                input.Schema,
                input.Profile,
                input.Tags,
                null
            );
            if (input.Name.Length > 500 || input.Digest.Length > 64 || input.Source.Length > 65_536)
            {
                return ImportFailures.TooLong;
            }

            if (!known.Contains(row.InputKey) && added.TrueForAll(other => other.InputKey != row.InputKey))
            {
                added.Add(row);
            }
        }

        if (known.Count + added.Count > 1000)
        {
            return ImportFailures.TooMany;
        }

        db.AddRange(added);
        return added;
    }

    private static async Task AddModelsAsync(Call call, GovernanceDb db, RemoteRun run)
    {
        var models = run
            .ModelInputs.Select(id => (Id: id, IsOutput: false, Step: 0L))
            .Concat(run.ModelOutputs.Select(output => (Id: output.ModelId, IsOutput: true, output.Step)))
            .Where(model => ArtifactAddress.IsLoggedModelId(model.Id))
            .DistinctBy(model => (model.Id, model.IsOutput));
        foreach (var (id, isOutput, step) in models)
        {
            if (await db.Set<RunModelRow>().FindAsync([run.Id, id, isOutput], call.Token) is null)
            {
                db.Add(
                    new RunModelRow
                    {
                        RunId = run.Id,
                        ModelId = id,
                        IsOutput = isOutput,
                        Step = step,
                    }
                );
            }
        }
    }

    private static async Task LogAndLinkAsync(
        ImportUnits units,
        Call call,
        WriteSession session,
        RunRow row,
        RemoteRun run,
        int points,
        FetchedFiles files,
        List<InputRow> inputs
    )
    {
        var entry = await call.LogAsync(
            session,
            "registry.run_imported",
            Urn.Run(run.Id),
            new()
            {
                ["import"] = units.Import.Id,
                ["source"] = units.Import.Source,
                ["experiment"] = LabelIds.Experiment(row.ExperimentId),
                ["metrics"] = points,
                ["params"] = run.Params.Count,
                ["tags"] = run.Tags.Count,
                ["files"] = files.Files,
                ["bytes"] = files.Bytes,
                ["datasets"] = new JsonArray([
                    .. inputs.Select(input => JsonValue.Create(LogInputs.NodeOf(input).Urn)),
                ]),
            }
        );
        var target = LogInputs.RunNode(row);
        foreach (var input in inputs)
        {
            await session.LinkAsync(
                new(LogInputs.NodeOf(input), target, GraphVerb.Used, GraphGrade.Declared),
                entry,
                call.Token
            );
        }

        foreach (var id in run.ModelInputs.Where(ArtifactAddress.IsLoggedModelId).Distinct())
        {
            var node = new GraphNode(Urn.LoggedModel(id), GraphNodeKind.LoggedModel, id);
            await session.LinkAsync(new(node, target, GraphVerb.Used, GraphGrade.Declared), entry, call.Token);
        }

        foreach (var id in run.ModelOutputs.Select(o => o.ModelId).Where(ArtifactAddress.IsLoggedModelId).Distinct())
        {
            var node = new GraphNode(Urn.LoggedModel(id), GraphNodeKind.LoggedModel, id);
            await session.LinkAsync(new(target, node, GraphVerb.Generated, GraphGrade.Declared), entry, call.Token);
        }
    }

    private static RemoteMetric Later(RemoteMetric one, RemoteMetric other) =>
        (other.Step, other.TimestampMs, Logged(other).Stored).CompareTo((one.Step, one.TimestampMs, Logged(one).Stored))
        > 0
            ? other
            : one;

    private static LatestMetricRow Latest(string runId, RemoteMetric last) =>
        new()
        {
            RunId = runId,
            Key = last.Key,
            Value = Logged(last).Stored,
            IsNan = double.IsNaN(last.Value),
            TimestampMs = last.TimestampMs,
            Step = last.Step,
        };

    private static LoggedMetric Logged(RemoteMetric point) =>
        new(
            point.Key,
            point.Value,
            point.TimestampMs,
            point.Step,
            point.ModelId is { } id && ArtifactAddress.IsLoggedModelId(id) ? id : null,
            point.DatasetName,
            point.DatasetDigest
        );

    private static MetricRow Row(string runId, RemoteMetric point) => RunLog.Row(runId, Logged(point));
}
