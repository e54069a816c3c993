using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Cli.Commands;

/// <summary>How people write versions and targets on a command line.</summary>
internal static class VersionName
{
    public static Argument<string> Argument() =>
        new("version") { Description = "MODEL/VERSION, for example fraud/3 or models:/fraud/3." };

    /// <summary>Reads <c>name/3</c> or <c>models:/name/3</c>.</summary>
    public static ModelVersionRef Parse(string text) =>
        TryParse(text) ?? throw Stop.Usage("A version is written MODEL/VERSION, for example fraud/3.");

    public static ModelVersionRef? TryParse(string text)
    {
        const string scheme = "models:/";
        var plain = text.StartsWith(scheme, StringComparison.Ordinal) ? text[scheme.Length..] : text;
        var slash = plain.LastIndexOf('/');
        return
            slash > 0
            && int.TryParse(plain[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            && version > 0
            ? new ModelVersionRef(plain[..slash], version)
            : null;
    }

    /// <summary>Reads <c>stage:Production</c> or <c>alias:champion</c> into the GraphQL input.</summary>
    public static JsonObject Target(string text)
    {
        var parts = text.Split(':', 2);
        var name = parts.Length == 2 ? parts[1] : "";
        return parts[0] switch
        {
            "stage" when name.ToUpperInvariant() is "NONE" or "STAGING" or "PRODUCTION" or "ARCHIVED" => new JsonObject
            {
                ["stage"] = name.ToUpperInvariant(),
            },
            "alias" when name.Length > 0 => new JsonObject { ["alias"] = name },
            _ => throw Stop.Usage(
                "A target is stage:Staging, stage:Production, stage:Archived, stage:None or alias:NAME."
            ),
        };
    }
}
