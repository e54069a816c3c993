using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Engine;
using Governance.Registry.Models;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Governance.Registry.Webhooks;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Imports;

/// <summary>
/// Brings registered models, prompts among them, and their versions under the numbers they had. Stages and aliases are written
/// down as tags and never held: a version here starts at None and goes the way of every version.
/// </summary>
internal static class ImportModels
{
    private const int PageSize = 50;
    private const int VersionPage = 200;
    private const string Prompts = "prompts";
    private const string IsPromptFilter = "tag.`mlflow.prompt.is_prompt` = 'true'";

    public static async Task StepAsync(ImportUnits units, CancellationToken cancellationToken)
    {
        var import = units.Import;
        var prompts = import.At == Prompts;
        var page = await ImportJob.PageAsync(
            token => units.Remote.ModelsAsync(prompts ? IsPromptFilter : "", PageSize, token, cancellationToken),
            import.PageToken
        );
        // Some servers list prompts among the models as well; each comes with its own list.
        var wanted = page
            .Items.Where(item =>
                !item.Value.Ok
                || (
                    NamePattern.Matches(import.Models, item.Value.Value.Name)
                    && IsPrompt(item.Value.Value.Tags) == prompts
                )
            )
            .ToList();
        foreach (var item in wanted)
        {
            if (units.Spent)
            {
                return;
            }

            await BringAsync(units, item, cancellationToken);
        }

        var known = await units.KnownAsync(ImportKinds.Model, wanted.ConvertAll(item => item.Id), cancellationToken);
        units.Count(ImportKinds.Model, wanted.Count, known.Values.Count(row => row.ImportId != import.Id));
        await units.MoveOnAsync(
            page.Next is null && prompts ? ImportPhase.Copies : ImportPhase.Models,
            page.Next is null ? (prompts ? "" : Prompts) : import.At,
            page.Next,
            cancellationToken
        );
    }

    /// <summary>
    /// Tries again versions that are copies of versions which came after them, as long as that helps; then the import is done.
    /// </summary>
    public static async Task CopiesAsync(ImportUnits units, CancellationToken cancellationToken)
    {
        List<ImportFailureRow> waiting;
        await using (var db = await units.Ports.Databases.CreateDbContextAsync(cancellationToken))
        {
            waiting = await db.Set<ImportFailureRow>()
                .AsNoTracking()
                .Where(row =>
                    row.ImportId == units.Import.Id
                    && row.Kind == ImportKinds.Version
                    && row.Code == ImportFailures.Incomplete.Code
                )
                .ToListAsync(cancellationToken);
        }

        var helped = 0;
        foreach (var row in waiting)
        {
            var slash = row.RemoteId.LastIndexOf('/');
            if (slash <= 0 || !int.TryParse(row.RemoteId.AsSpan(slash + 1), out var number))
            {
                continue;
            }

            var version = await units.Remote.VersionAsync(row.RemoteId[..slash], number, cancellationToken);
            var failure = version.Failure ?? await VersionAsync(units, version.Value, [], cancellationToken);
            helped += failure is null ? 1 : 0;
            await units.SettleAsync(ImportKinds.Version, row.RemoteId, failure, cancellationToken);
        }

        if (helped == 0)
        {
            await units.MoveOnAsync(ImportPhase.Ended, "", null, cancellationToken);
        }
    }

    private static bool IsPrompt(IReadOnlyList<(string Key, string Value)> tags) =>
        tags.Contains((RegisterVersion.IsPrompt, "true"));

    private static async Task BringAsync(
        ImportUnits units,
        RemoteItem<RemoteModel> item,
        CancellationToken cancellationToken
    )
    {
        var failure = item.Value.Failure;
        if (failure is null && !await IsHereAsync(units, item.Id, cancellationToken))
        {
            var written = await units.WriteAsync(
                (call, session) => WriteAsync(units, call, session, item.Value.Value),
                cancellationToken
            );
            failure = written.Failure;
        }

        await units.SettleAsync(ImportKinds.Model, item.Id, failure, cancellationToken);
        if (failure is not null)
        {
            return;
        }

        var model = item.Value.Value;
        var versions = new SortedDictionary<int, RemoteVersion>();
        // Prompts' versions are left out of searches that do not name their tag.
        var quote = model.Name.Contains('\'', StringComparison.Ordinal) ? '"' : '\'';
        var filter = $"name = {quote}{model.Name}{quote}";
        var filters = IsPrompt(model.Tags) ? [filter, $"{filter} and {IsPromptFilter}"] : new[] { filter };
        var unreadable = 0;
        foreach (var one in filters)
        {
            var pages = units.Remote.PagesAsync(
                token => units.Remote.VersionsAsync(one, VersionPage, token, cancellationToken),
                cancellationToken
            );
            await foreach (var page in pages)
            {
                if (!page.Ok)
                {
                    await units.SettleAsync(ImportKinds.Model, item.Id, page.Failure, cancellationToken);
                    return;
                }

                foreach (var version in page.Value.Items)
                {
                    if (!version.Value.Ok || version.Value.Value.Model != model.Name)
                    {
                        unreadable++;
                        await units.SettleAsync(
                            ImportKinds.Version,
                            version.Id,
                            version.Value.Failure ?? RemoteFailures.BadAnswer("a version of another model."),
                            cancellationToken
                        );
                    }
                    else if (!versions.TryAdd(version.Value.Value.Number, version.Value.Value) && filters.Length == 1)
                    {
                        await units.SettleAsync(
                            ImportKinds.Model,
                            item.Id,
                            RemoteFailures.BadAnswer("it has a version number twice."),
                            cancellationToken
                        );
                        return;
                    }
                }
            }
        }

        var known = await units.KnownAsync(
            ImportKinds.Version,
            versions.Keys.Select(number => VersionId(model.Name, number)).ToList(),
            cancellationToken
        );
        units.Count(
            ImportKinds.Version,
            versions.Count + unreadable,
            known.Values.Count(row => row.ImportId != units.Import.Id)
        );
        foreach (var version in versions.Values.Where(v => !known.ContainsKey(VersionId(model.Name, v.Number))))
        {
            var refused = await VersionAsync(units, version, model.Aliases, cancellationToken);
            var id = VersionId(model.Name, version.Number);
            await units.SettleAsync(ImportKinds.Version, id, refused, cancellationToken);
        }
    }

    private static async Task<bool> IsHereAsync(ImportUnits units, string name, CancellationToken cancellationToken)
    {
        var known = await units.KnownAsync(ImportKinds.Model, [name], cancellationToken);
        if (!known.TryGetValue(name, out var mark))
        {
            return false;
        }

        await using var db = await units.Ports.Databases.CreateDbContextAsync(cancellationToken);
        var model = await VersionStore.ModelAsync(db, name, cancellationToken);
        return model is not null && LabelIds.Model(model.Id) == mark.LocalId;
    }

    private static string VersionId(string model, int number) => ImportUnits.Key($"{model}/{number}");

    private static async Task<Result<Unit>> WriteAsync(
        ImportUnits units,
        Call call,
        WriteSession session,
        RemoteModel model
    )
    {
        var db = session.Db;
        if (RegistryNames.CheckName("registered model", model.Name) is { } bad)
        {
            return bad;
        }

        // The name stands in a filter of the source's grammar, which has no way to escape a quote.
        if (model.Name.Contains('\'', StringComparison.Ordinal) && model.Name.Contains('"', StringComparison.Ordinal))
        {
            return ImportFailures.BadId;
        }

        var tags = ImportUnits.Labels(model.Tags);
        if (!tags.Ok)
        {
            return tags.Failure;
        }

        var existing = await VersionStore.ModelAsync(db, model.Name, call.Token);
        var mark = await db.Set<ImportedRow>()
            .FindAsync([units.Import.Source, ImportKinds.Model, model.Name], call.Token);
        if (existing is not null)
        {
            return mark?.LocalId == LabelIds.Model(existing.Id) ? default(Unit) : ImportFailures.Taken;
        }

        var used = await db.Set<ModelNameRow>().FindAsync([model.Name], call.Token);
        if (used is { NextVersion: > 1 } || await VersionStore.HasTwinAsync(db, model.Name, Guid.Empty, call.Token))
        {
            return ImportFailures.NameOfAnother;
        }

        if (units.Import.DryRun)
        {
            return default(Unit);
        }

        var row = new ModelRow
        {
            Id = Guid.CreateVersion7(session.Now),
            Name = model.Name,
            OwnerId = units.Import.OwnerId,
            Description = model.Description.Length <= ModelRoutes.MaxTagValue ? model.Description : "",
            CreatedMs = ImportUnits.Past(model.CreatedMs, session.Now),
            UpdatedMs = ImportUnits.Past(model.UpdatedMs, session.Now),
        };
        db.Add(row);
        if (used is null)
        {
            db.Add(new ModelNameRow { Name = model.Name, ModelId = row.Id });
        }
        else
        {
            used.ModelId = row.Id;
        }

        mark = await units.MarkAsync(call, session, ImportKinds.Model, model.Name, ImportedState.Whole);
        mark.LocalId = LabelIds.Model(row.Id);
        var imported = (ImportUnits.TagPrefix + "source", units.Import.Source);
        await Labels.SetAsync(db, LabelScope.ModelTag, mark.LocalId, tags.Value.Append(imported), call.Token);
        await db.SaveChangesAsync(call.Token);
        await call.LogAsync(
            session,
            "registry.model_imported",
            Urn.Model(model.Name),
            new() { ["import"] = units.Import.Id, ["source"] = units.Import.Source }
        );
        await session.AnnounceAsync(
            row.Id,
            WebhookEvent.ModelCreated,
            new()
            {
                ["name"] = model.Name,
                ["tags"] = Announce.Tags(tags.Value),
                ["description"] = row.Description,
            },
            call.Token
        );
        return default(Unit);
    }

    /// <summary>Registers one version from what was imported; null when it is here.</summary>
    private static async Task<Failure?> VersionAsync(
        ImportUnits units,
        RemoteVersion version,
        IReadOnlyList<(string Alias, int Version)> aliases,
        CancellationToken cancellationToken
    )
    {
        var tags = ImportUnits.Labels(version.Tags);
        if (!tags.Ok || version.Description.Length > ModelRoutes.MaxTagValue)
        {
            return tags.Failure ?? ImportFailures.TooLong;
        }

        if (version.Status is not ("READY" or ""))
        {
            return ImportFailures.NotReady;
        }

        if (units.Import.DryRun)
        {
            return null;
        }

        var names = version
            .Aliases.Concat(aliases.Where(alias => alias.Version == version.Number).Select(alias => alias.Alias))
            .Distinct()
            .Order(StringComparer.Ordinal)
            .ToList();
        var said = tags.Value.Append((ImportUnits.TagPrefix + "source", units.Import.Source)).ToList();
        AddIf(said, "stage", version.Stage is "None" or "" ? "" : version.Stage);
        AddIf(said, "aliases", string.Join(',', names));
        AddIf(said, "user", version.UserId);
        StoredBlob? prompt = null;
        if (version.Source is "dummy-source" or "prompt-template")
        {
            var call = new Call(
                units.Ports,
                new Rights(Actor.System, [], new Dictionary<string, RoleDefinition>()),
                Args.Empty,
                cancellationToken
            );
            var stored = await RegisterVersion.StorePromptAsync(call, tags.Value, version.Source);
            if (!stored.Ok)
            {
                return stored.Failure;
            }

            prompt = stored.Value;
        }

        var written = await units.WriteAsync(
            (call, session) => WriteAsync(units, call, session, version, said, prompt),
            cancellationToken
        );
        return written.Failure;
    }

    private static void AddIf(List<(string, string)> tags, string key, string value)
    {
        if (value.Length is > 0 and <= ModelRoutes.MaxTagValue)
        {
            tags.Add((ImportUnits.TagPrefix + key, value));
        }
    }

    private static async Task<Result<Unit>> WriteAsync(
        ImportUnits units,
        Call call,
        WriteSession session,
        RemoteVersion version,
        List<(string Key, string Value)> tags,
        StoredBlob? prompt
    )
    {
        var db = session.Db;
        var id = VersionId(version.Model, version.Number);
        if (await VersionStore.ModelAsync(db, version.Model, call.Token) is not { } model)
        {
            return VersionErrors.NoModel(version.Model);
        }

        // The name may be somebody else's model by now.
        var parent = await db.Set<ImportedRow>()
            .FindAsync([units.Import.Source, ImportKinds.Model, version.Model], call.Token);
        if (parent?.LocalId != LabelIds.Model(model.Id))
        {
            return ImportFailures.Taken;
        }

        if (
            await db.Set<VersionRow>()
                .AnyAsync(row => row.ModelId == model.Id && row.Number == version.Number, call.Token)
        )
        {
            var known = await db.Set<ImportedRow>()
                .FindAsync([units.Import.Source, ImportKinds.Version, id], call.Token);
            return known is null ? ImportFailures.Taken : default(Unit);
        }

        var resolved = await ResolveAsync(units, call, db, version, prompt);
        if (!resolved.Ok)
        {
            return resolved.Failure;
        }

        var (source, origin) = resolved.Value;
        var request = new RegisterVersion.Request(
            version.Model,
            source,
            new ModelSource.Prompt(),
            null,
            null,
            tags,
            version.Description,
            version.RunLink.Length <= 500 ? version.RunLink : "",
            prompt
        );
        var added = await RegisterVersion.AddAsync(
            call,
            session,
            model,
            request,
            origin,
            new RegisterVersion.Earlier(
                version.Number,
                units.Import.OwnerId,
                ImportUnits.Past(version.CreatedMs, session.Now),
                ImportUnits.Past(version.UpdatedMs, session.Now)
            )
        );
        if (!added.Ok)
        {
            return added.Failure;
        }

        var mark = await units.MarkAsync(call, session, ImportKinds.Version, id, ImportedState.Whole);
        mark.LocalId = added.Value.Row.ObjectId;
        await call.LogAsync(
            session,
            "registry.version_imported",
            Urn.Version(new ModelVersionRef(version.Model, version.Number)),
            new()
            {
                ["import"] = units.Import.Id,
                ["source"] = units.Import.Source,
                ["stage"] = RegistryNames.Quote(version.Stage),
            }
        );
        return default(Unit);
    }

    /// <summary>What a source of a version at the source server is here: its text and its frozen files.</summary>
    private static async Task<Result<(string Source, RegisterVersion.Resolved Origin)>> ResolveAsync(
        ImportUnits units,
        Call call,
        GovernanceDb db,
        RemoteVersion version,
        StoredBlob? prompt
    )
    {
        if (prompt is not null)
        {
            return RegisterVersion.ResolvePrompt(prompt).Map(origin => (version.Source, origin));
        }

        var parsed = ModelSource.Parse(version.Source);
        if (parsed is { Ok: true, Value: ModelSource.Copy copy })
        {
            return (await CopyAsync(units, call, db, copy.Version)).Map(origin => (version.Source, origin));
        }

        var (kind, objectId) = parsed switch
        {
            { Ok: true, Value: ModelSource.OfRun run } => (ImportKinds.Run, run.RunId),
            { Ok: true, Value: ModelSource.LoggedModel logged } => (ImportKinds.LoggedModel, logged.ModelId),
            _ => version.LoggedModelId is { } model ? (ImportKinds.LoggedModel, model)
            : version.RunId is { } run ? (ImportKinds.Run, run)
            // MLflow asks nobody to name the run: then the path of the files does.
            : parsed is { Ok: true, Value: ModelSource.Stored { Address: var address } }
                ? address.RunId is { } maker ? (ImportKinds.Run, maker)
                    : (ImportKinds.LoggedModel, address.LoggedModelId!)
            : ("", ""),
        };
        var mark =
            kind.Length > 0
                ? await db.Set<ImportedRow>().FindAsync([units.Import.Source, kind, objectId], call.Token)
                : null;
        if (mark is not { State: not ImportedState.Partial })
        {
            return kind.Length > 0 ? ImportFailures.Incomplete : ImportFailures.Elsewhere;
        }

        var path = ArtifactPath.Root;
        if (parsed is { Ok: true, Value: ModelSource.OfRun ofRun })
        {
            path = ofRun.Path;
        }
        else if (
            parsed is not { Ok: true, Value: ModelSource.LoggedModel }
            && !Under(mark.ArtifactUri, version.Source, out path)
        )
        {
            return ImportFailures.Elsewhere;
        }

        return kind == ImportKinds.Run
            ? await OfRunAsync(call, db, version.Source, objectId, path)
            : await OfLoggedModelAsync(call, db, version.Source, objectId, path);
    }

    private static async Task<Result<(string, RegisterVersion.Resolved)>> OfRunAsync(
        Call call,
        GovernanceDb db,
        string source,
        string runId,
        ArtifactPath path
    )
    {
        var run = await db.Set<RunRow>().SingleAsync(row => row.RunId == runId, call.Token);
        var container = ArtifactAddress.OfRun(run.ExperimentId, runId);
        var manifest = await FreezeAsync(call, db, container, path);
        return manifest.Map(files =>
            (Here(source, container, path), new RegisterVersion.Resolved(container, path.Value, run, null, null, files))
        );
    }

    private static async Task<Result<(string, RegisterVersion.Resolved)>> OfLoggedModelAsync(
        Call call,
        GovernanceDb db,
        string source,
        string modelId,
        ArtifactPath path
    )
    {
        var logged = await db.Set<LoggedModelRow>().SingleAsync(row => row.ModelId == modelId, call.Token);
        var run = logged.SourceRunId is { } runId
            ? await db.Set<RunRow>().SingleOrDefaultAsync(row => row.RunId == runId, call.Token)
            : null;
        var container = ArtifactAddress.OfLoggedModel(logged.ExperimentId, modelId);
        var manifest = await FreezeAsync(call, db, container, path);
        return manifest.Map(files =>
            (
                Here(source, container, path),
                new RegisterVersion.Resolved(container, path.Value, run, logged, null, files)
            )
        );
    }

    private static async Task<Result<RegisterVersion.Resolved>> CopyAsync(
        ImportUnits units,
        Call call,
        GovernanceDb db,
        ModelVersionRef reference
    )
    {
        var id = VersionId(reference.Model, reference.Version);
        var mark = await db.Set<ImportedRow>().FindAsync([units.Import.Source, ImportKinds.Version, id], call.Token);
        var found = mark is null ? null : await VersionStore.FindAsync(db, reference, call.Token);
        return found is null ? ImportFailures.Incomplete
            : found.Row.Quarantined ? VersionErrors.Quarantined
            : await RegisterVersion.CopyAsync(call, db, found);
    }

    private static async Task<Result<Manifest>> FreezeAsync(
        Call call,
        GovernanceDb db,
        string container,
        ArtifactPath path
    )
    {
        var files = await RegisterVersion.FilesAsync(call, db, container, path);
        return files.Ok ? RegisterVersion.ManifestOf(files.Value, path) : files.Failure;
    }

    // A storage address has the experiment's id in it, which may be another one here; every other source means the same.
    private static string Here(string source, string container, ArtifactPath path) =>
        source.StartsWith("runs:/", StringComparison.Ordinal) || source.StartsWith("models:/", StringComparison.Ordinal)
            ? source
            : ArtifactAddress.Uri(container, path.Value);

    /// <summary>Whether a source lies under the place where the source server keeps an object's files, and where there.</summary>
    private static bool Under(string place, string source, out ArtifactPath path)
    {
        path = ArtifactPath.Root;
        var root = place.TrimEnd('/');
        return root.Length > 0
            && source.StartsWith(root, StringComparison.Ordinal)
            && (source.Length == root.Length || source[root.Length] == '/')
            && ArtifactPath.TryParse(source[root.Length..].Trim('/'), out path);
    }
}
