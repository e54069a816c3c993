using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Contracts;
using Governance.Registry.Engine;
using Governance.Registry.Models;
using Governance.Registry.Storage;
using Governance.Registry.Webhooks;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Versions;

/// <summary>MLflow's model-version routes.</summary>
internal static class VersionRoutes
{
    // What a prompt says is frozen in its manifest; these tags are how clients read it.
    private static readonly string[] FrozenTags =
    [
        RegisterVersion.PromptText,
        RegisterVersion.IsPrompt,
        "_mlflow_prompt_type",
    ];

    private static readonly SearchVocabulary Vocabulary = new(
        ["name", "run_id", "source_path"],
        ["version_number"],
        ["name", "version_number", "creation_timestamp", "last_updated_timestamp"],
        [SearchEntity.Tag]
    )
    {
        Listed = ["run_id"],
    };

    public static IEnumerable<MlflowRoute> All =>
        [
            new("POST", "model-versions/create", Permissions.ModelWrite, RegisterVersion.HandleAsync),
            new("GET", "model-versions/get", Permissions.ModelRead, GetAsync),
            new("PATCH", "model-versions/update", Permissions.ModelWrite, UpdateAsync),
            new("GET", "model-versions/search", Permissions.ModelRead, SearchAsync),
            new("GET", "model-versions/get-download-uri", Permissions.ModelRead, DownloadUriAsync),
            new("POST", "model-versions/set-tag", Permissions.ModelWrite, SetTagAsync),
            new("DELETE", "model-versions/delete-tag", Permissions.ModelWrite, DeleteTagAsync),
            new("POST", "model-versions/transition-stage", Permissions.ModelRead, TransitionAsync),
            new("DELETE", "model-versions/delete", Permissions.ModelRead, DeleteAsync),
        ];

    /// <summary>Name and version of the request; a version is text with a number from 1.</summary>
    public static ModelVersionRef Reference(Call call)
    {
        var (name, version) = (call.Args.Required("name"), call.Args.Required("version", 20));
        return
            int.TryParse(
                version,
                System.Globalization.NumberStyles.None,
                System.Globalization.CultureInfo.InvariantCulture,
                out var number
            )
            && number > 0
            && version == RegistryJson.Number(number)
            ? new ModelVersionRef(name, number)
            : throw new RefusedException(
                Failure.Invalid("registry.bad_version", "Parameter 'version' must be a number from 1, written as text.")
            );
    }

    /// <summary>The version, if the caller may read it and do what it asks.</summary>
    public static async Task<Result<VersionData>> VersionAsync(
        Call call,
        GovernanceDb db,
        ModelVersionRef reference,
        Permission permission
    )
    {
        var absent = VersionErrors.NoVersion(reference);
        if (await VersionStore.FindAsync(db, reference, call.Token) is not { } version)
        {
            // Naming a model that is not there is told as MLflow tells it, without a look at other models.
            return call.Absent(Permissions.ModelRead, AccessTarget.Model(reference.Model, null), absent);
        }

        var target = AccessTarget.Model(version.ModelName, version.OwnerId);
        var readable = call.Rights.Allows(Permissions.ModelRead, target);
        return call.Check(readable, permission, target, absent) is { } failure ? failure : version;
    }

    private static async Task<Result<JsonObject>> GetAsync(Call call)
    {
        await using var db = await call.OpenAsync();
        var version = await VersionAsync(call, db, Reference(call), Permissions.ModelRead);
        return version.Map(Answer);
    }

    private static JsonObject Answer(VersionData version) =>
        new() { ["model_version"] = RegistryJson.Version(version) };

    private static async Task<Result<JsonObject>> DownloadUriAsync(Call call)
    {
        await using var db = await call.OpenAsync();
        var found = await VersionAsync(call, db, Reference(call), Permissions.ArtifactRead);
        if (!found.Ok)
        {
            return found.Failure;
        }

        var row = found.Value.Row;
        return Unservable(row) is { } refused
            ? refused
            : new JsonObject
            {
                ["artifact_uri"] =
                    row.Container.Length == 0 ? row.Source : ArtifactAddress.Uri(row.Container, row.Prefix),
            };
    }

    /// <summary>Why the bytes of a version are not handed out, or null.</summary>
    public static Failure? Unservable(VersionRow row) =>
        row.Quarantined ? VersionErrors.Quarantined
        : row.Status == VersionStatus.FailedRegistration
            ? Failure.Conflict("registry.version_not_ready", $"Registration failed: {row.StatusMessage}")
        : null;

    private static Task<Result<JsonObject>> UpdateAsync(Call call)
    {
        var description = call.Args.Optional("description", 100_000) ?? "";
        return ChangeAsync(
            call,
            "registry.version_updated",
            (_, row) =>
            {
                row.Description = description;
                return Task.CompletedTask;
            },
            answer: true
        );
    }

    private static Task<Result<JsonObject>> SetTagAsync(Call call)
    {
        var (key, value) = (call.Args.Key(), call.Args.Optional("value", ModelRoutes.MaxTagValue) ?? "");
        return FrozenTags.Contains(key)
            ? Task.FromResult<Result<JsonObject>>(Frozen(key))
            : ChangeAsync(
                call,
                "registry.version_tagged",
                async (session, row) =>
                {
                    await Labels.SetAsync(session.Db, LabelScope.VersionTag, row.ObjectId, [(key, value)], call.Token);
                    await AnnounceTagAsync(call, session, row, WebhookEvent.VersionTagSet, key, value);
                }
            );
    }

    private static Task<Result<JsonObject>> DeleteTagAsync(Call call)
    {
        var key = call.Args.LabelKey();
        return FrozenTags.Contains(key)
            ? Task.FromResult<Result<JsonObject>>(Frozen(key))
            : ChangeAsync(
                call,
                "registry.version_untagged",
                async (session, row) =>
                {
                    await Labels.RemoveAsync(session.Db, LabelScope.VersionTag, row.ObjectId, key, call.Token);
                    await AnnounceTagAsync(call, session, row, WebhookEvent.VersionTagDeleted, key, null);
                }
            );
    }

    private static Task AnnounceTagAsync(
        Call call,
        WriteSession session,
        VersionRow row,
        WebhookEvent happened,
        string key,
        string? value
    )
    {
        var reference = Reference(call);
        var data = new JsonObject
        {
            ["name"] = reference.Model,
            ["version"] = RegistryJson.Number(reference.Version),
            ["key"] = key,
        }.With("value", value);
        return session.AnnounceAsync(row.ModelId, happened, data, call.Token);
    }

    private static Failure Frozen(string key) =>
        Failure.Conflict("registry.frozen", $"Tag '{key}' is part of what the version froze.");

    private static Task<Result<JsonObject>> ChangeAsync(
        Call call,
        string kind,
        Func<WriteSession, VersionRow, Task> change,
        bool answer = false
    )
    {
        var reference = Reference(call);
        return call.WriteAsync(async session =>
        {
            var version = await VersionAsync(call, session.Db, reference, Permissions.ModelWrite);
            if (!version.Ok)
            {
                return version.Failure;
            }

            var row = await session
                .Db.Set<VersionRow>()
                .SingleAsync(v => v.ObjectId == version.Value.Row.ObjectId, call.Token);
            await change(session, row);
            // As in MLflow, tags leave the time of the last update alone.
            if (answer)
            {
                row.Touch(session.Now);
            }
            else
            {
                row.Revision++;
            }

            await session.Db.SaveChangesAsync(call.Token);
            await call.LogAsync(session, kind, Urn.Version(reference));
            return answer
                ? Answer((await VersionStore.FindAsync(session.Db, reference, call.Token))!)
                : new JsonObject();
        });
    }

    private static async Task<Result<JsonObject>> TransitionAsync(Call call)
    {
        var reference = Reference(call);
        var text = call.Args.Required("stage", 200);
        var archive = call.Args.Bool("archive_existing_versions");
        if (RegistryNames.Stage(text) is not { } stage)
        {
            return RegistryNames.BadStage(text);
        }

        if (archive && stage is ("None" or "Archived"))
        {
            return Failure.Invalid(
                "registry.bad_archive",
                "archive_existing_versions goes with stage Staging or Production only."
            );
        }

        await using (var db = await call.OpenAsync())
        {
            var version = await VersionAsync(call, db, reference, Permissions.ModelRead);
            if (!version.Ok)
            {
                return version.Failure;
            }
        }

        return await call.MoveAsync(
            new Move(reference, MoveKind.SetStage, stage, archive),
            async _ =>
            {
                await using var db = await call.OpenAsync();
                var version = await VersionStore.FindAsync(db, reference, call.Token);
                return version is null ? VersionErrors.NoVersion(reference) : Answer(version);
            }
        );
    }

    private static async Task<Result<JsonObject>> DeleteAsync(Call call)
    {
        var reference = Reference(call);
        await using (var db = await call.OpenAsync())
        {
            var version = await VersionAsync(call, db, reference, Permissions.ModelRead);
            if (!version.Ok)
            {
                return version.Failure;
            }
        }

        return await call.MoveAsync(
            new Move(reference, MoveKind.DeleteVersion, "", false),
            _ => Task.FromResult<Result<JsonObject>>(new JsonObject())
        );
    }

    private static async Task<Result<JsonObject>> SearchAsync(Call call)
    {
        var most = call.Args.Count("max_results", 10_000, 1, 200_000);
        var filter = Search.ParseFilter(call.Args.Optional("filter", 20_000), Vocabulary);
        var order = Search.ParseOrder(call.Args.Strings("order_by", 10), Vocabulary with { Entities = [] });
        var offset = PageTokens.Read(call.Args.Optional("page_token"));
        if ((filter.Failure ?? order.Failure ?? offset.Failure) is { } bad)
        {
            return bad;
        }

        await using var db = await call.OpenAsync();
        var page = await SearchPage.ReadAsync<VersionData, VersionData>(
            call,
            (skip, take) => ReadAsync(call, db, filter.Value, order.Value, skip, take),
            offset.Value,
            most,
            batch =>
                Task.FromResult(
                    batch
                        .Where(v =>
                            call.Rights.Allows(Permissions.ModelRead, AccessTarget.Model(v.ModelName, v.OwnerId))
                        )
                        .ToDictionary(v => v)
                ),
            version => filter.Value.All(c => Matches(c, version))
        );
        return new JsonObject()
            .With("model_versions", page.Items.Select(version => RegistryJson.Version(version)).ToJsonArray())
            .With("next_page_token", page.NextToken);
    }

    // What clients ask most is translated once: the versions of one name, in the default order.
    private static Task<List<VersionData>> ReadAsync(
        Call call,
        GovernanceDb db,
        IReadOnlyList<Comparison> filter,
        IReadOnlyList<SortKey> order,
        int skip,
        int take
    ) =>
        filter.Count == 1 && order.Count == 0 && SearchPage.EqualTo(filter, "name").SingleOrDefault() is { } name
            ? VersionStore.OfModelAsync(db, name, skip, take, call.Token)
            : VersionStore
                .Project(db, Sort(Narrow(db, VersionStore.Active(db), filter), order))
                .Skip(skip)
                .Take(take)
                .ToListAsync(call.Token);

    private static IQueryable<VersionJoin> Narrow(
        GovernanceDb db,
        IQueryable<VersionJoin> rows,
        IReadOnlyList<Comparison> filter
    )
    {
        foreach (var name in SearchPage.EqualTo(filter, "name"))
        {
            rows = rows.Where(row => row.Model.Name == name);
        }

        foreach (var run in SearchPage.EqualTo(filter, "run_id"))
        {
            rows = rows.Where(row => row.Version.RunId == run);
        }

        foreach (var source in SearchPage.EqualTo(filter, "source_path"))
        {
            rows = rows.Where(row => row.Version.Source == source);
        }

        foreach (var (key, value) in SearchPage.LabelsEqualTo(filter, SearchEntity.Tag))
        {
            rows = rows.Where(row =>
                db.Set<LabelRow>()
                    .Any(l =>
                        l.Scope == LabelScope.VersionTag
                        && l.ObjectId == row.Version.ObjectId
                        && l.Key == key
                        && l.Value == value
                    )
            );
        }

        return rows;
    }

    private static IOrderedQueryable<VersionJoin> Sort(IQueryable<VersionJoin> rows, IReadOnlyList<SortKey> order)
    {
        IOrderedQueryable<VersionJoin>? sorted = null;
        foreach (var (key, descending) in order)
        {
            sorted = key.Name switch
            {
                "version_number" => SearchPage.Then(rows, sorted, row => row.Version.Number, descending),
                "creation_timestamp" => SearchPage.Then(rows, sorted, row => row.Version.CreatedMs, descending),
                "last_updated_timestamp" => SearchPage.Then(rows, sorted, row => row.Version.UpdatedMs, descending),
                _ => SearchPage.Then(rows, sorted, row => row.Model.Name, descending),
            };
        }

        return (sorted ?? rows.OrderByDescending(row => row.Version.UpdatedMs))
            .ThenBy(row => row.Model.Name)
            .ThenByDescending(row => row.Version.Number);
    }

    private static bool Matches(Comparison c, VersionData version) =>
        c.Key switch
        {
            { Entity: SearchEntity.Tag, Name: var key } => c.Matches(
                version.Tags.Find(tag => tag.Key == key)?.Value,
                Search.AbsentDiffers(c.Key)
            ),
            { Name: "name" } => c.Matches(version.ModelName, false),
            { Name: "version_number" } => c.Matches(version.Row.Number),
            { Name: "run_id" } => c.Matches(version.Row.RunId ?? "", false),
            _ => c.Matches(version.Row.Source, false),
        };
}
