using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Runs;

/// <summary>A metric as logged.</summary>
internal sealed record LoggedMetric(
    string Key,
    double Value,
    long TimestampMs,
    long Step,
    string? LoggedModelId,
    string? DatasetName,
    string? DatasetDigest
)
{
    public bool IsNan => double.IsNaN(Value);

    /// <summary>What is stored: NaN is a flag, infinities are the largest doubles, as in MLflow.</summary>
    public double Stored => IsNan ? 0 : Math.Clamp(Value, double.MinValue, double.MaxValue);

    public static LoggedMetric Read(Args args) =>
        new(
            args.Key(),
            args.Double("value"),
            Moment(args.Int64("timestamp") ?? throw new RefusedException(RegistryNames.MissingParameter("timestamp"))),
            args.Int64("step") ?? 0,
            NullIfEmpty(args.Optional("model_id", 64)),
            NullIfEmpty(args.Optional("dataset_name", 500)),
            NullIfEmpty(args.Optional("dataset_digest", 64))
        );

    private static long Moment(long timestampMs) =>
        timestampMs >= 0
            ? timestampMs
            : throw new RefusedException(
                Failure.Invalid("registry.bad_parameter", "Timestamp must be a nonnegative long (64-bit integer).")
            );

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}

/// <summary>Writes metrics, params and tags of a run; logging the same thing twice changes nothing, so retries are safe.</summary>
internal static class RunLog
{
    public const int MaxParamValue = 6000;
    public const int MaxTagValue = 8000;
    public const int MaxBatchItems = 1000;
    public const int MaxBatchBytes = 1_000_000;

    public static async Task<Failure?> MetricsAsync(
        Call call,
        WriteSession session,
        string runId,
        IReadOnlyList<LoggedMetric> metrics
    )
    {
        if (metrics.Count == 0)
        {
            return null;
        }

        foreach (var model in metrics.Select(m => m.LoggedModelId).OfType<string>().Distinct())
        {
            var found = await TrackingAccess.LoggedModelAsync(call, session.Db, model, Permissions.ExperimentWrite);
            if (!found.Ok)
            {
                return found.Failure;
            }
        }

        var keys = metrics.Select(m => m.Key).Distinct().ToList();
        var (from, to) = (metrics.Min(m => m.TimestampMs), metrics.Max(m => m.TimestampMs));
        var known = (
            await session
                .Db.Set<MetricRow>()
                .AsNoTracking()
                .Where(row =>
                    row.RunId == runId && keys.Contains(row.Key) && row.TimestampMs >= from && row.TimestampMs <= to
                )
                .Select(row => new
                {
                    row.Key,
                    row.TimestampMs,
                    row.Step,
                    row.Value,
                    row.IsNan,
                    row.LoggedModelId,
                })
                .ToListAsync(call.Token)
        ).Select(row => (row.Key, row.TimestampMs, row.Step, row.Value, row.IsNan, row.LoggedModelId)).ToHashSet();
        var latest = await session
            .Db.Set<LatestMetricRow>()
            .Where(row => row.RunId == runId && keys.Contains(row.Key))
            .ToDictionaryAsync(row => row.Key, call.Token);
        foreach (var metric in metrics)
        {
            if (
                known.Add(
                    (metric.Key, metric.TimestampMs, metric.Step, metric.Stored, metric.IsNan, metric.LoggedModelId)
                )
            )
            {
                session.Db.Add(Row(runId, metric));
                KeepLatest(session.Db, latest, runId, metric);
            }
        }

        return null;
    }

    public static async Task<Failure?> ParamsAsync(
        Call call,
        WriteSession session,
        LabelScope scope,
        string objectId,
        IReadOnlyList<(string Key, string Value)> parameters
    )
    {
        foreach (var (key, value) in parameters)
        {
            var row = await session.Db.Set<LabelRow>().FindAsync([scope, objectId, key], call.Token);
            if (row is null)
            {
                session.Db.Add(
                    new LabelRow
                    {
                        Scope = scope,
                        ObjectId = objectId,
                        Key = key,
                        Value = value,
                    }
                );
            }
            else if (row.Value != value)
            {
                return Failure.Invalid(
                    "registry.param_changed",
                    $"Changing param values is not allowed. Param with key='{RegistryNames.Quote(key)}' was already logged "
                        + $"with value='{RegistryNames.Quote(row.Value)}' for run ID='{objectId}'. "
                        + $"Attempted logging new value '{RegistryNames.Quote(value)}'."
                );
            }
        }

        return null;
    }

    public static MetricRow Row(string runId, LoggedMetric metric) =>
        new()
        {
            RunId = runId,
            Key = metric.Key,
            Value = metric.Stored,
            IsNan = metric.IsNan,
            TimestampMs = metric.TimestampMs,
            Step = metric.Step,
            LoggedModelId = metric.LoggedModelId,
            DatasetName = metric.DatasetName,
            DatasetDigest = metric.DatasetDigest,
        };

    private static void KeepLatest(
        GovernanceDb db,
        Dictionary<string, LatestMetricRow> latest,
        string runId,
        LoggedMetric metric
    )
    {
        if (!latest.TryGetValue(metric.Key, out var row))
        {
            row = new LatestMetricRow { RunId = runId, Key = metric.Key };
            latest[metric.Key] = row;
            db.Add(row);
        }
        else if ((metric.Step, metric.TimestampMs, metric.Stored).CompareTo((row.Step, row.TimestampMs, row.Value)) < 0)
        {
            return;
        }

        (row.Value, row.IsNan, row.TimestampMs, row.Step) = (
            metric.Stored,
            metric.IsNan,
            metric.TimestampMs,
            metric.Step
        );
    }
}
