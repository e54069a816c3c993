using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Artifacts;
using Governance.Registry.Contracts;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.LoggedModels;
using Governance.Registry.Models;
using Governance.Registry.Runs;
using Governance.Registry.Storage;
using Governance.Registry.Upstream;
using Governance.Registry.Webhooks;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Versions;

/// <summary>
/// MLflow's model-versions/create: freezes the files behind a source into a manifest and starts the version's evidence. The
/// run comes from where the bytes lie, never from what the caller says, so that a version cannot borrow another run's inputs.
/// </summary>
internal static class RegisterVersion
{
    public const string PromptText = "mlflow.prompt.text";
    public const string IsPrompt = RegistryNames.PromptTag;
    private const string PromptFile = "prompt.txt";

    /// <summary>New inputs of a run change all its versions in one unit, and every other writer waits for that unit.</summary>
    public const int MaxVersionsPerRun = 100;

    private const string VersionsOfRun =
        """SELECT count(*) FROM registry_versions WHERE "RunId" = @0 AND NOT "Deleted" """;

    private const string HasManifest = """SELECT 1 FROM registry_manifest_files WHERE "ManifestDigest" = @0 LIMIT 1""";

    private static readonly CompiledQuery<
        Func<GovernanceDb, string, string, int, IAsyncEnumerable<ArtifactRow>>
    > FilesBelow = new(() =>
        EF.CompileAsyncQuery(
            (GovernanceDb db, string container, string start, int most) =>
                db.Set<ArtifactRow>()
                    .AsNoTracking()
                    .Where(row => row.Container == container && row.Path.StartsWith(start))
                    .OrderBy(row => row.Path)
                    .Take(most)
        )
    );

    /// <summary>What a source was resolved to.</summary>
    internal sealed record Resolved(
        string Container,
        string Prefix,
        RunRow? Run,
        LoggedModelRow? LoggedModel,
        ModelVersionRef? CopyOf,
        Manifest Manifest
    )
    {
        public StoredBlob? NewBlob { get; init; }

        /// <summary>Whether the caller may write the logged model: registering needs to read it only.</summary>
        public bool MayTag { get; init; }
    }

    internal sealed record Request(
        string Model,
        string SourceText,
        ModelSource Source,
        string? RunId,
        string? LoggedModelId,
        IReadOnlyList<(string Key, string Value)> Tags,
        string Description,
        string RunLink,
        StoredBlob? Prompt
    );

    /// <summary>What an imported version brings along from where it was registered first.</summary>
    internal sealed record Earlier(int Number, string Owner, long CreatedMs, long UpdatedMs);

    public static async Task<Result<JsonObject>> HandleAsync(Call call)
    {
        var args = call.Args;
        var name = args.Required("name");
        var text = args.Required("source", 4000);
        var tags = args.Keyed("tags", 100, 100_000);
        var (runId, modelId) = (NullIfEmpty(args.Optional("run_id", 64)), NullIfEmpty(args.Optional("model_id", 64)));
        var description = args.Optional("description", 100_000) ?? "";
        var runLink = args.Optional("run_link", 500) ?? "";
        var source = ModelSource.Parse(text);
        // The unit asks this for every version; here it comes before files are fetched, a text is stored, or a source is judged.
        if (!source.Ok || source.Value is ModelSource.Prompt || call.Ports.Mirror.IsOn)
        {
            await using var db = await call.OpenAsync();
            var model = await ModelRoutes.ModelAsync(call, db, name, Permissions.ModelWrite);
            if (!model.Ok)
            {
                return model.Failure;
            }
        }

        if (!source.Ok)
        {
            return source.Failure;
        }

        var prompt = source.Value is ModelSource.Prompt ? await StorePromptAsync(call, tags, text) : (StoredBlob?)null;
        if (!prompt.Ok)
        {
            return prompt.Failure;
        }

        var request = new Request(name, text, source.Value, runId, modelId, tags, description, runLink, prompt.Value);
        if (await call.Ports.Mirror.FetchAsync(call, source.Value) is { } missing)
        {
            return missing;
        }

        return await call.CreateAsync(session => WriteAsync(call, session, request));
    }

    // A prompt's text is its one file. The tags only choose this source form; they switch no check off.
    internal static async Task<Result<StoredBlob?>> StorePromptAsync(
        Call call,
        IReadOnlyList<(string Key, string Value)> tags,
        string source
    )
    {
        var text = tags.FirstOrDefault(tag => tag.Key == PromptText).Value;
        if (string.IsNullOrEmpty(text) || !tags.Contains((IsPrompt, "true")))
        {
            return Failure.Invalid(
                "registry.bad_source",
                $"Invalid model version source: '{source}'. Only a prompt with its text has it."
            );
        }

        using var content = new MemoryStream(Encoding.UTF8.GetBytes(text));
        var stored = await call.Ports.Blobs.PutAsync(content, content.Length, call.Token);
        return stored.Ok ? stored.Value : stored.Failure;
    }

    private static async Task<Result<JsonObject>> WriteAsync(Call call, WriteSession session, Request request)
    {
        var found = await ModelRoutes.ModelAsync(call, session.Db, request.Model, Permissions.ModelWrite);
        if (!found.Ok)
        {
            return found.Failure;
        }

        var resolved = await ResolveAsync(call, session.Db, request);
        if (!resolved.Ok)
        {
            return resolved.Failure;
        }

        var origin = resolved.Value;
        if (CheckClaims(request, origin) is { } lie)
        {
            return lie;
        }

        var body = Intents.VersionBody(
            found.Value.Name,
            request.SourceText,
            origin.Run?.RunId,
            origin.LoggedModel?.ModelId,
            request.Description,
            request.RunLink,
            request.Tags
        );
        if (await call.IntendAsync(session, Intents.Version, body) is { } intended)
        {
            return intended;
        }

        var added = await AddAsync(call, session, found.Value, request, origin, null);
        return added.Map(data => new JsonObject { ["model_version"] = RegistryJson.Version(data) });
    }

    /// <summary>
    /// Adds a version of files that the caller of this method has authorised, and starts its evidence. An earlier one keeps its
    /// number and times; nobody else gets that number.
    /// </summary>
    internal static async Task<Result<VersionData>> AddAsync(
        Call call,
        WriteSession session,
        ModelRow model,
        Request request,
        Resolved origin,
        Earlier? earlier
    )
    {
        if (
            origin.Run?.RunId is { } runId
            && await session.Db.ReadAsync(VersionsOfRun, [runId], row => row.GetInt64(0), call.Token)
                is [>= MaxVersionsPerRun]
        )
        {
            return Failure.Invalid("registry.too_many", $"A run has at most {MaxVersionsPerRun} versions.");
        }

        if (
            origin.NewBlob is { } blob
            && await call.Ports.Blobs.AttachAsync(session, blob, call.Token) is { Ok: false } lost
        )
        {
            return lost.Failure;
        }

        var now = session.Now.ToUnixTimeMilliseconds();
        // Upstream numbers its versions itself; a number is never given twice here either.
        var wanted = call.Assigned is { } given ? int.Parse(given, CultureInfo.InvariantCulture) : earlier?.Number;
        var number = await VersionStore.TakeNumberAsync(session.Db, model.Name, wanted, call.Token);
        var version = new VersionRow
        {
            ModelId = model.Id,
            Number = number,
            Status = VersionStatus.PendingRegistration,
            Source = request.SourceText,
            Container = origin.Container,
            Prefix = origin.Prefix,
            RunId = origin.Run?.RunId,
            LoggedModelId = origin.LoggedModel?.ModelId,
            Description = request.Description,
            RunLink = request.RunLink,
            // Whoever answers for an imported version is as little its second pair of eyes as if it had been registered here.
            RegisteredBy = earlier?.Owner ?? call.Actor.Id,
            ManifestDigest = origin.Manifest.Digest.Hex,
            CreatedMs = earlier?.CreatedMs ?? now,
            UpdatedMs = earlier?.UpdatedMs ?? now,
        };
        version.ObjectId = LabelIds.Version(model.Id, version.Number);
        version.EvidenceSubject = (await VersionSubjects.ComputeAsync(session.Db, version, call.Token)).Hex;
        await session.Db.InsertAsync([version], call.Token);
        if (earlier is null)
        {
            await VersionStore.TouchModelAsync(session.Db, model.Id, now, call.Token);
        }

        await Labels.SetAsync(session.Db, LabelScope.VersionTag, version.ObjectId, request.Tags, call.Token);
        await StoreManifestAsync(call, session.Db, origin.Manifest);
        if (origin is { LoggedModel: { } logged, MayTag: true })
        {
            await TagLoggedModelAsync(call, session.Db, logged, model.Name, version.Number);
        }

        await session.Db.SaveChangesAsync(call.Token);
        await LogAndLinkAsync(call, session, new ModelVersionRef(model.Name, version.Number), version, origin);
        await session.AnnounceAsync(
            model.Id,
            WebhookEvent.VersionCreated,
            new()
            {
                ["name"] = model.Name,
                ["version"] = RegistryJson.Number(version.Number),
                ["source"] = version.Source,
                ["run_id"] = version.RunId,
                ["tags"] = Announce.Tags(request.Tags),
                ["description"] = version.Description,
            },
            call.Token
        );
        var tags = await Labels.LoadAsync(
            session.Db,
            LabelScope.VersionTag,
            request.Tags.Count == 0 ? [] : [version.ObjectId],
            call.Token
        );
        var data = new VersionData
        {
            Row = version,
            ModelName = model.Name,
            OwnerId = model.OwnerId,
            Aliases = [],
            Tags = [.. tags[version.ObjectId]],
        };
        await call.Ports.Intake.OnSubjectChangedAsync(session, [data.ToView()], call.Token);
        return data;
    }

    /// <summary>What the caller says about run and logged model must be what the source itself shows.</summary>
    private static Failure? CheckClaims(Request request, Resolved origin)
    {
        if (request.RunId is { } run && run != origin.Run?.RunId)
        {
            return Failure.Invalid("registry.run_mismatch", "run_id is not the run that made the source.");
        }

        return request.LoggedModelId is { } model && model != origin.LoggedModel?.ModelId
            ? Failure.Invalid("registry.logged_model_mismatch", "model_id is not the logged model of the source.")
            : null;
    }

    private static Task<Result<Resolved>> ResolveAsync(Call call, GovernanceDb db, Request request) =>
        request.Source switch
        {
            ModelSource.Prompt => Task.FromResult(ResolvePrompt(request.Prompt!)),
            ModelSource.Copy copy => ResolveCopyAsync(call, db, copy.Version),
            ModelSource.LoggedModel logged => ResolveLoggedModelAsync(call, db, logged.ModelId, null),
            ModelSource.OfRun run => ResolveRunAsync(call, db, run.RunId, null, run.Path),
            ModelSource.Stored { Address: { RunId: { } run } address } => ResolveRunAsync(
                call,
                db,
                run,
                address,
                address.Path
            ),
            ModelSource.Stored { Address: var address } => ResolveLoggedModelAsync(
                call,
                db,
                address.LoggedModelId!,
                address
            ),
            _ => throw new InvalidOperationException("Unknown source."),
        };

    internal static Result<Resolved> ResolvePrompt(StoredBlob blob) =>
        Manifest
            .Create([new ManifestFile(PromptFile, blob.Size, blob.Digest)])
            .Map(manifest => new Resolved("", "", null, null, null, manifest) { NewBlob = blob });

    private static async Task<Result<Resolved>> ResolveRunAsync(
        Call call,
        GovernanceDb db,
        string runId,
        ArtifactAddress? address,
        ArtifactPath path
    )
    {
        var found = await TrackingAccess.RunAsync(call, db, runId, Permissions.ExperimentRead);
        if (!found.Ok)
        {
            return found.Failure;
        }

        var (run, experiment) = found.Value;
        if (address is not null && address.ExperimentId != run.ExperimentId)
        {
            return TrackingAccess.NoRun(runId);
        }

        var container = ArtifactAddress.OfRun(run.ExperimentId, runId);
        var target = TrackingAccess.Target(experiment, run.OwnerId);
        var manifest = await FreezeAsync(call, db, target, container, path);
        return manifest.Map(files => new Resolved(container, path.Value, run, null, null, files));
    }

    private static async Task<Result<Resolved>> ResolveLoggedModelAsync(
        Call call,
        GovernanceDb db,
        string modelId,
        ArtifactAddress? address
    )
    {
        var found = await TrackingAccess.LoggedModelAsync(call, db, modelId, Permissions.ExperimentRead);
        if (!found.Ok)
        {
            return found.Failure;
        }

        var (model, experiment) = found.Value;
        if (address is not null && address.ExperimentId != model.ExperimentId)
        {
            return TrackingAccess.NoLoggedModel(modelId);
        }

        RunRow? run = null;
        if (model.SourceRunId is { } runId)
        {
            var source = await TrackingAccess.RunAsync(call, db, runId, Permissions.ExperimentRead);
            if (!source.Ok)
            {
                return source.Failure;
            }

            run = source.Value.Run;
        }

        var path = address?.Path ?? ArtifactPath.Root;
        var container = ArtifactAddress.OfLoggedModel(model.ExperimentId, modelId);
        var target = TrackingAccess.Target(experiment, model.OwnerId);
        var manifest = await FreezeAsync(call, db, target, container, path);
        return manifest.Map(files => new Resolved(container, path.Value, run, model, null, files)
        {
            MayTag = call.Rights.Allows(Permissions.ExperimentWrite, target),
        });
    }

    private static async Task<Result<Resolved>> ResolveCopyAsync(Call call, GovernanceDb db, ModelVersionRef reference)
    {
        var absent = VersionErrors.NoVersion(reference);
        var source = await VersionStore.FindAsync(db, reference, call.Token);
        if (source is null)
        {
            return absent;
        }

        var target = AccessTarget.Model(source.ModelName, source.OwnerId);
        var readable = call.Rights.Allows(Permissions.ModelRead, target);
        if (call.Check(readable, Permissions.ArtifactRead, target, absent) is { } refused)
        {
            return refused;
        }

        if (source.Row.Quarantined)
        {
            return VersionErrors.Quarantined;
        }

        return await CopyAsync(call, db, source);
    }

    /// <summary>A copy of a version: the same frozen files, run and logged model.</summary>
    internal static async Task<Resolved> CopyAsync(Call call, GovernanceDb db, VersionData source)
    {
        var run = source.Row.RunId is { } runId
            ? await db.Set<RunRow>().SingleOrDefaultAsync(row => row.RunId == runId, call.Token)
            : null;
        var logged = source.Row.LoggedModelId is { } modelId
            ? await db.Set<LoggedModelRow>().SingleOrDefaultAsync(row => row.ModelId == modelId, call.Token)
            : null;
        var manifest = await RegistryReader.ManifestAsync(db, source.Row.ManifestDigest, call.Token);
        return new Resolved(source.Row.Container, source.Row.Prefix, run, logged, source.Ref, manifest);
    }

    private static async Task<Result<Manifest>> FreezeAsync(
        Call call,
        GovernanceDb db,
        AccessTarget experiment,
        string container,
        ArtifactPath prefix
    )
    {
        var found = await FilesAsync(call, db, container, prefix);
        if (!found.Ok)
        {
            return found.Failure;
        }

        var holders = await Holders.OfAsync(db, container, call.Token);
        foreach (var row in found.Value)
        {
            // Registering makes bytes readable through the new version: who may not read them may not register them.
            if (Holders.CheckRead(call, experiment, holders, row.Path, NoFiles) is { } refused)
            {
                return refused;
            }
        }

        return ManifestOf(found.Value, prefix);
    }

    private static readonly Failure NoFiles = Failure.Invalid(
        "registry.empty_source",
        "The source holds no files that you may read."
    );

    /// <summary>The files of a storage root under a path, at least one and at most as many as a version may have.</summary>
    internal static async Task<Result<List<ArtifactRow>>> FilesAsync(
        Call call,
        GovernanceDb db,
        string container,
        ArtifactPath prefix
    )
    {
        var start = prefix.IsRoot ? "" : $"{prefix.Value}/";
        var most = call.Ports.Options.Value.MaxFilesPerVersion;
        var rows = await FilesBelow.For(db)(db, container, start, most + 1).ToListAsync(call.Token);
        rows.RemoveAll(row => !row.Path.StartsWith(start, StringComparison.Ordinal));
        return rows.Count > most ? TooManyFiles(most)
            : rows.Count == 0 ? NoFiles
            : rows;
    }

    internal static Result<Manifest> ManifestOf(List<ArtifactRow> rows, ArtifactPath prefix) =>
        Manifest.Create(
            rows.Select(row => new ManifestFile(
                row.Path[(prefix.IsRoot ? 0 : prefix.Value.Length + 1)..],
                row.Size,
                Digest.Parse(row.Digest)
            ))
        );

    public static Failure TooManyFiles(int most) =>
        Failure.Invalid("registry.too_many_files", $"A version has at most {most} files.");

    private static async Task StoreManifestAsync(Call call, GovernanceDb db, Manifest manifest)
    {
        var digest = manifest.Digest.Hex;
        if (await db.ReadAsync(HasManifest, [digest], row => row.GetInt32(0), call.Token) is [])
        {
            await db.InsertAsync(
                [
                    .. manifest.Files.Select(file => new ManifestFileRow
                    {
                        ManifestDigest = digest,
                        Path = file.Path,
                        Size = file.Size,
                        Digest = file.Digest.Hex,
                    }),
                ],
                call.Token
            );
        }
    }

    /// <summary>From this tag 3.x clients read which versions a logged model became. Servers set it when they make one.</summary>
    public const string ModelVersions = "mlflow.modelVersions";

    private static async Task TagLoggedModelAsync(
        Call call,
        GovernanceDb db,
        LoggedModelRow logged,
        string model,
        int number
    )
    {
        var row = await db.Set<LabelRow>()
            .FindAsync([LabelScope.LoggedModelTag, logged.ModelId, ModelVersions], call.Token);
        var versions = row is null ? [] : CanonicalJson.TryParse(Encoding.UTF8.GetBytes(row.Value)) as JsonArray ?? [];
        versions.Add(new JsonObject { ["name"] = model, ["version"] = number });
        var value = versions.ToJsonString();
        if (value.Length <= 100_000)
        {
            await Labels.SetAsync(db, LabelScope.LoggedModelTag, logged.ModelId, [(ModelVersions, value)], call.Token);
        }
    }

    private static async Task LogAndLinkAsync(
        Call call,
        WriteSession session,
        ModelVersionRef reference,
        VersionRow version,
        Resolved origin
    )
    {
        var entry = await call.LogAsync(
            session,
            "registry.version_registered",
            Urn.Version(reference),
            new()
            {
                ["manifest"] = version.ManifestDigest,
                ["subject"] = version.EvidenceSubject,
                ["files"] = origin.Manifest.Files.Count,
                ["run"] = version.RunId,
                ["logged_model"] = version.LoggedModelId,
            }
        );
        var node = MoveGraph.Version(reference);
        var edges = new List<GraphEdge>
        {
            new(node, MoveGraph.Model(reference.Model), GraphVerb.PartOf, GraphGrade.Observed),
        };
        if (origin.CopyOf is { } copied)
        {
            edges.Add(new(MoveGraph.Version(copied), node, GraphVerb.Derived, GraphGrade.Observed));
        }
        else if (origin.LoggedModel is { } logged)
        {
            edges.Add(new(LoggedModelRoutes.Node(logged), node, GraphVerb.Derived, GraphGrade.Observed));
        }
        else if (origin.Run is { } run)
        {
            edges.Add(new(LogInputs.RunNode(run), node, GraphVerb.Generated, GraphGrade.Observed));
        }

        foreach (var edge in edges)
        {
            await session.LinkAsync(edge, entry, call.Token);
        }
    }

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
