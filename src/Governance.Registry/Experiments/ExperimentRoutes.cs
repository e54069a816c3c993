using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Experiments;

/// <summary>MLflow's experiment routes.</summary>
internal static class ExperimentRoutes
{
    private static readonly SearchVocabulary Vocabulary = new(
        ["name"],
        ["creation_time", "last_update_time"],
        ["name", "experiment_id", "creation_time", "last_update_time"],
        [SearchEntity.Tag]
    );

    public static IEnumerable<MlflowRoute> All =>
        [
            new("POST", "experiments/create", Permissions.ExperimentCreate, CreateAsync),
            new("GET", "experiments/get", Permissions.ExperimentRead, GetAsync),
            new("GET", "experiments/get-by-name", Permissions.ExperimentRead, GetByNameAsync),
            new("POST", "experiments/search", Permissions.ExperimentRead, SearchAsync),
            new("GET", "experiments/search", Permissions.ExperimentRead, SearchAsync),
            new("POST", "experiments/update", Permissions.ExperimentWrite, RenameAsync),
            new("POST", "experiments/delete", Permissions.ExperimentWrite, call => SetDeletedAsync(call, true)),
            new("POST", "experiments/restore", Permissions.ExperimentWrite, call => SetDeletedAsync(call, false)),
            new("POST", "experiments/set-experiment-tag", Permissions.ExperimentWrite, SetTagAsync),
            new("POST", "experiments/delete-experiment-tag", Permissions.ExperimentWrite, DeleteTagAsync),
        ];

    public static string Subject(long id) => string.Create(CultureInfo.InvariantCulture, $"experiment:{id}");

    private static async Task<Result<JsonObject>> CreateAsync(Call call)
    {
        var name = call.Args.Required("name");
        if (RegistryNames.CheckName("experiment", name) is { } bad)
        {
            return bad;
        }

        // Locations elsewhere would put bytes out of the gateway's sight.
        if (!string.IsNullOrEmpty(call.Args.Optional("artifact_location")))
        {
            return Failure.Invalid(
                "registry.artifact_location",
                "artifact_location is decided by the server; omit it."
            );
        }

        var tags = call.Args.Labels("tags", 100, 5000);
        return await call.CreateAsync(async session =>
        {
            var experiments = session.Db.Set<ExperimentRow>();
            var existing = await experiments.SingleOrDefaultAsync(e => e.Name == name, call.Token);
            var denied = Failure.Denied("registry.denied", $"Permission experiment:create on '{name}' is needed.");
            if (existing is not null)
            {
                return TrackingAccess.Readable(call, existing, null) ? Taken(name) : denied;
            }

            if (!call.May(Permissions.ExperimentCreate, AccessTarget.Experiment(name, call.Actor.Id)))
            {
                return denied;
            }

            if (await call.IntendAsync(session, Intents.Experiment, Intents.ExperimentBody(name, tags)) is { } intended)
            {
                return intended;
            }

            var now = session.Now.ToUnixTimeMilliseconds();
            var row = new ExperimentRow
            {
                Id = call.Assigned is { } given
                    ? long.Parse(given, CultureInfo.InvariantCulture)
                    : await experiments.MaxAsync(e => e.Id, call.Token) + 1,
                Name = name,
                OwnerId = call.Actor.Id,
                CreatedMs = now,
                UpdatedMs = now,
            };
            experiments.Add(row);
            await Labels.SetAsync(session.Db, LabelScope.ExperimentTag, LabelIds.Experiment(row.Id), tags, call.Token);
            await session.Db.SaveChangesAsync(call.Token);
            await call.LogAsync(session, "registry.experiment_created", Subject(row.Id), new() { ["name"] = name });
            return new JsonObject { ["experiment_id"] = LabelIds.Experiment(row.Id) };
        });
    }

    private static async Task<Result<JsonObject>> GetAsync(Call call)
    {
        await using var db = await call.OpenAsync();
        var found = await TrackingAccess.ExperimentAsync(
            call,
            db,
            call.Args.Required("experiment_id"),
            Permissions.ExperimentRead
        );
        return found.Ok ? await AnswerAsync(call, db, found.Value) : found.Failure;
    }

    private static async Task<Result<JsonObject>> GetByNameAsync(Call call)
    {
        var name = call.Args.Required("experiment_name");
        await using var db = await call.OpenAsync();
        var row = await db.Set<ExperimentRow>().AsNoTracking().SingleOrDefaultAsync(e => e.Name == name, call.Token);
        var absent = Failure.NotFound(
            "registry.experiment_not_found",
            $"Could not find experiment with name '{RegistryNames.Quote(name)}'"
        );
        if (row is null)
        {
            return call.Absent(Permissions.ExperimentRead, AccessTarget.Experiment(name, null), absent);
        }

        if (!TrackingAccess.Readable(call, row, null))
        {
            call.Refuse(Permissions.ExperimentRead, TrackingAccess.Target(row, null));
            return absent;
        }

        return await AnswerAsync(call, db, row);
    }

    private static async Task<Result<JsonObject>> AnswerAsync(
        Call call,
        Platform.Database.GovernanceDb db,
        ExperimentRow row
    )
    {
        var tags = await Labels.LoadAsync(db, LabelScope.ExperimentTag, [LabelIds.Experiment(row.Id)], call.Token);
        return new JsonObject { ["experiment"] = TrackingJson.Experiment(row, tags[LabelIds.Experiment(row.Id)]) };
    }

    private static async Task<Result<JsonObject>> SearchAsync(Call call)
    {
        if (!call.Args.Has("max_results"))
        {
            return RegistryNames.MissingParameter("max_results");
        }

        var most = call.Args.Count("max_results", 1000, 1, 50_000);
        var filter = Search.ParseFilter(call.Args.Optional("filter", 20_000), Vocabulary);
        var order = Search.ParseOrder(call.Args.Strings("order_by", 10), Vocabulary with { Entities = [] });
        var offset = PageTokens.Read(call.Args.Optional("page_token"));
        var view = ViewType.Read(call.Args.Optional("view_type"));
        if ((filter.Failure ?? order.Failure ?? offset.Failure ?? view.Failure) is { } bad)
        {
            return bad;
        }

        await using var db = await call.OpenAsync();
        var rows = db.Set<ExperimentRow>().AsNoTracking();
        if (view.Value is { } deleted)
        {
            rows = rows.Where(row => row.Deleted == deleted);
        }

        foreach (var name in SearchPage.EqualTo(filter.Value, "name"))
        {
            rows = rows.Where(row => row.Name == name);
        }

        IOrderedQueryable<ExperimentRow>? sorted = null;
        foreach (var (key, descending) in order.Value)
        {
            sorted = key.Name switch
            {
                "name" => SearchPage.Then(rows, sorted, row => row.Name, descending),
                "creation_time" => SearchPage.Then(rows, sorted, row => row.CreatedMs, descending),
                "last_update_time" => SearchPage.Then(rows, sorted, row => row.UpdatedMs, descending),
                _ => SearchPage.Then(rows, sorted, row => row.Id, descending),
            };
        }

        sorted =
            order.Value.Count == 0
                ? rows.OrderByDescending(row => row.CreatedMs).ThenByDescending(row => row.Id)
                : sorted!.ThenBy(row => row.Id);
        var page = await SearchPage.ReadAsync<ExperimentRow, (ExperimentRow Row, IEnumerable<LabelRow> Tags)>(
            call,
            sorted,
            offset.Value,
            most,
            async batch =>
            {
                var visible = batch.Where(row => TrackingAccess.Readable(call, row, null)).ToList();
                var ids = visible.ConvertAll(row => LabelIds.Experiment(row.Id));
                var tags = await Labels.LoadAsync(db, LabelScope.ExperimentTag, ids, call.Token);
                return visible.ToDictionary(row => row, row => (row, tags[LabelIds.Experiment(row.Id)]));
            },
            item => filter.Value.All(c => Matches(c, item.Row, item.Tags))
        );
        return new JsonObject()
            .With("experiments", page.Items.Select(item => TrackingJson.Experiment(item.Row, item.Tags)).ToJsonArray())
            .With("next_page_token", page.NextToken);
    }

    private static bool Matches(Comparison c, ExperimentRow row, IEnumerable<LabelRow> tags) =>
        c.Key switch
        {
            { Entity: SearchEntity.Tag, Name: var key } => c.Matches(
                tags.FirstOrDefault(tag => tag.Key == key)?.Value,
                false
            ),
            { Name: "name" } => c.Matches(row.Name, false),
            { Name: "creation_time" } => c.Matches(row.CreatedMs),
            _ => c.Matches(row.UpdatedMs),
        };

    private static Task<Result<JsonObject>> RenameAsync(Call call)
    {
        var name = call.Args.Required("new_name");
        return ChangeAsync(
            call,
            "registry.experiment_updated",
            async (session, row) =>
            {
                if (name == row.Name)
                {
                    return null;
                }

                if (RegistryNames.CheckName("experiment", name) is { } bad)
                {
                    return bad;
                }

                if (await session.Db.Set<ExperimentRow>().AnyAsync(e => e.Name == name, call.Token))
                {
                    return Taken(name);
                }

                // The new name may lie in reach of other grants: the right must hold there too.
                if (!call.May(Permissions.ExperimentWrite, AccessTarget.Experiment(name, row.OwnerId)))
                {
                    return Failure.Denied("registry.denied", $"Permission experiment:write on '{name}' is needed.");
                }

                row.Name = name;
                return null;
            }
        );
    }

    private static Task<Result<JsonObject>> SetDeletedAsync(Call call, bool deleted) =>
        ChangeAsync(
            call,
            deleted ? "registry.experiment_deleted" : "registry.experiment_restored",
            (_, row) =>
            {
                if (row.Id == RegistryModel.DefaultExperimentId)
                {
                    return Task.FromResult<Failure?>(
                        Failure.Invalid("registry.default_experiment", "The default experiment cannot be deleted.")
                    );
                }

                row.Deleted = deleted;
                return Task.FromResult<Failure?>(null);
            },
            evenDeleted: true
        );

    private static Task<Result<JsonObject>> SetTagAsync(Call call)
    {
        var (key, value) = (call.Args.Key(), call.Args.Optional("value", 5000) ?? "");
        return ChangeAsync(
            call,
            "registry.experiment_tagged",
            async (session, row) =>
            {
                var id = LabelIds.Experiment(row.Id);
                await Labels.SetAsync(session.Db, LabelScope.ExperimentTag, id, [(key, value)], call.Token);
                return null;
            },
            touch: false
        );
    }

    private static Task<Result<JsonObject>> DeleteTagAsync(Call call)
    {
        var key = call.Args.LabelKey();
        return ChangeAsync(
            call,
            "registry.experiment_untagged",
            async (session, row) =>
                await Labels.RemoveAsync(
                    session.Db,
                    LabelScope.ExperimentTag,
                    LabelIds.Experiment(row.Id),
                    key,
                    call.Token
                )
                    ? null
                    : Failure.NotFound("registry.tag_not_found", $"No tag with name: {RegistryNames.Quote(key)}"),
            touch: false
        );
    }

    private static Task<Result<JsonObject>> ChangeAsync(
        Call call,
        string kind,
        Func<Platform.Database.WriteSession, ExperimentRow, Task<Failure?>> change,
        bool touch = true,
        bool evenDeleted = false
    )
    {
        var id = call.Args.Required("experiment_id");
        return call.WriteAsync(async session =>
        {
            var found = await TrackingAccess.ExperimentAsync(call, session.Db, id, Permissions.ExperimentWrite);
            if (!found.Ok)
            {
                return found.Failure;
            }

            if (found.Value.Deleted && !evenDeleted)
            {
                return TrackingAccess.DeletedExperiment(id);
            }

            if (await change(session, found.Value) is { } failure)
            {
                return failure;
            }

            if (touch)
            {
                found.Value.UpdatedMs = session.Now.ToUnixTimeMilliseconds();
            }

            await session.Db.SaveChangesAsync(call.Token);
            await call.LogAsync(session, kind, Subject(found.Value.Id));
            return new JsonObject();
        });
    }

    private static Failure Taken(string name) =>
        new(FailureKind.Exists, "registry.experiment_exists", $"Experiment(name={name}) already exists.");
}
