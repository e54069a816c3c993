using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Runs;

/// <summary>MLflow's run routes.</summary>
internal static class RunRoutes
{
    /// <summary>The tag in which MLflow keeps the descriptions of a run's models.</summary>
    public const string ModelHistory = "mlflow.log-model.history";

    private static readonly string[] Statuses = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"];

    public static IEnumerable<MlflowRoute> All =>
        [
            new("POST", "runs/create", Permissions.ExperimentWrite, CreateAsync),
            new("POST", "runs/update", Permissions.ExperimentWrite, UpdateAsync),
            new("GET", "runs/get", Permissions.ExperimentRead, GetAsync),
            new("POST", "runs/search", Permissions.ExperimentRead, RunSearch.HandleAsync),
            SearchDatasets.Route,
            new("POST", "runs/log-metric", Permissions.ExperimentWrite, LogMetricAsync),
            new("POST", "runs/log-parameter", Permissions.ExperimentWrite, LogParameterAsync),
            new("POST", "runs/set-tag", Permissions.ExperimentWrite, SetTagAsync),
            new("POST", "runs/delete-tag", Permissions.ExperimentWrite, DeleteTagAsync),
            new("POST", "runs/log-batch", Permissions.ExperimentWrite, LogBatchAsync),
            new("POST", "runs/log-inputs", Permissions.ExperimentWrite, LogInputs.HandleAsync),
            new("POST", "runs/outputs", Permissions.ExperimentWrite, LogOutputsAsync),
            new("POST", "runs/log-model", Permissions.ExperimentWrite, LogModelAsync),
            new("POST", "runs/delete", Permissions.ExperimentWrite, call => SetDeletedAsync(call, true)),
            new("POST", "runs/restore", Permissions.ExperimentWrite, call => SetDeletedAsync(call, false)),
            new("GET", "metrics/get-history", Permissions.ExperimentRead, HistoryAsync),
        ];

    private static string RunId(Call call) =>
        call.Args.Optional("run_id", 64) is { Length: > 0 } id ? id
        : call.Args.Optional("run_uuid", 64) is { Length: > 0 } legacy ? legacy
        : call.Args.Required("run_id");

    private static Task<Result<JsonObject>> CreateAsync(Call call)
    {
        var experimentId = call.Args.Required("experiment_id");
        var tags = call.Args.Labels("tags", 100, RunLog.MaxTagValue);
        var named = tags.FirstOrDefault(tag => tag.Key == "mlflow.runName").Value;
        var name = call.Args.Optional("run_name", 250) is { Length: > 0 } given ? given : named;
        var start = call.Args.Int64("start_time");
        if (!string.IsNullOrEmpty(named) && named != name)
        {
            return Task.FromResult<Result<JsonObject>>(
                Failure.Invalid(
                    "registry.bad_parameter",
                    "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values "
                        + $"(run_name='{RegistryNames.Quote(name ?? "")}', mlflow.runName='{RegistryNames.Quote(named)}')."
                )
            );
        }

        name ??= $"run-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
        return call.CreateAsync(async session =>
        {
            var experiment = await TrackingAccess.ExperimentAsync(
                call,
                session.Db,
                experimentId,
                Permissions.ExperimentRead
            );
            if (!experiment.Ok)
            {
                return experiment.Failure;
            }

            if (!MayCreateIn(call, experiment.Value))
            {
                return Failure.Denied(
                    "registry.denied",
                    $"Permission experiment:write on '{experiment.Value.Name}' is needed."
                );
            }

            if (experiment.Value.Deleted)
            {
                return TrackingAccess.DeletedExperiment(experimentId);
            }

            var body = Intents.RunBody(experiment.Value.Id, name, call.Actor, start, tags);
            if (await call.IntendAsync(session, Intents.Run, body) is { } intended)
            {
                return intended;
            }

            var runId = call.Assigned ?? Guid.CreateVersion7(session.Now).ToString("N");
            var run = new RunRow
            {
                RunId = runId,
                ExperimentId = experiment.Value.Id,
                OwnerId = call.Actor.Id,
                Name = name,
                StartMs = start ?? session.Now.ToUnixTimeMilliseconds(),
            };
            session.Db.Add(run);
            await Labels.SetAsync(
                session.Db,
                LabelScope.RunTag,
                runId,
                tags.Where(tag => tag.Key != "mlflow.runName").Append(("mlflow.runName", run.Name)),
                call.Token
            );
            await session.Db.SaveChangesAsync(call.Token);
            await call.LogAsync(
                session,
                "registry.run_created",
                Urn.Run(runId),
                new() { ["experiment"] = LabelIds.Experiment(run.ExperimentId) }
            );
            return await AnswerAsync(call, session.Db, run);
        });
    }

    // In an experiment that nobody owns, making a run is making something of one's own.
    private static bool MayCreateIn(Call call, ExperimentRow experiment)
    {
        var target = TrackingAccess.Target(experiment, call.Actor.Id);
        return (experiment.OwnerId is null && call.Rights.Allows(Permissions.ExperimentCreate, target))
            || call.May(Permissions.ExperimentWrite, target);
    }

    private static Task<Result<JsonObject>> UpdateAsync(Call call)
    {
        var status = call.Args.Optional("status", 20);
        if (!string.IsNullOrEmpty(status) && !Statuses.Contains(status))
        {
            return Task.FromResult<Result<JsonObject>>(
                Failure.Invalid("registry.bad_status", $"A run status is one of {string.Join(", ", Statuses)}.")
            );
        }

        var name = call.Args.Optional("run_name", 250);
        var end = call.Args.Int64("end_time");
        return ChangeAsync(
            call,
            "registry.run_updated",
            async (session, run) =>
            {
                run.Status = string.IsNullOrEmpty(status) ? run.Status : status;
                run.EndMs = end ?? run.EndMs;
                if (!string.IsNullOrEmpty(name))
                {
                    run.Name = name;
                    await Labels.SetAsync(
                        session.Db,
                        LabelScope.RunTag,
                        run.RunId,
                        [("mlflow.runName", name)],
                        call.Token
                    );
                }

                return null;
            },
            details: new() { ["status"] = status },
            answer: run => new() { ["run_info"] = TrackingJson.RunInfo(run) }
        );
    }

    private static async Task<Result<JsonObject>> GetAsync(Call call)
    {
        await using var db = await call.OpenAsync();
        var found = await TrackingAccess.RunAsync(call, db, RunId(call), Permissions.ExperimentRead);
        return found.Ok ? await AnswerAsync(call, db, found.Value.Run) : found.Failure;
    }

    private static async Task<Result<JsonObject>> AnswerAsync(Call call, GovernanceDb db, RunRow run)
    {
        var details = await RunDetail.LoadAsync(db, [run], call.Token);
        return new JsonObject { ["run"] = details[run].ToJson() };
    }

    private static Task<Result<JsonObject>> LogMetricAsync(Call call)
    {
        var metric = LoggedMetric.Read(call.Args);
        return LogAsync(call, [metric], [], []);
    }

    private static Task<Result<JsonObject>> LogParameterAsync(Call call) =>
        LogAsync(call, [], [(call.Args.Key(), call.Args.Optional("value", RunLog.MaxParamValue) ?? "")], []);

    private static Task<Result<JsonObject>> SetTagAsync(Call call) =>
        LogAsync(call, [], [], [(call.Args.Key(), call.Args.Optional("value", RunLog.MaxTagValue) ?? "")]);

    private static Task<Result<JsonObject>> LogBatchAsync(Call call)
    {
        var metrics = call.Args.Objects("metrics", 1000).Select(LoggedMetric.Read).ToList();
        var parameters = call.Args.Keyed("params", 100, RunLog.MaxParamValue);
        var tags = call.Args.Keyed("tags", 100, RunLog.MaxTagValue);
        if (parameters.Count < call.Args.Objects("params", 100).Count)
        {
            return Task.FromResult<Result<JsonObject>>(
                Failure.Invalid(
                    "registry.bad_parameter",
                    "Duplicate parameter keys have been submitted. Please ensure the request contains only one param value per param key."
                )
            );
        }

        return
            call.Args.Bytes > RunLog.MaxBatchBytes
            || metrics.Count + parameters.Count + tags.Count > RunLog.MaxBatchItems
            ? Task.FromResult<Result<JsonObject>>(
                Failure.Invalid(
                    "registry.too_many",
                    $"A batch has at most {RunLog.MaxBatchItems} metrics, params and tags in {RunLog.MaxBatchBytes} bytes."
                )
            )
            : LogAsync(call, metrics, parameters, tags);
    }

    private static Task<Result<JsonObject>> LogAsync(
        Call call,
        IReadOnlyList<LoggedMetric> metrics,
        IReadOnlyList<(string Key, string Value)> parameters,
        IReadOnlyList<(string Key, string Value)> tags
    ) =>
        ChangeAsync(
            call,
            "registry.run_logged",
            async (session, run) =>
            {
                if (
                    tags.FirstOrDefault(tag => tag.Key == "mlflow.runName") is
                    { Value: { Length: > 0 and <= 250 } name }
                )
                {
                    run.Name = name;
                }

                await Labels.SetAsync(session.Db, LabelScope.RunTag, run.RunId, tags, call.Token);
                return await RunLog.ParamsAsync(call, session, LabelScope.RunParam, run.RunId, parameters)
                    ?? await RunLog.MetricsAsync(call, session, run.RunId, metrics);
            },
            new()
            {
                ["metrics"] = metrics.Count,
                ["params"] = parameters.Count,
                ["tags"] = tags.Count,
            }
        );

    private static Task<Result<JsonObject>> DeleteTagAsync(Call call)
    {
        var key = call.Args.LabelKey();
        return ChangeAsync(
            call,
            "registry.run_untagged",
            async (session, run) =>
                await Labels.RemoveAsync(session.Db, LabelScope.RunTag, run.RunId, key, call.Token)
                    ? null
                    : Failure.NotFound(
                        "registry.tag_not_found",
                        $"No tag with name: {RegistryNames.Quote(key)} in run with id {run.RunId}"
                    )
        );
    }

    private static Task<Result<JsonObject>> LogOutputsAsync(Call call)
    {
        var outputs = call
            .Args.Objects("models", 100)
            .Select(model => (Id: model.Required("model_id", 64), Step: model.Int64("step") ?? 0))
            .ToList();
        var runId = RunId(call);
        return call.WriteAsync(async session =>
        {
            var found = await TrackingAccess.RunAsync(call, session.Db, runId, Permissions.ExperimentWrite);
            if (!found.Ok)
            {
                return found.Failure;
            }

            var run = found.Value.Run;
            foreach (var (id, step) in outputs)
            {
                var model = await TrackingAccess.LoggedModelAsync(call, session.Db, id, Permissions.ExperimentWrite);
                if (!model.Ok)
                {
                    return model.Failure;
                }

                var row = await session.Db.Set<RunModelRow>().FindAsync([run.RunId, id, true], call.Token);
                if (row is null)
                {
                    session.Db.Add(
                        new RunModelRow
                        {
                            RunId = run.RunId,
                            ModelId = id,
                            IsOutput = true,
                            Step = step,
                        }
                    );
                }
            }

            await session.Db.SaveChangesAsync(call.Token);
            var entry = await call.LogAsync(
                session,
                "registry.outputs_logged",
                Urn.Run(run.RunId),
                new() { ["models"] = new JsonArray([.. outputs.Select(output => JsonValue.Create(output.Id))]) }
            );
            foreach (var (id, _) in outputs)
            {
                var node = new GraphNode(Urn.LoggedModel(id), GraphNodeKind.LoggedModel, id);
                var edge = new GraphEdge(LogInputs.RunNode(run), node, GraphVerb.Generated, GraphGrade.Declared);
                await session.LinkAsync(edge, entry, call.Token);
            }

            return new JsonObject();
        });
    }

    // 2.x clients describe the model they uploaded; kept as the tag that MLflow itself keeps it in.
    private static Task<Result<JsonObject>> LogModelAsync(Call call)
    {
        var text = call.Args.Required("model_json", 1_000_000);
        if (CanonicalJson.TryParse(System.Text.Encoding.UTF8.GetBytes(text)) is not JsonObject described)
        {
            return Task.FromResult<Result<JsonObject>>(
                Failure.Invalid("registry.bad_model_json", "Malformed model info: model_json is not a JSON object.")
            );
        }

        return ChangeAsync(
            call,
            "registry.model_described",
            async (session, run) =>
            {
                var row = await session
                    .Db.Set<LabelRow>()
                    .FindAsync([LabelScope.RunTag, run.RunId, ModelHistory], call.Token);
                var history = row is null
                    ? []
                    : CanonicalJson.TryParse(System.Text.Encoding.UTF8.GetBytes(row.Value)) as JsonArray ?? [];
                if (!history.Any(known => JsonNode.DeepEquals(known, described)))
                {
                    history.Add(described.DeepClone());
                }

                var value = history.ToJsonString();
                if (value.Length > 4_000_000)
                {
                    return Failure.Invalid("registry.too_long", "The run describes too many models.");
                }

                await Labels.SetAsync(session.Db, LabelScope.RunTag, run.RunId, [(ModelHistory, value)], call.Token);
                return null;
            }
        );
    }

    private static Task<Result<JsonObject>> SetDeletedAsync(Call call, bool deleted) =>
        ChangeAsync(
            call,
            deleted ? "registry.run_deleted" : "registry.run_restored",
            (_, run) =>
            {
                run.Deleted = deleted;
                return Task.FromResult<Failure?>(null);
            },
            evenDeleted: true
        );

    private static async Task<Result<JsonObject>> HistoryAsync(Call call)
    {
        var key = call.Args.Required("metric_key");
        var most = call.Args.Count("max_results", 25_000, 1, 25_000);
        var offset = PageTokens.Read(call.Args.Optional("page_token"));
        if (!offset.Ok)
        {
            return offset.Failure;
        }

        await using var db = await call.OpenAsync();
        var found = await TrackingAccess.RunAsync(call, db, RunId(call), Permissions.ExperimentRead);
        if (!found.Ok)
        {
            return found.Failure;
        }

        var rows = await db.Set<MetricRow>()
            .AsNoTracking()
            .Where(row => row.RunId == found.Value.Run.RunId && row.Key == key)
            .OrderBy(row => row.TimestampMs)
            .ThenBy(row => row.Id)
            .Skip(offset.Value)
            .Take(most + 1)
            .ToListAsync(call.Token);
        return new JsonObject()
            .With(
                "metrics",
                rows.Take(most)
                    .Select(m => TrackingJson.Metric(m.Key, m.Value, m.IsNan, m.TimestampMs, m.Step))
                    .ToJsonArray()
            )
            .With("next_page_token", rows.Count > most ? PageTokens.Write(offset.Value + most) : null);
    }

    private static Task<Result<JsonObject>> ChangeAsync(
        Call call,
        string kind,
        Func<WriteSession, RunRow, Task<Failure?>> change,
        JsonObject? details = null,
        Func<RunRow, JsonObject>? answer = null,
        bool evenDeleted = false
    )
    {
        var runId = RunId(call);
        return call.WriteAsync(async session =>
        {
            var found = await TrackingAccess.RunAsync(
                call,
                session.Db,
                runId,
                Permissions.ExperimentWrite,
                evenDeleted
            );
            if (!found.Ok)
            {
                return found.Failure;
            }

            var run = found.Value.Run;
            if (await change(session, run) is { } failure)
            {
                return failure;
            }

            await session.Db.SaveChangesAsync(call.Token);
            await call.LogAsync(session, kind, Urn.Run(run.RunId), details);
            return answer is null ? new JsonObject() : answer(run);
        });
    }
}
