using System.Text.Json.Nodes;

namespace Governance.Signing.Engine;

/// <summary>Reading JSON of which every member is expected; anything else is null and so a refusal of the caller.</summary>
internal static class Json
{
    /// <summary>The object when it has all required members and none beyond required and optional.</summary>
    public static JsonObject? Exactly(this JsonNode? node, string[] required, params string[] optional) =>
        node is JsonObject members
        && required.All(members.ContainsKey)
        && members.All(member => required.Contains(member.Key) || optional.Contains(member.Key))
            ? members
            : null;

    public static string? Text(this JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    public static long? Integer(this JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<long>(out var number) ? number : null;
}
