using System.Globalization;
using Governance.Kernel;

namespace Governance.Registry.Engine;

/// <summary>Compares the frozen files of a version with a list of files elsewhere.</summary>
internal static class FileDifferences
{
    /// <summary>Files that are missing there, that were added, and that have another size; a size that is not told is not compared.</summary>
    public static IReadOnlyList<Difference> Of(
        int version,
        IReadOnlyList<ManifestFile> ours,
        IReadOnlyDictionary<string, long?> theirs
    )
    {
        var found = new List<Difference>();
        foreach (var file in ours)
        {
            if (!theirs.TryGetValue(file.Path, out var size))
            {
                found.Add(new Difference(DifferenceKind.FileMissing, version, file.Path, Text(file.Size), null));
            }
            else if (size is { } there && there != file.Size)
            {
                found.Add(new Difference(DifferenceKind.FileSize, version, file.Path, Text(file.Size), Text(there)));
            }
        }

        var known = ours.Select(file => file.Path).ToHashSet(StringComparer.Ordinal);
        found.AddRange(
            theirs
                .Keys.Where(path => !known.Contains(path))
                .Order(StringComparer.Ordinal)
                .Select(path => new Difference(DifferenceKind.FileMade, version, path, null, ""))
        );
        return found;
    }

    private static string Text(long size) => size.ToString(CultureInfo.InvariantCulture);
}
