using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Runs;

/// <summary>Everything a run answer holds.</summary>
internal sealed record RunDetail(
    RunRow Run,
    IEnumerable<LabelRow> Tags,
    IEnumerable<LabelRow> Params,
    IEnumerable<LatestMetricRow> Metrics,
    IEnumerable<InputRow> Inputs,
    IEnumerable<RunModelRow> Models
)
{
    public JsonObject ToJson()
    {
        var body = new JsonObject
        {
            ["info"] = TrackingJson.RunInfo(Run),
            ["data"] = new JsonObject()
                .With(
                    "metrics",
                    Metrics
                        .Select(m => TrackingJson.Metric(m.Key, m.Value, m.IsNan, m.TimestampMs, m.Step))
                        .ToJsonArray()
                )
                .With("params", TrackingJson.KeyValues(Params))
                .With("tags", TrackingJson.KeyValues(Tags)),
            ["inputs"] = new JsonObject()
                .With("dataset_inputs", Inputs.Select(Input).ToJsonArray())
                .With(
                    "model_inputs",
                    Models
                        .Where(m => !m.IsOutput)
                        .Select(m => new JsonObject { ["model_id"] = m.ModelId })
                        .ToJsonArray()
                ),
        };
        var outputs = Models
            .Where(m => m.IsOutput)
            .Select(m => new JsonObject { ["model_id"] = m.ModelId, ["step"] = m.Step })
            .ToJsonArray();
        return body.With("outputs", new JsonObject().With("model_outputs", outputs));
    }

    private static JsonObject Input(InputRow row) =>
        new JsonObject()
            .With("tags", CanonicalJson.TryParse(System.Text.Encoding.UTF8.GetBytes(row.TagsJson)))
            .With(
                "dataset",
                new JsonObject
                {
                    ["name"] = row.Name,
                    ["digest"] = row.MlflowDigest,
                    ["source_type"] = row.SourceType,
                    ["source"] = row.Source,
                }
                    .With("schema", row.Schema)
                    .With("profile", row.Profile)
            );

    /// <summary>Loads details of many runs with one query per kind of detail.</summary>
    public static async Task<Dictionary<RunRow, RunDetail>> LoadAsync(
        GovernanceDb db,
        IReadOnlyCollection<RunRow> runs,
        CancellationToken cancellationToken
    )
    {
        var ids = runs.Select(run => run.RunId).ToList();
        var tags = await Labels.LoadAsync(db, LabelScope.RunTag, ids, cancellationToken);
        var parameters = await Labels.LoadAsync(db, LabelScope.RunParam, ids, cancellationToken);
        var metrics = await db.Set<LatestMetricRow>()
            .AsNoTracking()
            .Where(row => ids.Contains(row.RunId))
            .OrderBy(row => row.Key)
            .ToListAsync(cancellationToken);
        var inputs = await db.Set<InputRow>()
            .AsNoTracking()
            .Where(row => ids.Contains(row.RunId))
            .ToListAsync(cancellationToken);
        var models = await db.Set<RunModelRow>()
            .AsNoTracking()
            .Where(row => ids.Contains(row.RunId))
            .ToListAsync(cancellationToken);
        var metricsOf = metrics.ToLookup(row => row.RunId);
        var inputsOf = inputs.ToLookup(row => row.RunId);
        var modelsOf = models.ToLookup(row => row.RunId);
        return runs.ToDictionary(
            run => run,
            run => new RunDetail(
                run,
                tags[run.RunId],
                parameters[run.RunId],
                metricsOf[run.RunId],
                inputsOf[run.RunId],
                modelsOf[run.RunId]
            )
        );
    }
}
