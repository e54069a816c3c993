using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Runs;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Traces;

/// <summary>Searching traces, for 2.x clients (GET, by experiment ids) and 3.x clients (POST, by locations).</summary>
internal static class TraceSearch
{
    private static readonly SearchVocabulary Vocabulary = new(
        ["request_id", "status", "name", "run_id"],
        ["timestamp_ms", "execution_time_ms"],
        ["timestamp_ms", "execution_time_ms", "status", "request_id"],
        [SearchEntity.Tag, SearchEntity.Metadata]
    )
    {
        Listed = ["request_id", "status", "name", "run_id"],
        ListsExclude = true,
        Synonyms = new Dictionary<string, string>
        {
            ["timestamp"] = "timestamp_ms",
            ["request_time"] = "timestamp_ms",
            ["execution_time"] = "execution_time_ms",
            ["execution_duration"] = "execution_time_ms",
            ["state"] = "status",
            ["trace_id"] = "request_id",
            ["id"] = "request_id",
        },
    };

    public static Task<Result<JsonObject>> OldAsync(Call call) =>
        SearchAsync(call, call.Args.Strings("experiment_ids", 100), trace => trace.ToOldJson());

    public static Task<Result<JsonObject>> NewAsync(Call call)
    {
        var experiments = call
            .Args.Objects("locations", 100)
            .Select(at =>
                at.Object("mlflow_experiment")?.Required("experiment_id")
                ?? throw new RefusedException(RegistryNames.MissingParameter("locations.mlflow_experiment"))
            )
            .ToList();
        return SearchAsync(call, experiments, trace => trace.ToJson());
    }

    private static async Task<Result<JsonObject>> SearchAsync(
        Call call,
        IReadOnlyList<string> experimentIds,
        Func<TraceDetail, JsonObject> write
    )
    {
        var most = call.Args.Count("max_results", 100, 1, 500);
        var filter = Search.ParseFilter(call.Args.Optional("filter", 20_000), Vocabulary);
        var order = Search.ParseOrder(call.Args.Strings("order_by", 10), Vocabulary with { Entities = [] });
        var offset = PageTokens.Read(call.Args.Optional("page_token"));
        if ((filter.Failure ?? order.Failure ?? offset.Failure) is { } bad)
        {
            return bad;
        }

        await using var db = await call.OpenAsync();
        var experiments = await RunSearch.ExperimentsAsync(call, db, experimentIds);
        var ids = experiments.Keys.ToList();
        var rows = db.Set<TraceRow>().AsNoTracking().Where(row => ids.Contains(row.ExperimentId));
        foreach (var id in SearchPage.EqualTo(filter.Value, "request_id"))
        {
            rows = rows.Where(row => row.TraceId == id);
        }

        foreach (var run in SearchPage.EqualTo(filter.Value, "run_id"))
        {
            rows = rows.Where(row =>
                db.Set<LabelRow>()
                    .Any(l =>
                        l.Scope == LabelScope.TraceMetadata
                        && l.ObjectId == row.TraceId
                        && l.Key == TraceDetail.SourceRun
                        && l.Value == run
                    )
            );
        }

        var page = await SearchPage.ReadAsync<TraceRow, TraceDetail>(
            call,
            Sort(rows, order.Value),
            offset.Value,
            most,
            batch =>
                TraceDetail.LoadAsync(
                    db,
                    [.. batch.Where(row => TrackingAccess.Readable(call, experiments[row.ExperimentId], row.OwnerId))],
                    call.Token
                ),
            trace => filter.Value.All(trace.Matches)
        );
        return new JsonObject()
            .With("traces", page.Items.Select(write).ToJsonArray())
            .With("next_page_token", page.NextToken);
    }

    private static IOrderedQueryable<TraceRow> Sort(IQueryable<TraceRow> rows, IReadOnlyList<SortKey> order)
    {
        IOrderedQueryable<TraceRow>? sorted = null;
        foreach (var (key, descending) in order)
        {
            sorted = key.Name switch
            {
                "execution_time_ms" => SearchPage.Then(rows, sorted, row => row.DurationMs, descending),
                "status" => SearchPage.Then(rows, sorted, row => row.State, descending),
                "request_id" => SearchPage.Then(rows, sorted, row => row.TraceId, descending),
                _ => SearchPage.Then(rows, sorted, row => row.TimestampMs, descending),
            };
        }

        return (sorted ?? rows.OrderByDescending(row => row.TimestampMs)).ThenBy(row => row.TraceId);
    }
}
