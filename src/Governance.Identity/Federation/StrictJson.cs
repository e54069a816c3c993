using System.Buffers.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Identity.Federation;

/// <summary>One reading of JSON objects that came from outside, as strict as <see cref="CanonicalJson.TryParse"/>.</summary>
internal static class StrictJson
{
    /// <summary>The object, or null.</summary>
    public static JsonObject? Parse(ReadOnlySpan<byte> utf8) => CanonicalJson.TryParse(utf8) as JsonObject;

    /// <summary>The object in one part of a compact token, or null.</summary>
    public static JsonObject? Part(string base64Url)
    {
        try
        {
            return Parse(Base64Url.DecodeFromChars(base64Url));
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>A member that is a text, or null.</summary>
    public static string? Text(this JsonObject json, string name) =>
        json[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    /// <summary>A member that is a whole number of seconds since 1970, or null.</summary>
    public static DateTimeOffset? Time(this JsonObject json, string name) =>
        json[name] is JsonValue value
        && value.GetValueKind() == JsonValueKind.Number
        && value.TryGetValue<long>(out var seconds)
        && seconds is >= 0 and < 253_402_300_800
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : null;
}
