using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Registry.Engine;

/// <summary>
/// Strict JSON whose texts are all well-formed: the parser reads strings lazily, and half a surrogate pair would otherwise
/// break later, in the middle of a handler.
/// </summary>
internal static class StrictJson
{
    public static JsonNode? TryParse(ReadOnlySpan<byte> utf8)
    {
        try
        {
            var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = CanonicalJson.MaxDepth });
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
                {
                    _ = reader.GetString();
                }
            }
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException)
        {
            return null;
        }

        return CanonicalJson.TryParse(utf8);
    }
}
