namespace Governance.Platform.Web;

/// <summary>Which paths speak MLflow's protocol, whose clients read errors in MLflow's own form only.</summary>
public static class MlflowPaths
{
    private static readonly string[] Roots =
    [
        "/api/2.0mlflow/",
        "/ajax-api/",
        "/get-artifact",
        "/model-versions/",
        "/v1/",
    ];

    /// <summary>Whether the decoded path belongs to MLflow.</summary>
    public static bool Contains(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Roots.Any(root => path.StartsWith(root, StringComparison.Ordinal))
            || (
                path.StartsWith("/api/", StringComparison.Ordinal)
                && path.Split('/', 5) is [_, _, _, { } area, ..]
                && area.StartsWith("mlflow", StringComparison.Ordinal)
            );
    }
}
