using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Registry.Engine;
using Governance.Registry.Experiments;
using Governance.Registry.Storage;
using Governance.Registry.Versions;
using Governance.Registry.Wire;
using Microsoft.EntityFrameworkCore;

namespace Governance.Registry.Runs;

/// <summary>
/// MLflow's log-inputs: binds datasets to a run. A dataset of this gateway is bound by content and only when the caller may
/// use it. Versions that came from the run get a new evidence subject, which voids what was decided on the old one.
/// </summary>
internal static class LogInputs
{
    public static async Task<Result<JsonObject>> HandleAsync(Call call)
    {
        var runId = call.Args.Required("run_id", 64);
        var inputs = new List<InputRow>();
        foreach (var item in call.Args.Objects("datasets", 100))
        {
            var input = await ReadAsync(call, runId, item);
            if (!input.Ok)
            {
                return input.Failure;
            }

            inputs.Add(input.Value);
        }

        var models = call.Args.Objects("models", 100).Select(model => model.Required("model_id", 64)).ToList();
        return await call.WriteAsync(session => WriteAsync(call, session, runId, inputs, models));
    }

    private static async Task<Result<JsonObject>> WriteAsync(
        Call call,
        WriteSession session,
        string runId,
        List<InputRow> inputs,
        List<string> models
    )
    {
        var run = await TrackingAccess.RunAsync(call, session.Db, runId, Permissions.ExperimentWrite);
        if (!run.Ok)
        {
            return run.Failure;
        }

        foreach (var model in models)
        {
            var found = await TrackingAccess.LoggedModelAsync(call, session.Db, model, Permissions.ExperimentRead);
            if (!found.Ok)
            {
                return found.Failure;
            }

            if (await session.Db.Set<RunModelRow>().FindAsync([runId, model, false], call.Token) is null)
            {
                session.Db.Add(new RunModelRow { RunId = runId, ModelId = model });
            }
        }

        var known = await session
            .Db.Set<InputRow>()
            .Where(row => row.RunId == runId)
            .Select(row => row.InputKey)
            .ToListAsync(call.Token);
        var added = inputs.DistinctBy(input => input.InputKey).Where(input => !known.Contains(input.InputKey)).ToList();
        if (known.Count + added.Count > 1000)
        {
            return Failure.Invalid("registry.too_many", "A run has at most 1000 dataset inputs.");
        }

        session.Db.AddRange(added);
        await session.Db.SaveChangesAsync(call.Token);
        var entry = await call.LogAsync(
            session,
            "registry.inputs_logged",
            Urn.Run(runId),
            new()
            {
                ["datasets"] = new JsonArray([.. added.Select(input => JsonValue.Create(NodeOf(input).Urn))]),
                ["models"] = new JsonArray([.. models.Select(model => JsonValue.Create(model))]),
            }
        );
        var target = RunNode(run.Value.Run);
        foreach (var input in added)
        {
            var edge = new GraphEdge(NodeOf(input), target, GraphVerb.Used, GraphGrade.Declared);
            await session.LinkAsync(edge, entry, call.Token);
        }

        foreach (var model in models)
        {
            var node = new GraphNode(Urn.LoggedModel(model), GraphNodeKind.LoggedModel, model);
            await session.LinkAsync(new(node, target, GraphVerb.Used, GraphGrade.Declared), entry, call.Token);
        }

        if (added.Count > 0)
        {
            await VersionSubjects.RecomputeAsync(call, session, runId);
        }

        return new JsonObject();
    }

    public static GraphNode RunNode(RunRow run) => new(Urn.Run(run.RunId), GraphNodeKind.Run, run.Name);

    public static GraphNode NodeOf(InputRow input) =>
        input.DatasetSha256 is { } sha256
            ? new(Urn.Dataset(Digest.Parse(sha256)), GraphNodeKind.Dataset, input.Name)
            : new(Urn.MlflowDataset(input.Name, input.MlflowDigest), GraphNodeKind.Dataset, input.Name);

    private static async Task<Result<InputRow>> ReadAsync(Call call, string runId, Args item)
    {
        var dataset = item.Object("dataset") ?? throw new RefusedException(RegistryNames.MissingParameter("dataset"));
        var tags = item.Labels("tags", 20, 500);
        var source = dataset.Optional("source", 65_536) ?? "";
        var bound = DatasetSource.Read(source);
        if (!bound.Ok)
        {
            return bound.Failure;
        }

        if (bound.Value is { } sha256 && !await call.Ports.Datasets.MayUseAsync(call.Actor, sha256, call.Token))
        {
            call.Refuse(Permissions.DatasetRead, AccessTarget.Dataset(sha256.Hex, null));
            return Failure.NotFound("registry.dataset_not_found", $"Dataset sha256:{sha256} not found.");
        }

        return Row(
            runId,
            dataset.Required("name", 500),
            dataset.Required("digest", 36),
            dataset.Optional("source_type", 100) ?? "",
            source,
            dataset.Optional("schema", 1_000_000),
            dataset.Optional("profile", 1_000_000),
            tags,
            bound.Value?.Hex
        );
    }

    /// <summary>An input as a row; the same statement always has the same key.</summary>
    public static InputRow Row(
        string runId,
        string name,
        string digest,
        string sourceType,
        string source,
        string? schema,
        string? profile,
        IReadOnlyList<(string Key, string Value)> tags,
        string? sha256
    )
    {
        var row = new InputRow
        {
            RunId = runId,
            Name = name,
            MlflowDigest = digest,
            SourceType = sourceType,
            Source = source,
            Schema = schema,
            Profile = profile,
            Context = tags.FirstOrDefault(tag => tag.Key == "mlflow.data.context").Value ?? "",
            TagsJson = CanonicalJson.SerializeToString(
                tags.Select(tag => new JsonObject { ["key"] = tag.Key, ["value"] = tag.Value }).ToJsonArray()
            ),
            DatasetSha256 = sha256,
        };
        row.InputKey = Digest
            .Of(
                CanonicalJson.Serialize(
                    new JsonArray(row.Name, row.MlflowDigest, row.SourceType, row.Source, row.Context)
                )
            )
            .Hex;
        return row;
    }
}
