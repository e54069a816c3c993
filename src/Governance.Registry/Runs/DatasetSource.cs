using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Registry.Engine;

namespace Governance.Registry.Runs;

/// <summary>Reads the content digest out of a logged dataset source, <c>governance:/datasets/sha256:&lt;hex&gt;</c>.</summary>
internal static class DatasetSource
{
    private const string Scheme = "governance:";
    private const string Prefix = "governance:/datasets/sha256:";

    /// <summary>
    /// The digest; null for a source elsewhere; a failure when the source names the gateway but no well-formed digest. The
    /// source is that text, or JSON with it as a member (<c>{"uri": …}</c>).
    /// </summary>
    public static Result<Digest?> Read(string source)
    {
        var named = Texts(source).Where(text => text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)).ToList();
        if (named.Count == 0)
        {
            return (Digest?)null;
        }

        return
            named.Count == 1
            && named[0].StartsWith(Prefix, StringComparison.Ordinal)
            && Digest.TryParse(named[0][Prefix.Length..], out var digest)
            ? (Digest?)digest
            : Failure.Invalid(
                "registry.bad_dataset_source",
                "A dataset source of this gateway is governance:/datasets/sha256:<64 lower-case hex characters>."
            );
    }

    private static IEnumerable<string> Texts(string source)
    {
        yield return source;
        if (source.StartsWith('{') && CanonicalJson.TryParse(Encoding.UTF8.GetBytes(source)) is JsonObject members)
        {
            foreach (var (_, member) in members)
            {
                if (member is JsonValue value && value.GetValueKind() == JsonValueKind.String)
                {
                    yield return value.GetValue<string>();
                }
            }
        }
    }
}
