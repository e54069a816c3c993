using System.Globalization;
using System.Text;
using System.Text.Json;
using Governance.Kernel;

namespace Governance.Registry.Engine;

/// <summary>MLflow's page token: base64 of <c>{"offset": n}</c>, the number of rows already looked at.</summary>
internal static class PageTokens
{
    public static string Write(int offset) =>
        Convert.ToBase64String(
            Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"offset\": {offset}}}"))
        );

    public static Result<int> Read(string? token)
    {
        if (string.IsNullOrEmpty(token))
        {
            return 0;
        }

        var bytes = new byte[64];
        var decoded = "";
        if (token.Length <= 64 && Convert.TryFromBase64String(token, bytes, out var length))
        {
            decoded = RegistryNames.Quote(Encoding.Latin1.GetString(bytes, 0, length));
            try
            {
                using var json = JsonDocument.Parse(bytes.AsMemory(0, length), CanonicalJson.Strict);
                if (
                    json.RootElement.ValueKind == JsonValueKind.Object
                    && json.RootElement.TryGetProperty("offset", out var offset)
                    && offset.ValueKind == JsonValueKind.Number
                    && offset.TryGetInt32(out var value)
                    && value >= 0
                )
                {
                    return value;
                }
            }
            catch (JsonException)
            {
                // Falls through to the refusal: the token is the caller's text.
            }
        }

        return Failure.Invalid("registry.bad_page_token", $"Invalid page token, decoded value={decoded}");
    }
}
