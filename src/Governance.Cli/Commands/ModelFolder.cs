using Governance.Kernel;
using Governance.Platform.Blobs;

namespace Governance.Cli.Commands;

/// <summary>Opens a folder or file of a model, leaving out the one file that cannot cover itself.</summary>
internal static class ModelFolder
{
    /// <summary>Largest bundle that is read, in bytes.</summary>
    public const int MaxBundle = 32 << 20;

    /// <summary>Absent: exit 2. There, but with links or names that are not allowed: exit as given.</summary>
    public static async Task<FolderArtifacts> OpenAsync(
        string path,
        string? leftOut,
        int exitOnRefusal,
        CancellationToken cancellationToken
    )
    {
        var ignored = leftOut is not null && RelativeInside(path, leftOut) is { } relative ? relative : null;
        var opened = await FolderArtifacts.OpenAsync(
            path,
            ignored is null ? new HashSet<string>() : new HashSet<string>(StringComparer.Ordinal) { ignored },
            cancellationToken
        );
        return opened.OrStop(opened.Failure?.Kind == FailureKind.NotFound ? Exit.Unusable : exitOnRefusal);
    }

    /// <summary>The path of a file relative to a folder, or null when it lies elsewhere.</summary>
    public static string? RelativeInside(string folder, string file)
    {
        var relative = Path.GetRelativePath(Path.GetFullPath(folder), Path.GetFullPath(file))
            .Replace(Path.DirectorySeparatorChar, '/');
        return
            relative is "." or ".." || relative.StartsWith("../", StringComparison.Ordinal) || relative.StartsWith('/')
            ? null
            : relative;
    }

    /// <summary>The last segment of a path, for names.</summary>
    public static string NameOf(string path) =>
        Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
}
