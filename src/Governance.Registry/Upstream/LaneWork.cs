using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Runs;
using Governance.Registry.Storage;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Upstream;

/// <summary>
/// Makes upstream what the rows say now of everything that was touched. Each step can be made twice without harm, for a crash
/// between the step and its mark makes it again.
/// </summary>
internal sealed class LaneWork(
    IDbContextFactory<GovernanceDb> databases,
    IBlobStore blobs,
    UpstreamClient client,
    ModelLane models
)
{
    private const int MetricsPerBatch = 900;
    private const int LabelsPerBatch = 50;
    private static readonly string[] Named = ["artifact_path", "utc_time_created", "model_uuid"];

    public async Task<Result<Made>> MakeAsync(string lane, Touched touched, CancellationToken cancellationToken)
    {
        var id = lane[(lane.IndexOf(':', StringComparison.Ordinal) + 1)..];
        if (lane.StartsWith(Lanes.Model, StringComparison.Ordinal))
        {
            return await models.MakeAsync(Guid.ParseExact(id, "N"), touched, cancellationToken);
        }

        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var steps = new Steps(client, cancellationToken);
        var failure =
            lane.StartsWith(Lanes.Run, StringComparison.Ordinal) ? await RunAsync(db, steps, id, touched)
            : lane.StartsWith(Lanes.Experiment, StringComparison.Ordinal)
                ? await ExperimentAsync(db, steps, id, touched)
            : lane.StartsWith(Lanes.LoggedModel, StringComparison.Ordinal)
                ? await LoggedModelAsync(db, steps, id, touched)
            : await ArtifactsAsync(db, steps, id, touched);
        if (failure is not null)
        {
            return failure;
        }

        // A repair that is refused leaves the line that it was for.
        return steps.Refused.Count > 0 && touched.Repairs.Count > 0 ? Made.Quietly
            : steps.Refused.Count > 0
                ? Made.Quietly with
                {
                    Left = [.. steps.Refused.Select(part => NotTaken.Of(lane, part, UpstreamFailures.Refused))],
                }
            : touched.Repairs.Count > 0 ? new Made(lane) { Repaired = touched.Repairs }
            : Made.Quietly;
    }

    /// <summary>
    /// Sends one after another and stops where upstream does not answer. What it refuses for good holds nothing else up.
    /// </summary>
    private sealed class Steps(UpstreamClient client, CancellationToken cancellationToken)
    {
        public CancellationToken Token { get; } = cancellationToken;

        /// <summary>Parts of the object that upstream does not take.</summary>
        public HashSet<string> Refused { get; } = new(StringComparer.Ordinal);

        public async Task<Failure?> PartAsync(string part, Func<Task<Failure?>> send)
        {
            var failure = await send();
            if (failure is null or { Kind: FailureKind.Unavailable })
            {
                return failure;
            }

            Refused.Add(part);
            return null;
        }

        public async Task<Failure?> SendAsync(UpstreamRoute route, JsonObject body)
        {
            var sent = await client.SendAsync(route, body, Token);
            return sent.Failure;
        }

        /// <summary>Taking away what is not there is no failure.</summary>
        public async Task<Failure?> RemoveAsync(UpstreamRoute route, JsonObject body)
        {
            var failure = await SendAsync(route, body);
            return failure == UpstreamFailures.Refused ? null : failure;
        }

        public static async Task<Failure?> AllAsync(IEnumerable<Func<Task<Failure?>>> steps)
        {
            foreach (var step in steps)
            {
                if (await step() is { } failure)
                {
                    return failure;
                }
            }

            return null;
        }
    }

    private async Task<Failure?> ExperimentAsync(GovernanceDb db, Steps steps, string id, Touched touched)
    {
        var number = long.Parse(id, CultureInfo.InvariantCulture);
        if (
            await db.Set<ExperimentRow>().AsNoTracking().SingleOrDefaultAsync(row => row.Id == number, steps.Token)
            is not { } ours
        )
        {
            return null;
        }

        var theirs = await client.Reader.ExperimentAsync(id, steps.Token);
        if (!theirs.Ok)
        {
            return await steps.PartAsync(NotTaken.Info, () => Task.FromResult<Failure?>(Failed(theirs.Failure)));
        }

        // A deleted experiment takes no change, so it lives until all others are made.
        if (
            theirs.Value.Deleted
            && await steps.PartAsync(NotTaken.Life, () => steps.SendAsync(UpstreamRoute.RestoreExperiment, Body()))
                is { } dead
        )
        {
            return dead;
        }

        if (ours.Name != theirs.Value.Name)
        {
            var renamed = Body();
            renamed["new_name"] = ours.Name;
            if (
                await steps.PartAsync(NotTaken.Info, () => steps.SendAsync(UpstreamRoute.UpdateExperiment, renamed)) is
                { } pending
            )
            {
                return pending;
            }
        }

        var tags = await LabelsAsync(db, LabelScope.ExperimentTag, id, touched.Tags, steps.Token);
        foreach (var key in touched.Tags)
        {
            if (await steps.PartAsync(NotTaken.Tags, () => TagAsync(key)) is { } pending)
            {
                return pending;
            }
        }

        return ours.Deleted
            ? await steps.PartAsync(NotTaken.Life, () => steps.SendAsync(UpstreamRoute.DeleteExperiment, Body()))
            : null;

        Task<Failure?> TagAsync(string key)
        {
            var body = Body();
            body["key"] = key;
            if (!tags.TryGetValue(key, out var value))
            {
                return steps.RemoveAsync(UpstreamRoute.DeleteExperimentTag, body);
            }

            body["value"] = value;
            return steps.SendAsync(UpstreamRoute.SetExperimentTag, body);
        }

        JsonObject Body() => new() { ["experiment_id"] = id };
    }

    private async Task<Failure?> RunAsync(GovernanceDb db, Steps steps, string id, Touched touched)
    {
        if (
            await db.Set<RunRow>().AsNoTracking().SingleOrDefaultAsync(row => row.RunId == id, steps.Token)
            is not { } ours
        )
        {
            return null;
        }

        // A deleted run takes no change, so it lives until all others are made.
        return await steps.PartAsync(
                NotTaken.Life,
                async () => touched.Life ? await steps.SendAsync(UpstreamRoute.RestoreRun, Body()) : null
            )
            ?? await steps.PartAsync(
                NotTaken.Info,
                async () => touched.Info ? await steps.SendAsync(UpstreamRoute.UpdateRun, Info()) : null
            )
            ?? await steps.PartAsync(NotTaken.ModelHistory, () => ModelHistoryAsync(db, steps, id, touched))
            ?? await steps.PartAsync(NotTaken.Tags, () => RunTagsAsync(db, steps, id, touched))
            ?? await steps.PartAsync(NotTaken.Params, () => RunParamsAsync(db, steps, id, touched))
            ?? await steps.PartAsync(NotTaken.Metrics, () => RunMetricsAsync(db, steps, id, touched))
            ?? await steps.PartAsync(NotTaken.Inputs, () => RunInputsAsync(db, steps, id, touched))
            ?? await steps.PartAsync(
                NotTaken.Life,
                async () => ours.Deleted ? await steps.SendAsync(UpstreamRoute.DeleteRun, Body()) : null
            );

        JsonObject Body() => new() { ["run_id"] = id };

        JsonObject Info()
        {
            var body = Body();
            body["status"] = ours.Status;
            body["run_name"] = ours.Name;
            return body.With("end_time", ours.EndMs);
        }
    }

    private static async Task<Failure?> RunTagsAsync(GovernanceDb db, Steps steps, string id, Touched touched)
    {
        var keys = touched.Tags.Where(key => key != RunRoutes.ModelHistory).ToList();
        var tags = await LabelsAsync(db, LabelScope.RunTag, id, keys, steps.Token);
        return await BatchAsync(steps, id, "tags", tags)
            ?? await Steps.AllAsync(
                keys.Where(key => !tags.ContainsKey(key))
                    .Select<string, Func<Task<Failure?>>>(key =>
                        () =>
                            steps.RemoveAsync(
                                UpstreamRoute.DeleteRunTag,
                                new JsonObject { ["run_id"] = id, ["key"] = key }
                            )
                    )
            );
    }

    // MLflow appends to this tag by a route of its own, which does not look whether the model is there already.
    private async Task<Failure?> ModelHistoryAsync(GovernanceDb db, Steps steps, string id, Touched touched)
    {
        var asked = touched.Tags.Where(key => key == RunRoutes.ModelHistory);
        var tags = await LabelsAsync(db, LabelScope.RunTag, id, asked, steps.Token);
        if (!tags.TryGetValue(RunRoutes.ModelHistory, out var history))
        {
            return null;
        }

        var theirs = await client.Reader.RunAsync(id, steps.Token);
        if (!theirs.Ok)
        {
            return Failed(theirs.Failure);
        }

        var there = Items(theirs.Value.Tags.FirstOrDefault(tag => tag.Key == RunRoutes.ModelHistory).Value ?? "[]");
        return await Steps.AllAsync(
            Items(history)
                .Where(model => !there.Any(known => IsSame(known, model)))
                .Select<JsonObject, Func<Task<Failure?>>>(model =>
                    () =>
                        steps.SendAsync(
                            UpstreamRoute.LogModel,
                            new JsonObject { ["run_id"] = id, ["model_json"] = model.ToJsonString() }
                        )
                )
        );

        static List<JsonObject> Items(string text) =>
            [.. (CanonicalJson.TryParse(Encoding.UTF8.GetBytes(text)) as JsonArray ?? []).OfType<JsonObject>()];

        // It keeps these members as they came, and of the others what it likes.
        static bool IsSame(JsonObject one, JsonObject other) =>
            Named.All(name => JsonNode.DeepEquals(one[name], other[name]));
    }

    private static async Task<Failure?> RunParamsAsync(GovernanceDb db, Steps steps, string id, Touched touched) =>
        await BatchAsync(
            steps,
            id,
            "params",
            await LabelsAsync(db, LabelScope.RunParam, id, touched.Params, steps.Token)
        );

    private static async Task<Failure?> BatchAsync(
        Steps steps,
        string id,
        string member,
        IEnumerable<KeyValuePair<string, string>> labels
    )
    {
        Failure? refused = null;
        var batches = new Queue<KeyValuePair<string, string>[]>(labels.Chunk(LabelsPerBatch));
        while (batches.TryDequeue(out var batch))
        {
            var body = new JsonObject
            {
                ["run_id"] = id,
                [member] = Intents.Labels(batch.Select(pair => (pair.Key, pair.Value))),
            };
            switch (await steps.SendAsync(UpstreamRoute.LogBatch, body))
            {
                case null:
                    break;
                case { Kind: FailureKind.Unavailable } pending:
                    return pending;
                // One of them is refused: the others are not lost with it.
                case not null when batch.Length > 1:
                    Array.ForEach(batch, pair => batches.Enqueue([pair]));
                    break;
                case var failure:
                    refused = failure;
                    break;
            }
        }

        return refused;
    }

    private static async Task<Failure?> RunMetricsAsync(GovernanceDb db, Steps steps, string id, Touched touched)
    {
        foreach (var (first, last) in touched.Metrics)
        {
            var rows = await db.Set<MetricRow>()
                .AsNoTracking()
                .Where(row => row.RunId == id && row.Id >= first && row.Id <= last)
                .OrderBy(row => row.Id)
                .ToListAsync(steps.Token);
            foreach (var batch in rows.Chunk(MetricsPerBatch))
            {
                var body = new JsonObject { ["run_id"] = id, ["metrics"] = batch.Select(Metric).ToJsonArray() };
                if (await steps.SendAsync(UpstreamRoute.LogBatch, body) is { } failure)
                {
                    return failure;
                }
            }
        }

        return null;
    }

    private static JsonObject Metric(MetricRow row) =>
        TrackingJson
            .Metric(row.Key, row.Value, row.IsNan, row.TimestampMs, row.Step)
            .With("model_id", row.LoggedModelId)
            .With("dataset_name", row.DatasetName)
            .With("dataset_digest", row.DatasetDigest);

    private async Task<Failure?> RunInputsAsync(GovernanceDb db, Steps steps, string id, Touched touched)
    {
        var (keys, named) = (touched.Inputs.ToList(), touched.Models.ToList());
        var (inputs, models) = (
            await db.Set<InputRow>()
                .AsNoTracking()
                .Where(row => row.RunId == id && keys.Contains(row.InputKey))
                .ToListAsync(steps.Token),
            await db.Set<RunModelRow>()
                .AsNoTracking()
                .Where(row => row.RunId == id && named.Contains(row.ModelId))
                .ToListAsync(steps.Token)
        );
        if (inputs.Count + models.Count == 0)
        {
            return null;
        }

        // Naming a logged model twice is an error of some servers.
        var theirs = await client.Reader.RunAsync(id, steps.Token);
        if (!theirs.Ok)
        {
            return Failed(theirs.Failure);
        }

        var used = models.Where(row => !row.IsOutput && !theirs.Value.ModelInputs.Contains(row.ModelId)).ToList();
        var made = models
            .Where(row => row.IsOutput && !theirs.Value.ModelOutputs.Any(model => model.ModelId == row.ModelId))
            .ToList();
        var logged = new JsonObject { ["run_id"] = id }
            .With("datasets", inputs.Select(Input).ToJsonArray())
            .With("models", used.Select(row => new JsonObject { ["model_id"] = row.ModelId }).ToJsonArray());
        if (logged.Count > 1 && await steps.SendAsync(UpstreamRoute.LogInputs, logged) is { } failure)
        {
            return failure;
        }

        return made.Count == 0
            ? null
            : await steps.SendAsync(
                UpstreamRoute.LogOutputs,
                new JsonObject
                {
                    ["run_id"] = id,
                    ["models"] = made.Select(row => new JsonObject { ["model_id"] = row.ModelId, ["step"] = row.Step })
                        .ToJsonArray(),
                }
            );
    }

    private static JsonObject Input(InputRow row) =>
        new()
        {
            ["tags"] = CanonicalJson.TryParse(Encoding.UTF8.GetBytes(row.TagsJson)),
            ["dataset"] = new JsonObject
            {
                ["name"] = row.Name,
                ["digest"] = row.MlflowDigest,
                ["source_type"] = row.SourceType,
                ["source"] = row.Source,
            }
                .With("schema", row.Schema)
                .With("profile", row.Profile),
        };

    private async Task<Failure?> LoggedModelAsync(GovernanceDb db, Steps steps, string id, Touched touched)
    {
        if (
            await db.Set<LoggedModelRow>().AsNoTracking().SingleOrDefaultAsync(row => row.ModelId == id, steps.Token)
            is not { } ours
        )
        {
            return null;
        }

        var theirs = await client.Reader.LoggedModelAsync(id, steps.Token);
        if (!theirs.Ok)
        {
            return theirs.Failure == RemoteFailures.NotFound && ours.Deleted
                ? null
                : await steps.PartAsync(NotTaken.Info, () => Task.FromResult<Failure?>(Failed(theirs.Failure)));
        }

        return await steps.PartAsync(
                NotTaken.Info,
                async () =>
                    ours.Status != theirs.Value.Status && ours.Status != "LOGGED_MODEL_PENDING"
                        ? await steps.SendAsync(
                            UpstreamRoute.FinishLoggedModel(id),
                            new JsonObject { ["model_id"] = id, ["status"] = ours.Status }
                        )
                        : null
            )
            ?? await steps.PartAsync(
                NotTaken.Params,
                () => LoggedModelParamsAsync(db, steps, id, touched, theirs.Value.Params)
            )
            ?? await steps.PartAsync(NotTaken.Tags, () => LoggedModelTagsAsync(db, steps, id, touched))
            ?? await steps.PartAsync(
                NotTaken.Life,
                async () => ours.Deleted ? await steps.RemoveAsync(UpstreamRoute.DeleteLoggedModel(id), []) : null
            );
    }

    private static async Task<Failure?> LoggedModelParamsAsync(
        GovernanceDb db,
        Steps steps,
        string id,
        Touched touched,
        IEnumerable<(string Key, string Value)> there
    )
    {
        var parameters = await LabelsAsync(db, LabelScope.LoggedModelParam, id, touched.Params, steps.Token);
        foreach (var known in there)
        {
            parameters.Remove(known.Key);
        }

        return parameters.Count == 0
            ? null
            : await steps.SendAsync(
                UpstreamRoute.LogLoggedModelParams(id),
                new JsonObject
                {
                    ["model_id"] = id,
                    ["params"] = Intents.Labels(parameters.Select(p => (p.Key, p.Value))),
                }
            );
    }

    private static async Task<Failure?> LoggedModelTagsAsync(GovernanceDb db, Steps steps, string id, Touched touched)
    {
        var tags = await LabelsAsync(db, LabelScope.LoggedModelTag, id, touched.Tags, steps.Token);
        var set =
            tags.Count == 0
                ? null
                : await steps.SendAsync(
                    UpstreamRoute.SetLoggedModelTags(id),
                    new JsonObject
                    {
                        ["model_id"] = id,
                        ["tags"] = Intents.Labels(tags.Select(tag => (tag.Key, tag.Value))),
                    }
                );
        return set
            ?? await Steps.AllAsync(
                touched
                    .Tags.Where(key => !tags.ContainsKey(key))
                    .Select<string, Func<Task<Failure?>>>(key =>
                        () => steps.RemoveAsync(UpstreamRoute.DeleteLoggedModelTag(id, key), [])
                    )
            );
    }

    private async Task<Failure?> ArtifactsAsync(GovernanceDb db, Steps steps, string container, Touched touched)
    {
        var paths = touched.Files.ToList();
        var rows = await db.Set<ArtifactRow>()
            .AsNoTracking()
            .Where(row => row.Container == container && paths.Contains(row.Path))
            .ToDictionaryAsync(row => row.Path, steps.Token);
        foreach (var path in paths.Order(StringComparer.Ordinal))
        {
            var failure = await steps.PartAsync(
                path,
                () => rows.TryGetValue(path, out var file) ? PutAsync(steps, file) : DeleteAsync(steps, container, path)
            );
            if (failure is not null)
            {
                return failure;
            }
        }

        return touched.Repairs.Count > 0 ? await AgainAsync(steps, container, paths, rows) : null;
    }

    // An answer says nothing about what is there: a repair lifts a quarantine, so it is read again.
    private async Task<Failure?> AgainAsync(
        Steps steps,
        string container,
        List<string> paths,
        Dictionary<string, ArtifactRow> rows
    )
    {
        var place = new RemotePlace.Proxy(ArtifactPath.TryParse(container, out var root) ? root : default);
        var listed = await client.Reader.FilesAsync(place, steps.Token);
        if (!listed.Ok)
        {
            return UpstreamFailures.OfReading(listed.Failure);
        }

        foreach (var path in paths)
        {
            var there = listed.Value.Any(file => file.Path.Value == path);
            if (there != rows.ContainsKey(path))
            {
                return UpstreamFailures.Refused;
            }

            if (!there || !ArtifactPath.TryParse(path, out var parsed))
            {
                continue;
            }

            var digest = await client.Reader.ReadAsync<string>(
                place,
                parsed,
                async (stream, token) => Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, token)),
                steps.Token
            );
            if (!digest.Ok || digest.Value != rows[path].Digest)
            {
                return digest.Ok ? UpstreamFailures.Refused : UpstreamFailures.OfReading(digest.Failure);
            }
        }

        return null;
    }

    private async Task<Failure?> PutAsync(Steps steps, ArtifactRow file)
    {
        var opened = await blobs.OpenAsync(Digest.Parse(file.Digest), steps.Token);
        if (!opened.Ok)
        {
            return opened.Failure.Kind == FailureKind.Unavailable ? UpstreamFailures.Pending : UpstreamFailures.Refused;
        }

        await using var bytes = opened.Value;
        return (await client.PutArtifactAsync(file.Container, file.Path, bytes, file.Size, steps.Token)).Failure;
    }

    private async Task<Failure?> DeleteAsync(Steps steps, string container, string path)
    {
        var deleted = await client.DeleteArtifactAsync(container, path, steps.Token);
        if (deleted.Ok)
        {
            return null;
        }

        // Servers answer what they like about a file that is not there.
        var place = new RemotePlace.Proxy(ArtifactPath.TryParse(container, out var root) ? root : default);
        var listed = await client.Reader.FilesAsync(place, steps.Token);
        return listed.Ok && !listed.Value.Any(file => file.Path.Value == path) ? null : deleted.Failure;
    }

    private static async Task<Dictionary<string, string>> LabelsAsync(
        GovernanceDb db,
        LabelScope scope,
        string id,
        IEnumerable<string> keys,
        CancellationToken cancellationToken
    )
    {
        var list = keys.ToList();
        return list.Count == 0
            ? []
            : await db.Set<LabelRow>()
                .AsNoTracking()
                .Where(row => row.Scope == scope && row.ObjectId == id && list.Contains(row.Key))
                .ToDictionaryAsync(row => row.Key, row => row.Value, cancellationToken);
    }

    private static Failure Failed(Failure failure) =>
        failure == RemoteFailures.NotFound ? UpstreamFailures.Refused : UpstreamFailures.Pending;
}
