using Governance.Kernel;

namespace Governance.Registry.Wire;

/// <summary>
/// Families of MLflow's routes that are not served on purpose, and why. They are answered as an older server would: 404
/// <c>ENDPOINT_NOT_FOUND</c>, on which stock clients fall back or say that the server lacks the feature.
/// </summary>
internal static class NotServed
{
    /// <summary>Family → reason, one sentence.</summary>
    public static readonly IReadOnlyDictionary<string, string> Reasons = new Dictionary<string, string>
    {
        ["datasets"] =
            "Evaluation datasets are not kept here: upload datasets at /api/v1/datasets, where they are scanned.",
        ["scorers"] = "Scorers are stored code that a server runs; this gateway runs none.",
        ["gateway"] = "No model provider is called from here and no provider key is kept.",
        ["gateway-proxy"] = "No request is forwarded from here.",
        ["prompt-optimization"] = "No model provider is called from here.",
        ["traces"] = "Traces are started, ended, searched, tagged, assessed and deleted here, and not evaluated.",
        ["issues"] = "Issues of traces are not kept here.",
        ["label-schemas"] = "Labelling is not part of this gateway.",
        ["review-queues"] = "Labelling is not part of this gateway; approvals of versions have their own interface.",
        ["workspaces"] = "There are no workspaces: grants name patterns of names.",
        ["users"] = "Persons and services are managed at /api/v1/persons and /api/v1/services.",
        ["roles"] = "Roles and grants are managed at /api/v1/grants.",
        ["unified-traces"] = "Only what clients send here is searched; no inference table is.",
        ["get-online-trace-details"] = "Only what clients send here is searched; no inference table is.",
        ["upload-artifact"] = "A route of MLflow's web interface; clients upload to mlflow-artifacts.",
        ["ui-telemetry"] = "No usage is reported anywhere.",
        ["jobs"] = "Clients cannot start jobs here.",
    };

    /// <summary>The answer at a path under a prefix of MLflow.</summary>
    public static Failure At(string rest)
    {
        var family = rest.Split('/', 2)[0];
        return Reasons.TryGetValue(family, out var reason)
            ? Failure.NotFound(MlflowErrors.NoEndpoint.Code, $"Not served on purpose. {reason}")
            : MlflowErrors.NoEndpoint;
    }
}
