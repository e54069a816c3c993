using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Governance.Registry.Wire;

namespace Governance.Registry.Upstream;

/// <summary>What is made upstream, in requests written from typed values. Each carries the intent's id as a tag.</summary>
internal static class Intents
{
    public const string Experiment = "experiment";
    public const string Run = "run";
    public const string LoggedModel = "logged_model";
    public const string Model = "model";
    public const string Version = "version";

    public static JsonObject ExperimentBody(string name, IEnumerable<(string Key, string Value)> tags) =>
        new() { ["name"] = name, ["tags"] = Labels(tags) };

    public static JsonObject RunBody(
        long experiment,
        string name,
        Actor actor,
        long? start,
        IEnumerable<(string Key, string Value)> tags
    ) =>
        new JsonObject
        {
            ["experiment_id"] = LabelIds.Experiment(experiment),
            ["run_name"] = name,
            ["user_id"] = actor.Id,
            // A run that says another name in its tag than in its field is refused by MLflow.
            ["tags"] = Labels(tags.Where(tag => tag.Key != "mlflow.runName")),
        }.With("start_time", start);

    public static JsonObject LoggedModelBody(
        long experiment,
        string name,
        string type,
        string? sourceRun,
        IEnumerable<(string Key, string Value)> parameters,
        IEnumerable<(string Key, string Value)> tags
    ) =>
        new JsonObject
        {
            ["experiment_id"] = LabelIds.Experiment(experiment),
            ["model_type"] = type,
            ["params"] = Labels(parameters),
            ["tags"] = Labels(tags),
        }
            .With("name", name.Length == 0 ? null : name)
            .With("source_run_id", sourceRun);

    public static JsonObject ModelBody(string name, string description, IEnumerable<(string Key, string Value)> tags) =>
        new()
        {
            ["name"] = name,
            ["description"] = description,
            ["tags"] = Labels(tags),
        };

    public static JsonObject VersionBody(
        string name,
        string source,
        string? runId,
        string? loggedModelId,
        string description,
        string runLink,
        IEnumerable<(string Key, string Value)> tags
    ) =>
        new JsonObject
        {
            ["name"] = name,
            ["source"] = source,
            ["description"] = description,
            ["run_link"] = runLink,
            ["tags"] = Labels(tags),
        }
            .With("run_id", runId)
            .With("model_id", loggedModelId);

    /// <summary>The route that makes it.</summary>
    public static UpstreamRoute Route(string kind) =>
        kind switch
        {
            Experiment => UpstreamRoute.CreateExperiment,
            Run => UpstreamRoute.CreateRun,
            LoggedModel => UpstreamRoute.CreateLoggedModel,
            Model => UpstreamRoute.CreateModel,
            Version => UpstreamRoute.CreateVersion,
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };

    /// <summary>The id in the answer of that route; one of no form that we serve is a refusal.</summary>
    public static string? IdOf(string kind, Args answer) =>
        kind switch
        {
            Experiment => Checked(answer.Required("experiment_id", 20), id => ArtifactAddress.TryExperiment(id, out _)),
            Run => Checked(answer.Object("run")?.Object("info")?.Required("run_id", 64), ArtifactAddress.IsRunId),
            LoggedModel => Checked(
                answer.Object("model")?.Object("info")?.Required("model_id", 64),
                ArtifactAddress.IsLoggedModelId
            ),
            Model => answer.Object("registered_model")?.Required("name"),
            _ => Checked(answer.Object("model_version")?.Required("version", 20), IsVersion),
        };

    /// <summary>The lane of what was made, when there is one before the model's row is known.</summary>
    public static string? Lane(string kind, string id) =>
        kind switch
        {
            Experiment => Lanes.Experiment + id,
            Run => Lanes.OfRun(id),
            LoggedModel => Lanes.OfLoggedModel(id),
            _ => null,
        };

    public static JsonArray Labels(IEnumerable<(string Key, string Value)> labels) =>
        labels.Select(label => new JsonObject { ["key"] = label.Key, ["value"] = label.Value }).ToJsonArray();

    private static bool IsVersion(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0;

    private static string? Checked(string? id, Func<string, bool> holds) => id is not null && holds(id) ? id : null;
}
