using System.Text.Json.Nodes;

namespace Governance.Sbom.Engine;

/// <summary>Text inside parsed YAML or JSON.</summary>
internal static class YamlText
{
    /// <summary>The text of a scalar, or null when it is anything else.</summary>
    public static string? Of(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    /// <summary>The scalars of a list as lines; a line break inside one cannot start another.</summary>
    public static string Lines(JsonArray items) =>
        string.Join('\n', items.Select(item => (Of(item) ?? "?").ReplaceLineEndings(" ")));
}
