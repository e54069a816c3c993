using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Contracts;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Governance.Registry.Versions;
using Governance.Registry.Webhooks;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Models;

/// <summary>MLflow's registered-model routes.</summary>
internal static class ModelRoutes
{
    public const int MaxTagValue = 100_000;

    private static readonly SearchVocabulary Vocabulary = new(
        ["name"],
        [],
        ["name", "creation_timestamp", "last_updated_timestamp"],
        [SearchEntity.Tag]
    )
    {
        // In MLflow a model's timestamp is the time of its last update.
        Synonyms = new Dictionary<string, string> { ["timestamp"] = "last_updated_timestamp" },
    };

    private static readonly CompiledQuery<Func<GovernanceDb, List<Guid>, IAsyncEnumerable<AliasRow>>> AliasesOf = new(
        () =>
            EF.CompileAsyncQuery(
                (GovernanceDb db, List<Guid> models) =>
                    db.Set<AliasRow>()
                        .AsNoTracking()
                        .OrderBy(row => row.Alias)
                        .Where(row => models.Contains(row.ModelId))
            )
    );

    private static readonly CompiledQuery<Func<GovernanceDb, Guid, string, CancellationToken, Task<int?>>> NumberOf =
        new(() =>
            EF.CompileAsyncQuery(
                (GovernanceDb db, Guid model, string alias, CancellationToken _) =>
                    db.Set<AliasRow>()
                        .Where(row => row.ModelId == model && row.Alias == alias)
                        .Select(row => (int?)row.Number)
                        .SingleOrDefault()
            )
        );

    public static IEnumerable<MlflowRoute> All =>
        [
            // Who may only read is told that a model exists: stock clients create before they register.
            new("POST", "registered-models/create", Permissions.ModelRead, CreateAsync),
            new("GET", "registered-models/get", Permissions.ModelRead, GetAsync),
            new("PATCH", "registered-models/update", Permissions.ModelWrite, UpdateAsync),
            new("GET", "registered-models/search", Permissions.ModelRead, SearchAsync),
            new("POST", "registered-models/get-latest-versions", Permissions.ModelRead, LatestAsync),
            new("GET", "registered-models/get-latest-versions", Permissions.ModelRead, LatestAsync),
            new("POST", "registered-models/set-tag", Permissions.ModelWrite, SetTagAsync),
            new("DELETE", "registered-models/delete-tag", Permissions.ModelWrite, DeleteTagAsync),
            new("GET", "registered-models/alias", Permissions.ModelRead, GetAliasAsync),
            new("POST", "registered-models/alias", Permissions.ModelRead, SetAliasAsync),
            new("DELETE", "registered-models/alias", Permissions.ModelRead, DeleteAliasAsync),
            new("POST", "registered-models/rename", Permissions.ModelRead, RenameAsync),
            new("DELETE", "registered-models/delete", Permissions.ModelRead, DeleteAsync),
        ];

    /// <summary>The model, if the caller may read it and do what it asks; absent and unreadable look the same.</summary>
    public static async Task<Result<ModelRow>> ModelAsync(
        Call call,
        GovernanceDb db,
        string name,
        Permission permission
    )
    {
        var absent = VersionErrors.NoModel(name);
        if (await VersionStore.ModelAsync(db, name, call.Token) is not { } model)
        {
            return call.Absent(Permissions.ModelRead, AccessTarget.Model(name, null), absent);
        }

        var target = AccessTarget.Model(model.Name, model.OwnerId);
        var readable = call.Rights.Allows(Permissions.ModelRead, target);
        return call.Check(readable, permission, target, absent) is { } failure ? failure : model;
    }

    private static Task<Result<JsonObject>> CreateAsync(Call call)
    {
        var name = call.Args.Required("name", 10_000);
        if (RegistryNames.CheckName("registered model", name) is { } bad)
        {
            return Task.FromResult<Result<JsonObject>>(bad);
        }

        var tags = call.Args.Keyed("tags", 100, MaxTagValue);
        var description = call.Args.Optional("description", MaxTagValue) ?? "";
        return call.CreateAsync(async session =>
        {
            var denied = Failure.Denied("registry.denied", $"Permission model:create on '{name}' is needed.");
            if (await VersionStore.ModelAsync(session.Db, name, call.Token) is { } existing)
            {
                return call.May(Permissions.ModelRead, AccessTarget.Model(existing.Name, existing.OwnerId))
                    ? Taken(name)
                    : denied;
            }

            if (!call.May(Permissions.ModelCreate, AccessTarget.Model(name, call.Actor.Id)))
            {
                return denied;
            }

            if (await VersionStore.HasTwinAsync(session.Db, name, Guid.Empty, call.Token))
            {
                return VersionErrors.Twin(name);
            }

            var body = Intents.ModelBody(name, description, tags);
            if (await call.IntendAsync(session, Intents.Model, body) is { } intended)
            {
                return intended;
            }

            var now = session.Now.ToUnixTimeMilliseconds();
            var model = new ModelRow
            {
                Id = Guid.CreateVersion7(session.Now),
                Name = name,
                OwnerId = call.Actor.Id,
                Description = description,
                CreatedMs = now,
                UpdatedMs = now,
            };
            session.Db.Add(model);
            var used = await session.Db.Set<ModelNameRow>().FindAsync([name], call.Token);
            if (used is null)
            {
                session.Db.Add(new ModelNameRow { Name = name, ModelId = model.Id });
            }
            else
            {
                used.ModelId = model.Id;
            }

            await Labels.SetAsync(session.Db, LabelScope.ModelTag, LabelIds.Model(model.Id), tags, call.Token);
            await session.Db.SaveChangesAsync(call.Token);
            await call.LogAsync(session, "registry.model_created", Urn.Model(name));
            await session.AnnounceAsync(
                model.Id,
                WebhookEvent.ModelCreated,
                new()
                {
                    ["name"] = name,
                    ["tags"] = Announce.Tags(tags),
                    ["description"] = description,
                },
                call.Token
            );
            return await AnswerAsync(call, session.Db, model);
        });
    }

    private static async Task<Result<JsonObject>> GetAsync(Call call)
    {
        await using var db = await call.OpenAsync();
        var model = await ModelAsync(call, db, call.Args.Required("name"), Permissions.ModelRead);
        return model.Ok ? await AnswerAsync(call, db, model.Value) : model.Failure;
    }

    private static async Task<Result<JsonObject>> AnswerAsync(Call call, GovernanceDb db, ModelRow model)
    {
        var loaded = await LoadAsync(call, db, [model]);
        return new JsonObject { ["registered_model"] = loaded[model].ToJson() };
    }

    private static Task<Result<JsonObject>> UpdateAsync(Call call)
    {
        var description = call.Args.Optional("description", MaxTagValue) ?? "";
        return ChangeAsync(
            call,
            "registry.model_updated",
            (_, model) =>
            {
                model.Description = description;
                return Task.CompletedTask;
            },
            (session, model) => AnswerAsync(call, session.Db, model)
        );
    }

    private static Task<Result<JsonObject>> SetTagAsync(Call call)
    {
        var (key, value) = (call.Args.Key(), call.Args.Optional("value", MaxTagValue) ?? "");
        return ChangeAsync(
            call,
            "registry.model_tagged",
            async (session, model) =>
            {
                var id = LabelIds.Model(model.Id);
                await Labels.SetAsync(session.Db, LabelScope.ModelTag, id, [(key, value)], call.Token);
                await session.AnnounceAsync(
                    model.Id,
                    WebhookEvent.ModelTagSet,
                    new()
                    {
                        ["name"] = model.Name,
                        ["key"] = key,
                        ["value"] = value,
                    },
                    call.Token
                );
            }
        );
    }

    private static Task<Result<JsonObject>> DeleteTagAsync(Call call)
    {
        var key = call.Args.LabelKey();
        return ChangeAsync(
            call,
            "registry.model_untagged",
            async (session, model) =>
            {
                await session.AnnounceAsync(
                    model.Id,
                    WebhookEvent.ModelTagDeleted,
                    new() { ["name"] = model.Name, ["key"] = key },
                    call.Token
                );
                await Labels.RemoveAsync(session.Db, LabelScope.ModelTag, LabelIds.Model(model.Id), key, call.Token);
            }
        );
    }

    private static Task<Result<JsonObject>> ChangeAsync(
        Call call,
        string kind,
        Func<WriteSession, ModelRow, Task> change,
        Func<WriteSession, ModelRow, Task<Result<JsonObject>>>? answer = null
    )
    {
        var name = call.Args.Required("name");
        return call.WriteAsync(async session =>
        {
            var model = await ModelAsync(call, session.Db, name, Permissions.ModelWrite);
            if (!model.Ok)
            {
                return model.Failure;
            }

            await change(session, model.Value);
            model.Value.UpdatedMs = session.Now.ToUnixTimeMilliseconds();
            await session.Db.SaveChangesAsync(call.Token);
            await call.LogAsync(session, kind, Urn.Model(name));
            return answer is null ? new JsonObject() : await answer(session, model.Value);
        });
    }

    private static async Task<Result<JsonObject>> LatestAsync(Call call)
    {
        var stages = new List<string>();
        foreach (var text in call.Args.Strings("stages", 10))
        {
            if (RegistryNames.Stage(text) is not { } stage)
            {
                return RegistryNames.BadStage(text);
            }

            stages.Add(stage);
        }

        await using var db = await call.OpenAsync();
        var model = await ModelAsync(call, db, call.Args.Required("name"), Permissions.ModelRead);
        if (!model.Ok)
        {
            return model.Failure;
        }

        var latest = await VersionStore.LatestAsync(db, [model.Value.Id], call.Token);
        return new JsonObject().With(
            "model_versions",
            latest[model.Value.Id]
                .Where(version => stages.Count == 0 || stages.Contains(version.Row.Stage))
                .Select(version => RegistryJson.Version(version))
                .ToJsonArray()
        );
    }

    private static async Task<Result<JsonObject>> GetAliasAsync(Call call)
    {
        var (name, alias) = (call.Args.Required("name"), call.Args.Required("alias"));
        await using var db = await call.OpenAsync();
        var model = await ModelAsync(call, db, name, Permissions.ModelRead);
        if (!model.Ok)
        {
            return model.Failure;
        }

        // Newer clients ask for the newest version so; nobody can give that alias.
        if (alias.Equals("latest", StringComparison.OrdinalIgnoreCase))
        {
            var newest = await VersionStore.LatestAsync(db, [model.Value.Id], call.Token);
            return newest[model.Value.Id].LastOrDefault() is { } last
                ? new JsonObject { ["model_version"] = RegistryJson.Version(last) }
                : Failure.NotFound("registry.version_not_found", $"Latest version not found for model {name}.");
        }

        var number = await AliasAsync(call, db, model.Value.Id, alias);
        var version = number is null
            ? null
            : await VersionStore.FindAsync(db, new ModelVersionRef(name, number.Value), call.Token);
        return version is null
            ? Failure.Invalid(
                "registry.alias_not_found",
                $"Registered model alias {RegistryNames.Quote(alias)} not found."
            )
            : new JsonObject { ["model_version"] = RegistryJson.Version(version) };
    }

    private static async Task<Result<JsonObject>> SetAliasAsync(Call call)
    {
        var (name, alias) = (call.Args.Required("name"), call.Args.Required("alias"));
        if (RegistryNames.CheckAlias(alias) is { } bad)
        {
            return bad;
        }

        var reference = VersionRoutes.Reference(call);
        await using (var db = await call.OpenAsync())
        {
            var version = await VersionRoutes.VersionAsync(call, db, reference, Permissions.ModelRead);
            if (!version.Ok)
            {
                return version.Failure;
            }
        }

        return await call.MoveAsync(new Move(reference, MoveKind.SetAlias, alias, false), Empty);
    }

    // Deleting an alias that is not there succeeds, as in MLflow; there is nothing to decide.
    private static async Task<Result<JsonObject>> DeleteAliasAsync(Call call)
    {
        var (name, alias) = (call.Args.Required("name"), call.Args.Required("alias"));
        int? number;
        await using (var db = await call.OpenAsync())
        {
            var model = await ModelAsync(call, db, name, Permissions.ModelRead);
            if (!model.Ok)
            {
                return model.Failure;
            }

            number = await AliasAsync(call, db, model.Value.Id, alias);
        }

        return number is null
            ? new JsonObject()
            : await call.MoveAsync(
                new Move(new ModelVersionRef(name, number.Value), MoveKind.DeleteAlias, alias, false),
                Empty
            );
    }

    private static async Task<Result<JsonObject>> RenameAsync(Call call)
    {
        var (name, newName) = (call.Args.Required("name"), call.Args.Required("new_name", 10_000));
        if (RegistryNames.CheckName("registered model", newName) is { } bad)
        {
            return bad;
        }

        await using (var db = await call.OpenAsync())
        {
            var model = await ModelAsync(call, db, name, Permissions.ModelRead);
            if (!model.Ok)
            {
                return model.Failure;
            }

            if (newName == name)
            {
                return await AnswerAsync(call, db, model.Value);
            }
        }

        return await call.MoveAsync(
            new Move(new ModelVersionRef(name, 0), MoveKind.RenameModel, newName, false),
            async _ =>
            {
                await using var db = await call.OpenAsync();
                var renamed = await VersionStore.ModelAsync(db, newName, call.Token);
                return renamed is null ? VersionErrors.NoModel(newName) : await AnswerAsync(call, db, renamed);
            }
        );
    }

    private static async Task<Result<JsonObject>> DeleteAsync(Call call)
    {
        var name = call.Args.Required("name");
        await using (var db = await call.OpenAsync())
        {
            var model = await ModelAsync(call, db, name, Permissions.ModelRead);
            if (!model.Ok)
            {
                return model.Failure;
            }
        }

        return await call.MoveAsync(new Move(new ModelVersionRef(name, 0), MoveKind.DeleteModel, "", false), Empty);
    }

    private static Task<Result<JsonObject>> Empty(MoveOutcome outcome) =>
        Task.FromResult<Result<JsonObject>>(new JsonObject());

    private static Task<int?> AliasAsync(Call call, GovernanceDb db, Guid modelId, string alias) =>
        NumberOf.For(db)(db, modelId, alias, call.Token);

    private static async Task<Result<JsonObject>> SearchAsync(Call call)
    {
        var most = call.Args.Count("max_results", 100, 0, 1000);
        var filter = Search.ParseFilter(call.Args.Optional("filter", 20_000), Vocabulary);
        var order = Search.ParseOrder(call.Args.Strings("order_by", 10), Vocabulary with { Entities = [] });
        var offset = PageTokens.Read(call.Args.Optional("page_token"));
        if ((filter.Failure ?? order.Failure ?? offset.Failure) is { } bad)
        {
            return bad;
        }

        var ofName = filter.Value.Where(c => c.Key.Entity == SearchEntity.Attribute).ToList();
        await using var db = await call.OpenAsync();
        var rows = db.Set<ModelRow>().AsNoTracking().Where(model => !model.Deleted);
        foreach (var name in SearchPage.EqualTo(filter.Value, "name"))
        {
            rows = rows.Where(model => model.Name == name);
        }

        foreach (var (from, to) in SearchPage.Within(filter.Value, "name"))
        {
            rows = rows.Where(model => string.Compare(model.Name, from) >= 0 && string.Compare(model.Name, to) < 0);
        }

        IOrderedQueryable<ModelRow>? sorted = null;
        foreach (var (key, descending) in order.Value)
        {
            sorted = key.Name switch
            {
                "creation_timestamp" => SearchPage.Then(rows, sorted, row => row.CreatedMs, descending),
                "last_updated_timestamp" => SearchPage.Then(rows, sorted, row => row.UpdatedMs, descending),
                _ => SearchPage.Then(rows, sorted, row => row.Name, descending),
            };
        }

        var page = await SearchPage.ReadAsync<ModelRow, ModelDetail>(
            call,
            sorted is null ? rows.OrderBy(row => row.Name) : sorted.ThenBy(row => row.Name),
            offset.Value,
            most,
            batch =>
                LoadAsync(
                    call,
                    db,
                    [
                        .. batch.Where(row =>
                            ofName.TrueForAll(c => c.Matches(row.Name, false))
                            && call.Rights.Allows(Permissions.ModelRead, AccessTarget.Model(row.Name, row.OwnerId))
                        ),
                    ]
                ),
            item => filter.Value.All(item.Matches)
        );
        return new JsonObject()
            .With("registered_models", page.Items.Select(item => item.ToJson()).ToJsonArray())
            .With("next_page_token", page.NextToken);
    }

    private static async Task<Dictionary<ModelRow, ModelDetail>> LoadAsync(
        Call call,
        GovernanceDb db,
        IReadOnlyCollection<ModelRow> rows
    )
    {
        var ids = rows.Select(row => row.Id).ToList();
        var tags = await Labels.LoadAsync(db, LabelScope.ModelTag, ids.ConvertAll(LabelIds.Model), call.Token);
        var aliases = await AliasesOf.For(db)(db, ids).ToListAsync(call.Token);
        var aliasesOf = aliases.ToLookup(row => row.ModelId);
        var latest = await VersionStore.LatestAsync(db, ids, call.Token);
        return rows.ToDictionary(
            row => row,
            row => new ModelDetail(row, tags[LabelIds.Model(row.Id)], aliasesOf[row.Id], latest[row.Id])
        );
    }

    private static Failure Taken(string name) =>
        new(FailureKind.Exists, "registry.model_exists", $"Registered Model (name={name}) already exists.");
}

/// <summary>Everything a registered-model answer holds.</summary>
internal sealed record ModelDetail(
    ModelRow Row,
    IEnumerable<LabelRow> Tags,
    IEnumerable<AliasRow> Aliases,
    IEnumerable<VersionData> Latest
)
{
    public JsonObject ToJson() => RegistryJson.Model(Row, Tags, Aliases, Latest);

    public bool Matches(Comparison c) =>
        c.Key.Entity == SearchEntity.Tag
            ? c.Matches(Tags.FirstOrDefault(tag => tag.Key == c.Key.Name)?.Value, Search.AbsentDiffers(c.Key))
            : c.Matches(Row.Name, false);
}
