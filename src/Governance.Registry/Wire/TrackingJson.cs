using System.Text.Json.Nodes;
using Governance.Registry.Engine;
using Governance.Registry.Storage;

namespace Governance.Registry.Wire;

/// <summary>MLflow's messages for experiments, runs and logged models: ids are strings, times and steps numbers, empties omitted.</summary>
internal static class TrackingJson
{
    public static JsonObject Experiment(ExperimentRow row, IEnumerable<LabelRow> tags) =>
        new JsonObject
        {
            ["experiment_id"] = LabelIds.Experiment(row.Id),
            ["name"] = row.Name,
            ["artifact_location"] = $"mlflow-artifacts:/{LabelIds.Experiment(row.Id)}",
            ["lifecycle_stage"] = Stage(row.Deleted),
            ["last_update_time"] = row.UpdatedMs,
            ["creation_time"] = row.CreatedMs,
        }.With("tags", KeyValues(tags));

    public static JsonObject RunInfo(RunRow run) =>
        new JsonObject
        {
            ["run_uuid"] = run.RunId,
            ["experiment_id"] = LabelIds.Experiment(run.ExperimentId),
            ["run_name"] = run.Name,
            ["user_id"] = run.OwnerId,
            ["status"] = run.Status,
        }
            .With("start_time", run.StartMs)
            .With("end_time", run.EndMs)
            .With("artifact_uri", RunUri(run))
            .With("lifecycle_stage", Stage(run.Deleted))
            .With("run_id", run.RunId);

    public static string RunUri(RunRow run) =>
        ArtifactAddress.Uri(ArtifactAddress.OfRun(run.ExperimentId, run.RunId), "");

    public static JsonObject LoggedModel(
        LoggedModelRow row,
        IEnumerable<LabelRow> tags,
        IEnumerable<LabelRow> parameters,
        IEnumerable<MetricRow> metrics
    ) =>
        new()
        {
            ["info"] = new JsonObject
            {
                ["model_id"] = row.ModelId,
                ["experiment_id"] = LabelIds.Experiment(row.ExperimentId),
                ["name"] = row.Name,
                ["creation_timestamp_ms"] = row.CreatedMs,
                ["last_updated_timestamp_ms"] = row.UpdatedMs,
                ["artifact_uri"] = ArtifactAddress.Uri(
                    ArtifactAddress.OfLoggedModel(row.ExperimentId, row.ModelId),
                    ""
                ),
                ["status"] = row.Status,
                ["model_type"] = row.ModelType,
            }
                .With("source_run_id", row.SourceRunId)
                .With("tags", KeyValues(tags)),
            ["data"] = new JsonObject()
                .With("params", KeyValues(parameters))
                .With(
                    "metrics",
                    metrics
                        .Select(metric =>
                            Metric(metric.Key, metric.Value, metric.IsNan, metric.TimestampMs, metric.Step)
                                .With("model_id", metric.LoggedModelId)
                                .With("dataset_name", metric.DatasetName)
                                .With("dataset_digest", metric.DatasetDigest)
                                .With("run_id", metric.RunId)
                        )
                        .ToJsonArray()
                ),
        };

    public static JsonObject Metric(string key, double value, bool isNan, long timestamp, long step) =>
        new()
        {
            ["key"] = key,
            ["value"] = isNan ? JsonValue.Create("NaN") : JsonValue.Create(value),
            ["timestamp"] = timestamp,
            ["step"] = step,
        };

    public static JsonArray KeyValues(IEnumerable<LabelRow> labels) =>
        labels.Select(label => new JsonObject { ["key"] = label.Key, ["value"] = label.Value }).ToJsonArray();

    private static string Stage(bool deleted) => deleted ? "deleted" : "active";
}
