using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Registry.Contracts;
using Governance.Registry.Storage;

namespace Governance.Registry.Wire;

/// <summary>MLflow's messages for models and versions.</summary>
internal static class RegistryJson
{
    public static JsonObject Version(VersionData version, bool withAliases = true)
    {
        var row = version.Row;
        var body = new JsonObject
        {
            ["name"] = version.ModelName,
            ["version"] = Number(row.Number),
            ["creation_timestamp"] = row.CreatedMs,
            ["last_updated_timestamp"] = row.UpdatedMs,
            ["user_id"] = row.RegisteredBy,
            ["current_stage"] = row.Stage,
            ["description"] = row.Description,
            ["source"] = row.Source,
            ["run_id"] = row.RunId ?? "",
            ["status"] = StatusName(row.Status),
        }
            .With("status_message", row.StatusMessage.Length == 0 ? null : row.StatusMessage)
            .With("tags", TrackingJson.KeyValues(version.Tags.DistinctBy(tag => tag.Key)))
            .With("run_link", row.RunLink);
        return withAliases
            ? body.With(
                "aliases",
                version.Aliases.Distinct().Order(StringComparer.Ordinal).Select(a => (JsonNode)a).ToJsonArray()
            )
            : body;
    }

    public static JsonObject Model(
        ModelRow row,
        IEnumerable<LabelRow> tags,
        IEnumerable<AliasRow> aliases,
        IEnumerable<VersionData> latest
    ) =>
        new JsonObject
        {
            ["name"] = row.Name,
            ["creation_timestamp"] = row.CreatedMs,
            ["last_updated_timestamp"] = row.UpdatedMs,
            ["user_id"] = row.OwnerId,
        }
            .With("description", row.Description.Length == 0 ? null : row.Description)
            .With("latest_versions", latest.Select(version => Version(version, withAliases: false)).ToJsonArray())
            .With("tags", TrackingJson.KeyValues(tags))
            .With(
                "aliases",
                aliases
                    .Select(a => new JsonObject { ["alias"] = a.Alias, ["version"] = Number(a.Number) })
                    .ToJsonArray()
            );

    public static string Number(int version) => version.ToString(CultureInfo.InvariantCulture);

    private static string StatusName(VersionStatus status) =>
        status switch
        {
            VersionStatus.PendingRegistration => "PENDING_REGISTRATION",
            VersionStatus.FailedRegistration => "FAILED_REGISTRATION",
            _ => "READY",
        };
}
