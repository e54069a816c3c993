using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Registry.Experiments;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Runs;

/// <summary>
/// MLflow's experiments/search-datasets: the datasets that runs of some experiments name as inputs. Its published path lacks a
/// slash (<c>/api/2.0mlflow/…</c>); it is served there and where it was meant to be.
/// </summary>
internal static class SearchDatasets
{
    public static readonly MlflowRoute Route = new(
        "POST",
        "experiments/search-datasets",
        Permissions.ExperimentRead,
        HandleAsync
    );

    private const int Most = 1000;

    public static async Task<Result<JsonObject>> HandleAsync(Call call)
    {
        var asked = call.Args.Strings("experiment_ids", 20);
        if (asked.Count == 0)
        {
            return Engine.RegistryNames.MissingParameter("experiment_ids");
        }

        await using var db = await call.OpenAsync();
        var experiments = await RunSearch.ExperimentsAsync(call, db, asked);
        var ids = experiments.Keys.ToList();
        var rows = await (
            from input in db.Set<InputRow>()
            join run in db.Set<RunRow>() on input.RunId equals run.RunId
            where ids.Contains(run.ExperimentId) && !run.Deleted
            select new
            {
                run.ExperimentId,
                run.OwnerId,
                input.Name,
                input.MlflowDigest,
                input.Context,
            }
        )
            .Distinct()
            .OrderBy(row => row.ExperimentId)
            .ThenBy(row => row.Name)
            .ThenBy(row => row.MlflowDigest)
            .ThenBy(row => row.Context)
            .ThenBy(row => row.OwnerId)
            .Take(call.Ports.Options.Value.MaxRowsPerSearch)
            .ToListAsync(call.Token);
        var summaries = rows.Where(row => TrackingAccess.Readable(call, experiments[row.ExperimentId], row.OwnerId))
            .Select(row => (row.ExperimentId, row.Name, row.MlflowDigest, row.Context))
            .Distinct()
            .Take(Most)
            .Select(row =>
                new JsonObject
                {
                    ["experiment_id"] = LabelIds.Experiment(row.ExperimentId),
                    ["name"] = row.Name,
                    ["digest"] = row.MlflowDigest,
                }.With("context", row.Context.Length == 0 ? null : row.Context)
            );
        return new JsonObject().With("dataset_summaries", summaries.ToJsonArray());
    }
}
