using System.Buffers;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Runs;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.LoggedModels;

/// <summary>The logged-model routes of 3.x clients.</summary>
internal static class LoggedModelRoutes
{
    private static readonly string[] Statuses =
    [
        "LOGGED_MODEL_PENDING",
        "LOGGED_MODEL_READY",
        "LOGGED_MODEL_UPLOAD_FAILED",
    ];

    private static readonly SearchValues<char> NotInNames = SearchValues.Create("/:.%\"'");

    private static readonly SearchVocabulary Vocabulary = new(
        ["name", "model_id", "model_type", "status", "source_run_id"],
        ["creation_timestamp", "last_updated_timestamp"],
        ["name", "model_id", "creation_timestamp", "last_updated_timestamp"],
        [SearchEntity.Tag, SearchEntity.Param, SearchEntity.Metric]
    )
    {
        Listed = ["name", "model_id", "model_type", "status", "source_run_id"],
        ListsExclude = true,
    };

    /// <summary>One sort key of a search; a metric may be asked of one dataset only.</summary>
    private sealed record SortOf(SortKey By, string? Dataset, string? Digest);

    public static IEnumerable<MlflowRoute> All =>
        [
            new("POST", "logged-models", Permissions.ExperimentWrite, CreateAsync),
            new("POST", "logged-models/search", Permissions.ExperimentRead, SearchAsync),
            new("GET", "logged-models/{id}", Permissions.ExperimentRead, GetAsync),
            new("PATCH", "logged-models/{id}", Permissions.ExperimentWrite, FinishAsync),
            new("DELETE", "logged-models/{id}", Permissions.ExperimentWrite, DeleteAsync),
            new("POST", "logged-models/{id}/params", Permissions.ExperimentWrite, LogParamsAsync),
            new("PATCH", "logged-models/{id}/tags", Permissions.ExperimentWrite, SetTagsAsync),
            new("DELETE", "logged-models/{id}/tags/{key}", Permissions.ExperimentWrite, DeleteTagAsync),
        ];

    public static GraphNode Node(LoggedModelRow row) =>
        new(Urn.LoggedModel(row.ModelId), GraphNodeKind.LoggedModel, row.Name);

    private static Task<Result<JsonObject>> CreateAsync(Call call)
    {
        var experimentId = call.Args.Required("experiment_id");
        var name = call.Args.Optional("name", 250) ?? "";
        if (name.AsSpan().ContainsAny(NotInNames))
        {
            return Task.FromResult<Result<JsonObject>>(
                Failure.Invalid(
                    "registry.bad_name",
                    $"Invalid model name ('{RegistryNames.Quote(name)}') provided. Model name must be a non-empty string and "
                        + "cannot contain the following characters: ('/', ':', '.', '%', '\"', \"'\")"
                )
            );
        }

        var sourceRun = call.Args.Optional("source_run_id", 64) is { Length: > 0 } run ? run : null;
        var type = call.Args.Optional("model_type", 250) ?? "";
        var parameters = call.Args.Labels("params", 100, RunLog.MaxParamValue);
        var tags = call.Args.Labels("tags", 100, RunLog.MaxTagValue);
        return call.CreateAsync(async session =>
        {
            var experiment = await TrackingAccess.MakeInAsync(call, session.Db, experimentId);
            if (!experiment.Ok)
            {
                return experiment.Failure;
            }

            RunRow? source = null;
            if (sourceRun is not null)
            {
                // Naming a run says that the run made this model: only who may write the run may say so.
                var found = await TrackingAccess.RunAsync(call, session.Db, sourceRun, Permissions.ExperimentWrite);
                if (!found.Ok)
                {
                    return found.Failure;
                }

                source = found.Value.Run;
            }

            var body = Intents.LoggedModelBody(experiment.Value.Id, name, type, sourceRun, parameters, tags);
            if (await call.IntendAsync(session, Intents.LoggedModel, body) is { } intended)
            {
                return intended;
            }

            var id = call.Assigned ?? $"m-{Guid.CreateVersion7(session.Now):N}";
            var row = new LoggedModelRow
            {
                ModelId = id,
                ExperimentId = experiment.Value.Id,
                OwnerId = call.Actor.Id,
                Name = name.Length > 0 ? name : id,
                ModelType = type,
                SourceRunId = sourceRun,
                CreatedMs = session.Now.ToUnixTimeMilliseconds(),
                UpdatedMs = session.Now.ToUnixTimeMilliseconds(),
            };
            session.Db.Add(row);
            await Labels.SetAsync(session.Db, LabelScope.LoggedModelTag, id, tags, call.Token);
            await Labels.SetAsync(session.Db, LabelScope.LoggedModelParam, id, parameters, call.Token);
            await session.Db.SaveChangesAsync(call.Token);
            var entry = await call.LogAsync(
                session,
                "registry.logged_model_created",
                Urn.LoggedModel(id),
                new() { ["experiment"] = experimentId, ["run"] = sourceRun }
            );
            if (source is not null)
            {
                var edge = new GraphEdge(
                    LogInputs.RunNode(source),
                    Node(row),
                    GraphVerb.Generated,
                    GraphGrade.Declared
                );
                await session.LinkAsync(edge, entry, call.Token);
            }

            return await AnswerAsync(call, session.Db, row);
        });
    }

    private static async Task<Result<JsonObject>> GetAsync(Call call)
    {
        await using var db = await call.OpenAsync();
        var found = await TrackingAccess.LoggedModelAsync(call, db, call.RouteId, Permissions.ExperimentRead);
        return found.Ok ? await AnswerAsync(call, db, found.Value.Model) : found.Failure;
    }

    private static Task<Result<JsonObject>> FinishAsync(Call call)
    {
        var status = call.Args.Required("status", 40);
        return Statuses.Contains(status)
            ? ChangeAsync(
                call,
                "registry.logged_model_updated",
                (_, row) =>
                {
                    row.Status = status;
                    return Task.FromResult<Failure?>(null);
                },
                answer: true
            )
            : Task.FromResult<Result<JsonObject>>(
                Failure.Invalid(
                    "registry.bad_status",
                    $"A logged model's status is one of {string.Join(", ", Statuses)}."
                )
            );
    }

    // Frozen bytes stay where versions hold them; only the logged model is hidden.
    private static Task<Result<JsonObject>> DeleteAsync(Call call) =>
        ChangeAsync(
            call,
            "registry.logged_model_deleted",
            (_, row) =>
            {
                row.Deleted = true;
                return Task.FromResult<Failure?>(null);
            }
        );

    private static Task<Result<JsonObject>> LogParamsAsync(Call call)
    {
        var parameters = call.Args.Labels("params", 100, RunLog.MaxParamValue);
        return ChangeAsync(
            call,
            "registry.logged_model_params",
            (session, row) => RunLog.ParamsAsync(call, session, LabelScope.LoggedModelParam, row.ModelId, parameters)
        );
    }

    private static Task<Result<JsonObject>> SetTagsAsync(Call call)
    {
        var tags = call.Args.Labels("tags", 100, 100_000);
        return ChangeAsync(
            call,
            "registry.logged_model_tagged",
            async (session, row) =>
            {
                await Labels.SetAsync(session.Db, LabelScope.LoggedModelTag, row.ModelId, tags, call.Token);
                return null;
            }
        );
    }

    private static Task<Result<JsonObject>> DeleteTagAsync(Call call) =>
        ChangeAsync(
            call,
            "registry.logged_model_untagged",
            async (session, row) =>
                await Labels.RemoveAsync(session.Db, LabelScope.LoggedModelTag, row.ModelId, call.RouteKey, call.Token)
                    ? null
                    : Failure.NotFound(
                        "registry.tag_not_found",
                        $"No tag with key {RegistryNames.Quote(call.RouteKey)} found for logged model {row.ModelId}."
                    )
        );

    private static Task<Result<JsonObject>> ChangeAsync(
        Call call,
        string kind,
        Func<WriteSession, LoggedModelRow, Task<Failure?>> change,
        bool answer = false
    ) =>
        call.WriteAsync(async session =>
        {
            var found = await TrackingAccess.LoggedModelAsync(
                call,
                session.Db,
                call.RouteId,
                Permissions.ExperimentWrite
            );
            if (!found.Ok)
            {
                return found.Failure;
            }

            var row = found.Value.Model;
            if (await change(session, row) is { } failure)
            {
                return failure;
            }

            row.UpdatedMs = session.Now.ToUnixTimeMilliseconds();
            await session.Db.SaveChangesAsync(call.Token);
            await call.LogAsync(session, kind, Urn.LoggedModel(row.ModelId));
            return answer ? await AnswerAsync(call, session.Db, row) : new JsonObject();
        });

    private static async Task<Result<JsonObject>> AnswerAsync(Call call, GovernanceDb db, LoggedModelRow row)
    {
        var loaded = await LoadAsync(call, db, [row]);
        return new JsonObject { ["model"] = loaded[row].ToJson() };
    }

    private static async Task<Result<JsonObject>> SearchAsync(Call call)
    {
        var most = call.Args.Count("max_results", 100, 1, 1000);
        var filter = Search.ParseFilter(call.Args.Optional("filter", 20_000), Vocabulary);
        var offset = PageTokens.Read(call.Args.Optional("page_token"));
        var asked = call
            .Args.Objects("order_by", 10)
            .Where(by => by.Optional("field_name") is { Length: > 0 })
            .ToList();
        var order = Search.ParseOrder(
            asked.Select(by =>
                $"{by.Required("field_name")} {(by.Has("ascending") && !by.Bool("ascending") ? "DESC" : "ASC")}"
            ),
            Vocabulary with
            {
                Entities = [SearchEntity.Metric],
            }
        );
        if ((filter.Failure ?? order.Failure ?? offset.Failure) is { } bad)
        {
            return bad;
        }

        var sorts = order
            .Value.Zip(asked)
            .Select(pair => new SortOf(
                pair.First,
                pair.Second.Optional("dataset_name") is { Length: > 0 } dataset ? dataset : null,
                pair.Second.Optional("dataset_digest") is { Length: > 0 } digest ? digest : null
            ))
            .ToList();
        var datasets = call
            .Args.Objects("datasets", 100)
            .Select(of => (Name: of.Required("dataset_name"), Digest: of.Optional("dataset_digest")))
            .ToList();
        await using var db = await call.OpenAsync();
        var experiments = await RunSearch.ExperimentsAsync(call, db, call.Args.Strings("experiment_ids", 1000));
        var ids = experiments.Keys.ToList();
        var rows = db.Set<LoggedModelRow>().AsNoTracking().Where(row => ids.Contains(row.ExperimentId) && !row.Deleted);
        foreach (var name in SearchPage.EqualTo(filter.Value, "name"))
        {
            rows = rows.Where(row => row.Name == name);
        }

        var page = await SearchPage.ReadAsync<LoggedModelRow, LoggedModelDetail>(
            call,
            Sort(db, rows, sorts),
            offset.Value,
            most,
            batch =>
                LoadAsync(
                    call,
                    db,
                    [.. batch.Where(row => TrackingAccess.Readable(call, experiments[row.ExperimentId], row.OwnerId))]
                ),
            item => filter.Value.All(comparison => item.Matches(comparison, datasets))
        );
        return new JsonObject()
            .With("models", page.Items.Select(item => item.ToJson()).ToJsonArray())
            .With("next_page_token", page.NextToken);
    }

    private static IOrderedQueryable<LoggedModelRow> Sort(
        GovernanceDb db,
        IQueryable<LoggedModelRow> rows,
        IReadOnlyList<SortOf> order
    )
    {
        IOrderedQueryable<LoggedModelRow>? sorted = null;
        foreach (var sort in order)
        {
            var (key, descending) = sort.By;
            sorted = key.Name switch
            {
                _ when key.Entity == SearchEntity.Metric => ByMetric(db, rows, sorted, sort),
                "name" => SearchPage.Then(rows, sorted, row => row.Name, descending),
                "model_id" => SearchPage.Then(rows, sorted, row => row.ModelId, descending),
                "last_updated_timestamp" => SearchPage.Then(rows, sorted, row => row.UpdatedMs, descending),
                _ => SearchPage.Then(rows, sorted, row => row.CreatedMs, descending),
            };
        }

        return (sorted ?? rows.OrderByDescending(row => row.CreatedMs)).ThenBy(row => row.ModelId);
    }

    // Models without the metric come last in both directions, as runs do.
    private static IOrderedQueryable<LoggedModelRow> ByMetric(
        GovernanceDb db,
        IQueryable<LoggedModelRow> rows,
        IOrderedQueryable<LoggedModelRow>? sorted,
        SortOf sort
    )
    {
        var (key, dataset, digest) = (sort.By.Key.Name, sort.Dataset, sort.Digest);
        var metrics = db.Set<MetricRow>()
            .Where(m =>
                m.Key == key
                && !m.IsNan
                && (dataset == null || m.DatasetName == dataset)
                && (digest == null || m.DatasetDigest == digest)
            );
        return SearchPage.Then(
            rows,
            SearchPage.Then(rows, sorted, row => metrics.Any(m => m.LoggedModelId == row.ModelId), true),
            row =>
                metrics
                    .Where(m => m.LoggedModelId == row.ModelId)
                    .OrderByDescending(m => m.Step)
                    .ThenByDescending(m => m.TimestampMs)
                    .Select(m => (double?)m.Value)
                    .FirstOrDefault(),
            sort.By.Descending
        );
    }

    private static async Task<Dictionary<LoggedModelRow, LoggedModelDetail>> LoadAsync(
        Call call,
        GovernanceDb db,
        IReadOnlyCollection<LoggedModelRow> rows
    )
    {
        var ids = rows.Select(row => row.ModelId).ToList();
        var tags = await Labels.LoadAsync(db, LabelScope.LoggedModelTag, ids, call.Token);
        var parameters = await Labels.LoadAsync(db, LabelScope.LoggedModelParam, ids, call.Token);
        var metrics = await db.Set<MetricRow>()
            .AsNoTracking()
            .Where(metric => metric.LoggedModelId != null && ids.Contains(metric.LoggedModelId))
            .OrderByDescending(metric => metric.Id)
            .Take(10_000)
            .ToListAsync(call.Token);
        var latest = metrics
            .GroupBy(m => (m.LoggedModelId, m.RunId, m.Key, m.DatasetName, m.DatasetDigest))
            .Select(group => group.MaxBy(m => (m.Step, m.TimestampMs, m.Id))!)
            .ToLookup(metric => metric.LoggedModelId!);
        return rows.ToDictionary(
            row => row,
            row => new LoggedModelDetail(row, tags[row.ModelId], parameters[row.ModelId], latest[row.ModelId])
        );
    }
}

/// <summary>Everything a logged-model answer holds.</summary>
internal sealed record LoggedModelDetail(
    LoggedModelRow Row,
    IEnumerable<LabelRow> Tags,
    IEnumerable<LabelRow> Params,
    IEnumerable<MetricRow> Metrics
)
{
    public JsonObject ToJson() => TrackingJson.LoggedModel(Row, Tags, Params, Metrics);

    /// <summary>Metrics count only when they were measured on one of the datasets, if any are named.</summary>
    public bool Matches(Comparison c, IReadOnlyList<(string Name, string? Digest)> datasets) =>
        c.Key.Entity switch
        {
            SearchEntity.Tag => c.Matches(Tags.FirstOrDefault(t => t.Key == c.Key.Name)?.Value, false),
            SearchEntity.Param => c.Matches(Params.FirstOrDefault(p => p.Key == c.Key.Name)?.Value, false),
            SearchEntity.Metric => Metrics.Any(m =>
                m.Key == c.Key.Name
                && c.Matches(m.IsNan ? double.NaN : m.Value)
                && (
                    datasets.Count == 0
                    || datasets.Any(d => d.Name == m.DatasetName && (d.Digest is null || d.Digest == m.DatasetDigest))
                )
            ),
            _ => c.Key.Name switch
            {
                "creation_timestamp" => c.Matches(Row.CreatedMs),
                "last_updated_timestamp" => c.Matches(Row.UpdatedMs),
                "name" => c.Matches(Row.Name, false),
                "model_id" => c.Matches(Row.ModelId, false),
                "model_type" => c.Matches(Row.ModelType, false),
                "status" => c.Matches(Row.Status, false),
                _ => c.Matches(Row.SourceRunId, false),
            },
        };
}
