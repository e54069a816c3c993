using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Traces;

/// <summary>Everything a trace answer holds, in the form of 2.x clients and in that of 3.x clients.</summary>
internal sealed record TraceDetail(TraceRow Row, IEnumerable<LabelRow> Tags, IEnumerable<LabelRow> Metadata)
{
    /// <summary>In the order in which they were made; 2.x clients know of none.</summary>
    public IEnumerable<AssessmentRow> Assessments { get; init; } = [];

    /// <summary>Where the spans lie. The server decides it; a client's word for it would send other clients elsewhere.</summary>
    public const string LocationTag = "mlflow.artifactLocation";
    public const string NameTag = "mlflow.traceName";
    public const string SourceRun = "mlflow.sourceRun";

    private string Location => ArtifactAddress.Uri(ArtifactAddress.OfTrace(Row.ExperimentId, Row.TraceId), "");

    public JsonObject ToOldJson() =>
        new JsonObject
        {
            ["request_id"] = Row.TraceId,
            ["experiment_id"] = LabelIds.Experiment(Row.ExperimentId),
            ["timestamp_ms"] = Row.TimestampMs,
            ["execution_time_ms"] = Row.DurationMs ?? 0,
            ["status"] = Row.State,
        }
            .With("request_metadata", TrackingJson.KeyValues(Metadata))
            .With("tags", TrackingJson.KeyValues(Tags.Append(new LabelRow { Key = LocationTag, Value = Location })));

    public JsonObject ToJson() =>
        new JsonObject
        {
            ["trace_id"] = Row.TraceId,
            ["trace_location"] = new JsonObject
            {
                ["type"] = "MLFLOW_EXPERIMENT",
                ["mlflow_experiment"] = new JsonObject { ["experiment_id"] = LabelIds.Experiment(Row.ExperimentId) },
            },
            ["request_time"] = TraceTimes.Write(Row.TimestampMs),
            ["execution_duration"] = TraceTimes.WriteDuration(Row.DurationMs ?? 0),
            ["state"] = Row.State,
        }
            .With("client_request_id", Row.ClientRequestId)
            .With("trace_metadata", Map(Metadata))
            .With("tags", Map(Tags.Append(new LabelRow { Key = LocationTag, Value = Location })))
            .With("request_preview", Row.RequestPreview)
            .With("response_preview", Row.ResponsePreview)
            .With("assessments", Assessments.Select(AssessmentRoutes.Json).ToJsonArray());

    public bool Matches(Comparison c) =>
        c.Key switch
        {
            { Entity: SearchEntity.Tag, Name: var key } => c.Matches(Value(Tags, key), false),
            { Entity: SearchEntity.Metadata, Name: var key } => c.Matches(Value(Metadata, key), false),
            { Name: "timestamp_ms" } => c.Matches(Row.TimestampMs),
            { Name: "execution_time_ms" } => c.Matches(Row.DurationMs),
            { Name: "status" } => c.Matches(Row.State, false),
            { Name: "name" } => c.Matches(Value(Tags, NameTag), false),
            { Name: "run_id" } => c.Matches(Value(Metadata, SourceRun), false),
            _ => c.Matches(Row.TraceId, false),
        };

    public static async Task<Dictionary<TraceRow, TraceDetail>> LoadAsync(
        GovernanceDb db,
        IReadOnlyCollection<TraceRow> rows,
        CancellationToken cancellationToken
    )
    {
        var ids = rows.Select(row => row.TraceId).ToList();
        var tags = await Labels.LoadAsync(db, LabelScope.TraceTag, ids, cancellationToken);
        var metadata = await Labels.LoadAsync(db, LabelScope.TraceMetadata, ids, cancellationToken);
        var assessments = (
            await db.Set<AssessmentRow>()
                .AsNoTracking()
                .Where(row => ids.Contains(row.TraceId))
                .OrderBy(row => row.CreatedMs)
                .ThenBy(row => row.Id)
                .ToListAsync(cancellationToken)
        ).ToLookup(row => row.TraceId);
        return rows.ToDictionary(
            row => row,
            row => new TraceDetail(row, tags[row.TraceId], metadata[row.TraceId])
            {
                Assessments = assessments[row.TraceId],
            }
        );
    }

    private static string? Value(IEnumerable<LabelRow> labels, string key) =>
        labels.FirstOrDefault(label => label.Key == key)?.Value;

    private static JsonObject? Map(IEnumerable<LabelRow> labels)
    {
        var map = new JsonObject();
        foreach (var label in labels)
        {
            map[label.Key] = label.Value;
        }

        return map.Count == 0 ? null : map;
    }
}

/// <summary>Times of 3.x traces: the JSON forms of protobuf's Timestamp and Duration, whole milliseconds.</summary>
internal static class TraceTimes
{
    public static string Write(long ms) =>
        DateTimeOffset
            .FromUnixTimeMilliseconds(ms)
            .ToString(
                ms % 1000 == 0 ? "yyyy-MM-dd'T'HH:mm:ss'Z'" : "yyyy-MM-dd'T'HH:mm:ss.fff'Z'",
                CultureInfo.InvariantCulture
            );

    public static string WriteDuration(long ms) =>
        ms % 1000 == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{ms / 1000}s")
            : string.Create(CultureInfo.InvariantCulture, $"{ms / 1000m:0.000}s");

    public static long? Read(string text) =>
        text.EndsWith('Z')
        && DateTimeOffset.TryParse(
            text,
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var time
        )
            ? time.ToUnixTimeMilliseconds()
            : null;

    public static long? ReadDuration(string text) =>
        text.EndsWith('s')
        && decimal.TryParse(
            text.AsSpan(0, text.Length - 1),
            NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture,
            out var seconds
        )
        && seconds < 315_576_000_000m
            ? (long)(seconds * 1000)
            : null;
}
