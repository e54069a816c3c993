using System.CommandLine;
using System.Text.Json.Nodes;
using Governance.Cli.Server;
using Governance.Kernel;

namespace Governance.Cli.Commands;

/// <summary>Lists of the gateway's own API, which come page by page.</summary>
internal static class Pages
{
    /// <summary>Says every item: its JSON, or its line; those without a line are left out.</summary>
    public static async Task<int> SayAsync(
        Invocation run,
        Option<string> format,
        string path,
        Func<JsonNode, string?> line
    )
    {
        using var gateway = ServerOptions.Connect(run);
        string? after = null;
        do
        {
            var first = path.Contains('?', StringComparison.Ordinal) ? "&first=200" : "?first=200";
            var query = after is null ? first : $"{first}&after={Uri.EscapeDataString(after)}";
            var page = CanonicalJson.TryParse(await gateway.GetAsync(path + query, run.Cancelled)) as JsonObject;
            foreach (var item in (page?["items"] as JsonArray ?? []).OfType<JsonNode>())
            {
                if (line(item) is not { } text)
                {
                    continue;
                }

                if (run.IsJson(format))
                {
                    run.Say(item);
                }
                else
                {
                    run.Say(text);
                }
            }

            after = page?["nextToken"]?.ToString();
        } while (after is not null);
        return Exit.Fine;
    }
}
