using System.Globalization;
using Governance.Kernel;
using Governance.Registry.Wire;

namespace Governance.Registry.Remote;

/// <summary>Reads MLflow's messages: types and lengths are strict, unknown members ignored.</summary>
internal static class RemoteReading
{
    private const int MaxLabels = 10_000;
    private const int MaxValue = 200_000;

    /// <summary>A page of a search; what cannot be read of one item does not hide the others.</summary>
    public static RemotePage<T> Page<T>(
        Args answer,
        string list,
        int most,
        Func<Args, (string Id, Func<T> Read)> item
    ) =>
        new(
            [.. answer.Objects(list, most).Select(args => Item(args, item))],
            answer.Optional("next_page_token", 4000) is { Length: > 0 } next ? next : null
        );

    public static (string, Func<RemoteExperiment>) Experiment(Args args) =>
        (
            Name(args, "experiment_id"),
            () =>
                new RemoteExperiment(args.Required("experiment_id", 64), args.Required("name", 10_000))
                {
                    ArtifactLocation = args.Optional("artifact_location", 10_000) ?? "",
                    Deleted = args.Optional("lifecycle_stage") == "deleted",
                    CreatedMs = args.Int64("creation_time"),
                    UpdatedMs = args.Int64("last_update_time"),
                    Tags = args.Labels("tags", MaxLabels, MaxValue),
                }
        );

    public static (string, Func<RemoteRun>) Run(Args args)
    {
        var info = Part(args, "info");
        return (Name(info, "run_id"), () => Run(args, info));
    }

    public static (string, Func<RemoteLoggedModel>) LoggedModel(Args args)
    {
        var info = Part(args, "info");
        return (
            Name(info, "model_id"),
            () =>
            {
                var data = Part(args, "data");
                return new RemoteLoggedModel(info.Required("model_id", 64), info.Required("experiment_id", 64))
                {
                    Name = info.Optional("name", 10_000) ?? "",
                    ModelType = info.Optional("model_type", 1000) ?? "",
                    Status = info.Optional("status") ?? "",
                    SourceRunId = NullIfEmpty(info.Optional("source_run_id", 64)),
                    ArtifactUri = info.Optional("artifact_uri", 10_000) ?? "",
                    CreatedMs = info.Int64("creation_timestamp_ms"),
                    UpdatedMs = info.Int64("last_updated_timestamp_ms"),
                    Tags = info.Labels("tags", MaxLabels, MaxValue),
                    Params = data.Labels("params", MaxLabels, MaxValue),
                    Metrics = Metrics(data, MaxLabels),
                };
            }
        );
    }

    public static (string, Func<RemoteModel>) Model(Args args) =>
        (
            Name(args, "name"),
            () =>
                new RemoteModel(args.Required("name", 10_000))
                {
                    Description = args.Optional("description", MaxValue) ?? "",
                    UserId = args.Optional("user_id", 1000) ?? "",
                    CreatedMs = args.Int64("creation_timestamp"),
                    UpdatedMs = args.Int64("last_updated_timestamp"),
                    Tags = args.Labels("tags", MaxLabels, MaxValue),
                    Aliases =
                    [
                        .. args.Objects("aliases", MaxLabels)
                            .Select(alias => (alias.Required("alias"), Number(alias, "version"))),
                    ],
                }
        );

    public static (string, Func<RemoteVersion>) Version(Args args) =>
        (
            $"{Name(args, "name")}/{Name(args, "version")}",
            () =>
                new RemoteVersion(args.Required("name", 10_000), Number(args, "version"))
                {
                    Stage = args.Optional("current_stage") ?? "None",
                    Status = args.Optional("status") ?? "",
                    Source = args.Optional("source", 10_000) ?? "",
                    RunId = NullIfEmpty(args.Optional("run_id", 64)),
                    LoggedModelId = NullIfEmpty(args.Optional("model_id", 64)),
                    Description = args.Optional("description", MaxValue) ?? "",
                    RunLink = args.Optional("run_link", 10_000) ?? "",
                    UserId = args.Optional("user_id", 1000) ?? "",
                    CreatedMs = args.Int64("creation_timestamp"),
                    UpdatedMs = args.Int64("last_updated_timestamp"),
                    Tags = args.Labels("tags", MaxLabels, MaxValue),
                    Aliases = args.Strings("aliases", MaxLabels),
                }
        );

    public static (string, Func<RemoteMetric>) Metric(Args args) =>
        (
            Name(args, "key"),
            () =>
                new RemoteMetric(
                    args.Required("key"),
                    args.Double("value"),
                    args.Int64("timestamp") ?? 0,
                    args.Int64("step") ?? 0
                )
                {
                    ModelId = NullIfEmpty(args.Optional("model_id", 64)),
                    DatasetName = NullIfEmpty(args.Optional("dataset_name")),
                    DatasetDigest = NullIfEmpty(args.Optional("dataset_digest")),
                    RunId = NullIfEmpty(args.Optional("run_id", 64)),
                }
        );

    public static (string, Func<(string Path, bool IsDirectory, long? Size)>) File(Args args) =>
        ("", () => (args.Required("path", 10_000), args.Bool("is_dir"), args.Int64("file_size")));

    /// <summary>One object of an answer, as a result.</summary>
    public static Result<T> One<T>(Args answer, string member, Func<Args, (string Id, Func<T> Read)> item) =>
        Item(Part(answer, member), item).Value;

    /// <summary>Runs what reads an answer and gives what is wrong with the answer as a failure.</summary>
    public static Result<T> Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (RefusedException wrong)
        {
            return RemoteFailures.BadAnswer(wrong.Failure.Message);
        }
    }

    private static RemoteRun Run(Args args, Args info)
    {
        var (data, inputs, outputs) = (Part(args, "data"), Part(args, "inputs"), Part(args, "outputs"));
        return new RemoteRun(info.Required("run_id", 64), info.Required("experiment_id", 64))
        {
            Name = info.Optional("run_name", 10_000) ?? "",
            UserId = info.Optional("user_id", 1000) ?? "",
            Status = info.Optional("status") ?? "",
            StartMs = info.Int64("start_time"),
            EndMs = info.Int64("end_time"),
            ArtifactUri = info.Optional("artifact_uri", 10_000) ?? "",
            Deleted = info.Optional("lifecycle_stage") == "deleted",
            Tags = data.Labels("tags", MaxLabels, MaxValue),
            Params = data.Labels("params", MaxLabels, MaxValue),
            Metrics = Metrics(data, MaxLabels),
            Inputs = [.. inputs.Objects("dataset_inputs", MaxLabels).Select(Input)],
            ModelInputs =
            [
                .. inputs.Objects("model_inputs", MaxLabels).Select(model => model.Required("model_id", 64)),
            ],
            ModelOutputs =
            [
                .. outputs
                    .Objects("model_outputs", MaxLabels)
                    .Select(model => (model.Required("model_id", 64), model.Int64("step") ?? 0)),
            ],
        };
    }

    private static RemoteInput Input(Args args)
    {
        var dataset = Part(args, "dataset");
        return new RemoteInput(dataset.Required("name"), dataset.Required("digest", 100))
        {
            SourceType = dataset.Optional("source_type") ?? "",
            Source = dataset.Optional("source", 1_000_000) ?? "",
            Schema = dataset.Optional("schema", 2_000_000),
            Profile = dataset.Optional("profile", 20_000_000),
            Tags = args.Labels("tags", 1000, MaxValue),
        };
    }

    private static IReadOnlyList<RemoteMetric> Metrics(Args data, int most) =>
        [.. data.Objects("metrics", most).Select(args => Metric(args).Item2())];

    private static RemoteItem<T> Item<T>(Args args, Func<Args, (string Id, Func<T> Read)> item)
    {
        try
        {
            var (id, read) = item(args);
            return new RemoteItem<T>(id, Guard(read));
        }
        catch (RefusedException wrong)
        {
            return new RemoteItem<T>("?", RemoteFailures.BadAnswer(wrong.Failure.Message));
        }
    }

    /// <summary>An inner object; an absent one is an empty one, as empties are omitted.</summary>
    private static Args Part(Args args, string name) => args.Object(name) ?? Args.Empty;

    private static string Name(Args args, string member) => args.Optional(member, 10_000) ?? "?";

    private static int Number(Args args, string member) =>
        int.TryParse(args.Required(member), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && number > 0
            ? number
            : throw new RefusedException(RemoteFailures.BadAnswer("a version is no number."));

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
