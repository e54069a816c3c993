using System.Text;
using System.Text.Json.Nodes;

namespace Governance.Kernel;

/// <summary>One file of a version.</summary>
/// <param name="Path">Relative path, <c>/</c>-separated, see <see cref="ArtifactPath"/>.</param>
/// <param name="Size">Plain bytes.</param>
/// <param name="Digest">SHA-256 of the plain bytes.</param>
public sealed record ManifestFile(string Path, long Size, Digest Digest);

/// <summary>The frozen list of files of a version, sorted by the UTF-8 bytes of the path, without duplicates.</summary>
public sealed class Manifest
{
    private Manifest(IReadOnlyList<ManifestFile> files)
    {
        Files = files;
        Digest = Digest.Of(ToCanonicalJson());
    }

    /// <summary>Files in canonical order.</summary>
    public IReadOnlyList<ManifestFile> Files { get; }

    /// <summary>SHA-256 of <see cref="ToCanonicalJson"/>.</summary>
    public Digest Digest { get; }

    /// <summary>Sum of file sizes in bytes.</summary>
    public long TotalSize => Files.Sum(file => file.Size);

    /// <summary>RFC 8785 JSON of [{path, size, sha256}] in canonical order, UTF-8.</summary>
    public byte[] ToCanonicalJson() =>
        CanonicalJson.Serialize(
            new JsonArray([
                .. Files.Select(file => new JsonObject
                {
                    ["path"] = file.Path,
                    ["size"] = file.Size,
                    ["sha256"] = file.Digest.Hex,
                }),
            ])
        );

    /// <summary>Builds a manifest; refuses bad paths, duplicates and paths that differ by case only (codes <c>manifest.*</c>).</summary>
    public static Result<Manifest> Create(IEnumerable<ManifestFile> files)
    {
        var sorted = files
            .Select(file => (Key: Encoding.UTF8.GetBytes(file.Path), File: file))
            .OrderBy(pair => pair.Key, Utf8Order.Instance)
            .Select(pair => pair.File)
            .ToList();
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var file in sorted)
        {
            if (!ArtifactPath.TryParse(file.Path, out var path) || path.Value != file.Path || path.IsRoot)
            {
                return Failure.Invalid("manifest.bad_path", "A file of the version has a path that is not allowed.");
            }

            if (!seen.Add(file.Path))
            {
                return Failure.Invalid(
                    "manifest.path_collision",
                    "Two files of the version differ only by letter case."
                );
            }
        }

        return new Manifest(sorted);
    }
}

/// <summary>Compares byte arrays as unsigned bytes, the order of UTF-8 text by code point.</summary>
public sealed class Utf8Order : IComparer<byte[]>
{
    /// <summary>The one instance.</summary>
    public static readonly Utf8Order Instance = new();

    /// <inheritdoc />
    public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
}
