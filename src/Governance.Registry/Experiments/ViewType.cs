using Governance.Kernel;

namespace Governance.Registry.Experiments;

/// <summary>MLflow's view types: whether deleted objects are wanted; null for both.</summary>
internal static class ViewType
{
    public static Result<bool?> Read(string? text) =>
        text switch
        {
            null or "" or "ACTIVE_ONLY" => (bool?)false,
            "DELETED_ONLY" => (bool?)true,
            "ALL" => (bool?)null,
            _ => Failure.Invalid("registry.bad_view_type", "A view type is ACTIVE_ONLY, DELETED_ONLY or ALL."),
        };
}
