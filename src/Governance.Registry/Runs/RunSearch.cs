using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Runs;

/// <summary>MLflow's runs/search.</summary>
internal static class RunSearch
{
    private static readonly SearchVocabulary Vocabulary = new(
        ["run_id", "run_name", "status", "artifact_uri", "user_id", "experiment_id"],
        ["start_time", "end_time"],
        ["run_id", "run_name", "status", "user_id", "start_time", "end_time", "experiment_id"],
        [SearchEntity.Tag, SearchEntity.Param, SearchEntity.Metric, SearchEntity.Dataset]
    )
    {
        Listed = ["run_id", "run_name", "status", "artifact_uri", "user_id", "experiment_id"],
        ListsExclude = true,
        Synonyms = new Dictionary<string, string>
        {
            ["run name"] = "run_name",
            ["Run name"] = "run_name",
            ["Run Name"] = "run_name",
            ["created"] = "start_time",
            ["Created"] = "start_time",
        },
    };

    public static async Task<Result<JsonObject>> HandleAsync(Call call)
    {
        var most = call.Args.Count("max_results", 1000, 1, 50_000);
        var filter = Search.ParseFilter(call.Args.Optional("filter", 20_000), Vocabulary);
        var order = Search.ParseOrder(call.Args.Strings("order_by", 10), Vocabulary);
        var offset = PageTokens.Read(call.Args.Optional("page_token"));
        var view = ViewType.Read(call.Args.Optional("run_view_type"));
        if ((filter.Failure ?? order.Failure ?? offset.Failure ?? view.Failure) is { } bad)
        {
            return bad;
        }

        await using var db = await call.OpenAsync();
        var experiments = await ExperimentsAsync(call, db, call.Args.Strings("experiment_ids", 1000));
        var ids = experiments.Keys.ToList();
        var rows = db.Set<RunRow>().AsNoTracking().Where(run => ids.Contains(run.ExperimentId));
        if (view.Value is { } deleted)
        {
            rows = rows.Where(run => run.Deleted == deleted);
        }

        var page = await SearchPage.ReadAsync<RunRow, RunDetail>(
            call,
            Sort(db, Narrow(db, rows, filter.Value), order.Value),
            offset.Value,
            most,
            batch =>
                RunDetail.LoadAsync(
                    db,
                    [.. batch.Where(run => TrackingAccess.Readable(call, experiments[run.ExperimentId], run.OwnerId))],
                    call.Token
                ),
            run => filter.Value.All(c => Matches(c, run))
        );
        return new JsonObject()
            .With("runs", page.Items.Select(run => run.ToJson()).ToJsonArray())
            .With("next_page_token", page.NextToken);
    }

    public static async Task<Dictionary<long, ExperimentRow>> ExperimentsAsync(
        Call call,
        GovernanceDb db,
        IEnumerable<string> ids
    )
    {
        var numbers = ids.Select(id => ArtifactAddress.TryExperiment(id, out var number) ? number : -1).ToList();
        return await db.Set<ExperimentRow>()
            .AsNoTracking()
            .Where(experiment => numbers.Contains(experiment.Id))
            .ToDictionaryAsync(experiment => experiment.Id, call.Token);
    }

    private static IQueryable<RunRow> Narrow(GovernanceDb db, IQueryable<RunRow> rows, IReadOnlyList<Comparison> filter)
    {
        foreach (var id in SearchPage.EqualTo(filter, "run_id"))
        {
            rows = rows.Where(run => run.RunId == id);
        }

        foreach (
            var (entity, scope) in new[]
            {
                (SearchEntity.Tag, LabelScope.RunTag),
                (SearchEntity.Param, LabelScope.RunParam),
            }
        )
        {
            foreach (var (key, value) in SearchPage.LabelsEqualTo(filter, entity))
            {
                rows = rows.Where(run =>
                    db.Set<LabelRow>()
                        .Any(l => l.Scope == scope && l.ObjectId == run.RunId && l.Key == key && l.Value == value)
                );
            }
        }

        foreach (var comparison in filter.Where(c => c.Key.Entity == SearchEntity.Metric))
        {
            var key = comparison.Key.Name;
            rows = rows.Where(run => db.Set<LatestMetricRow>().Any(m => m.RunId == run.RunId && m.Key == key));
        }

        return rows;
    }

    private static IOrderedQueryable<RunRow> Sort(
        GovernanceDb db,
        IQueryable<RunRow> rows,
        IReadOnlyList<SortKey> order
    )
    {
        IOrderedQueryable<RunRow>? sorted = null;
        foreach (var (key, descending) in order)
        {
            var name = key.Name;
            sorted = (key.Entity, name) switch
            {
                (SearchEntity.Metric, _) => SearchPage.Then(
                    rows,
                    // Runs without the metric come last in both directions.
                    SearchPage.Then(
                        rows,
                        sorted,
                        run => db.Set<LatestMetricRow>().Any(m => m.RunId == run.RunId && m.Key == name && !m.IsNan),
                        true
                    ),
                    run =>
                        db.Set<LatestMetricRow>()
                            .Where(m => m.RunId == run.RunId && m.Key == name)
                            .Select(m => (double?)m.Value)
                            .FirstOrDefault(),
                    descending
                ),
                (SearchEntity.Param, _) => ByLabel(db, rows, sorted, LabelScope.RunParam, name, descending),
                (SearchEntity.Tag, _) => ByLabel(db, rows, sorted, LabelScope.RunTag, name, descending),
                (_, "run_name") => SearchPage.Then(rows, sorted, run => run.Name, descending),
                (_, "status") => SearchPage.Then(rows, sorted, run => run.Status, descending),
                (_, "user_id") => SearchPage.Then(rows, sorted, run => run.OwnerId, descending),
                (_, "end_time") => SearchPage.Then(rows, sorted, run => run.EndMs, descending),
                (_, "run_id") => SearchPage.Then(rows, sorted, run => run.RunId, descending),
                (_, "experiment_id") => SearchPage.Then(rows, sorted, run => run.ExperimentId, descending),
                _ => SearchPage.Then(rows, sorted, run => run.StartMs, descending),
            };
        }

        return (
            sorted is null ? rows.OrderByDescending(run => run.StartMs) : sorted.ThenByDescending(run => run.StartMs)
        ).ThenBy(run => run.RunId);
    }

    private static IOrderedQueryable<RunRow> ByLabel(
        GovernanceDb db,
        IQueryable<RunRow> rows,
        IOrderedQueryable<RunRow>? sorted,
        LabelScope scope,
        string key,
        bool descending
    ) =>
        SearchPage.Then(
            rows,
            sorted,
            run =>
                db.Set<LabelRow>()
                    .Where(l => l.Scope == scope && l.ObjectId == run.RunId && l.Key == key)
                    .Select(l => l.Value)
                    .FirstOrDefault(),
            descending
        );

    private static bool Matches(Comparison c, RunDetail run) =>
        c.Key.Entity switch
        {
            SearchEntity.Tag => c.Matches(run.Tags.FirstOrDefault(t => t.Key == c.Key.Name)?.Value, false),
            SearchEntity.Param => c.Matches(run.Params.FirstOrDefault(p => p.Key == c.Key.Name)?.Value, false),
            SearchEntity.Metric => run.Metrics.FirstOrDefault(m => m.Key == c.Key.Name) is { } metric
                && c.Matches(metric.IsNan ? double.NaN : metric.Value),
            SearchEntity.Dataset => run.Inputs.Any(input =>
                c.Matches(
                    c.Key.Name switch
                    {
                        "name" => input.Name,
                        "digest" => input.MlflowDigest,
                        _ => input.Context,
                    },
                    false
                )
            ),
            _ => c.Key.Name switch
            {
                "start_time" => c.Matches(run.Run.StartMs),
                "end_time" => c.Matches(run.Run.EndMs),
                "run_id" => c.Matches(run.Run.RunId, false),
                "run_name" => c.Matches(run.Run.Name, false),
                "status" => c.Matches(run.Run.Status, false),
                "user_id" => c.Matches(run.Run.OwnerId, false),
                "experiment_id" => c.Matches(LabelIds.Experiment(run.Run.ExperimentId), false),
                _ => c.Matches(TrackingJson.RunUri(run.Run), false),
            },
        };
}
