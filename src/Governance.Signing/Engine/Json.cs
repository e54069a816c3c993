using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>Reading JSON of which every member is expected; anything else is null and so a refusal of the caller.</summary>
internal static class Json
{
    /// <summary>
    /// Parses strictly and visits everything once, so that nothing read later can throw: lone surrogates and numbers beyond a
    /// double are valid JSON grammar but no values. Null when it is not strict JSON.
    /// </summary>
    public static JsonNode? TryParse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var node = CanonicalJson.TryParse(utf8);
            _ = CanonicalJson.Serialize(node);
            return node;
        }
        catch (Exception exception)
            when (exception is InvalidOperationException or ArgumentException or FormatException)
        {
            return null;
        }
    }

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
