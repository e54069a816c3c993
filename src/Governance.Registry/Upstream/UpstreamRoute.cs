using Governance.Registry.Engine;

namespace Governance.Registry.Upstream;

/// <summary>
/// Every address that the gateway writes to upstream: there is no other way to make one, so nothing that a client sends can
/// name another.
/// </summary>
internal sealed class UpstreamRoute
{
    public static readonly UpstreamRoute CreateExperiment = Post("experiments/create");
    public static readonly UpstreamRoute UpdateExperiment = Post("experiments/update");
    public static readonly UpstreamRoute DeleteExperiment = Post("experiments/delete");
    public static readonly UpstreamRoute RestoreExperiment = Post("experiments/restore");
    public static readonly UpstreamRoute SetExperimentTag = Post("experiments/set-experiment-tag");
    public static readonly UpstreamRoute DeleteExperimentTag = Post("experiments/delete-experiment-tag");
    public static readonly UpstreamRoute SearchExperiments = Post("experiments/search");
    public static readonly UpstreamRoute CreateRun = Post("runs/create");
    public static readonly UpstreamRoute UpdateRun = Post("runs/update");
    public static readonly UpstreamRoute DeleteRun = Post("runs/delete");
    public static readonly UpstreamRoute RestoreRun = Post("runs/restore");
    public static readonly UpstreamRoute LogBatch = Post("runs/log-batch");
    public static readonly UpstreamRoute DeleteRunTag = Post("runs/delete-tag");
    public static readonly UpstreamRoute LogInputs = Post("runs/log-inputs");
    public static readonly UpstreamRoute LogOutputs = Post("runs/outputs");
    public static readonly UpstreamRoute LogModel = Post("runs/log-model");
    public static readonly UpstreamRoute SearchRuns = Post("runs/search");
    public static readonly UpstreamRoute CreateLoggedModel = Post("logged-models");
    public static readonly UpstreamRoute SearchLoggedModels = Post("logged-models/search");
    public static readonly UpstreamRoute CreateModel = Post("registered-models/create");
    public static readonly UpstreamRoute RenameModel = Post("registered-models/rename");
    public static readonly UpstreamRoute UpdateModel = new(HttpMethod.Patch, "registered-models/update");
    public static readonly UpstreamRoute DeleteModel = Delete("registered-models/delete");
    public static readonly UpstreamRoute SetModelTag = Post("registered-models/set-tag");
    public static readonly UpstreamRoute DeleteModelTag = Delete("registered-models/delete-tag");
    public static readonly UpstreamRoute SetAlias = Post("registered-models/alias");
    public static readonly UpstreamRoute DeleteAlias = Delete("registered-models/alias");
    public static readonly UpstreamRoute CreateVersion = Post("model-versions/create");
    public static readonly UpstreamRoute UpdateVersion = new(HttpMethod.Patch, "model-versions/update");
    public static readonly UpstreamRoute DeleteVersion = Delete("model-versions/delete");
    public static readonly UpstreamRoute TransitionVersion = Post("model-versions/transition-stage");
    public static readonly UpstreamRoute SetVersionTag = Post("model-versions/set-tag");
    public static readonly UpstreamRoute DeleteVersionTag = Delete("model-versions/delete-tag");

    private const string Mlflow = "api/2.0/mlflow/";

    private UpstreamRoute(HttpMethod method, string path) => (Method, Path) = (method, Mlflow + path);

    public HttpMethod Method { get; }

    public string Path { get; }

    public static UpstreamRoute FinishLoggedModel(string id) => new(HttpMethod.Patch, LoggedModel(id));

    public static UpstreamRoute DeleteLoggedModel(string id) => Delete(LoggedModel(id));

    public static UpstreamRoute LogLoggedModelParams(string id) => Post($"{LoggedModel(id)}/params");

    public static UpstreamRoute SetLoggedModelTags(string id) => new(HttpMethod.Patch, $"{LoggedModel(id)}/tags");

    public static UpstreamRoute DeleteLoggedModelTag(string id, string key) =>
        Delete($"{LoggedModel(id)}/tags/{Uri.EscapeDataString(key)}");

    private static string LoggedModel(string id) =>
        ArtifactAddress.IsLoggedModelId(id) ? $"logged-models/{id}" : throw new ArgumentException("No id.", nameof(id));

    private static UpstreamRoute Post(string path) => new(HttpMethod.Post, path);

    private static UpstreamRoute Delete(string path) => new(HttpMethod.Delete, path);
}
