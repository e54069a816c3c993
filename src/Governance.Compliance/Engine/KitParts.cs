using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Compliance.Engine;

/// <summary>Names of the parts of an offline kit, and its list of the version's files.</summary>
internal static class KitParts
{
    public const string Guide = "VERIFY.md";
    public const string Bundle = "bundle.json";
    public const string Files = "manifest.json";
    public const string Sbom = "sbom.cdx.json";
    public const string TrustedRoot = "trusted_root.json";
    public const string TrustConfig = "client_trust_config.json";
    public const string Checkpoint = "checkpoint";
    public const string Attestations = "attestations/";
    public const string Receipts = "receipts/";
    public const string Json = ".json";

    /// <summary>Those that every kit has.</summary>
    public static readonly IReadOnlyList<string> Always = [Guide, Bundle, Files, TrustedRoot, TrustConfig, Checkpoint];

    /// <summary>Whether a kit has parts of this name. Nothing else is read, so no name leads anywhere.</summary>
    public static bool IsName(string name) =>
        Always.Contains(name)
        || name == Sbom
        || IdOf(name, Attestations) is not null
        || IdOf(name, Receipts) is not null;

    /// <summary>The id in <c>folder/id.json</c>, or null.</summary>
    public static string? IdOf(string name, string folder) =>
        name.StartsWith(folder, StringComparison.Ordinal)
        && name.EndsWith(Json, StringComparison.Ordinal)
        && name[folder.Length..^Json.Length] is { Length: > 0 and <= 64 } id
        && id.All(static letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '-')
            ? id
            : null;

    /// <summary>Reads a list of files in its one canonical form, the bytes that its digest is of; null for anything else.</summary>
    public static Manifest? Read(ReadOnlySpan<byte> utf8)
    {
        if (CanonicalJson.TryParse(utf8) is not JsonArray items)
        {
            return null;
        }

        var files = new List<ManifestFile>(items.Count);
        foreach (var item in items)
        {
            if (
                item is not JsonObject { Count: 3 } file
                || file["path"] is not JsonValue path
                || !path.TryGetValue<string>(out var name)
                || file["sha256"] is not JsonValue sha256
                || !sha256.TryGetValue<string>(out var hex)
                || !Digest.TryParse(hex, out var digest)
                || file["size"] is not JsonValue size
                || !size.TryGetValue<long>(out var bytes)
                || bytes < 0
            )
            {
                return null;
            }

            files.Add(new ManifestFile(name, bytes, digest));
        }

        return Manifest.Create(files) is { Ok: true } manifest && utf8.SequenceEqual(manifest.Value.ToCanonicalJson())
            ? manifest.Value
            : null;
    }
}
