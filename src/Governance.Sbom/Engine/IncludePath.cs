using Governance.Kernel;

namespace Governance.Sbom.Engine;

/// <summary>Resolves a path that one file of the folder names, without ever leaving the folder.</summary>
internal static class IncludePath
{
    public static Result<string> Resolve(string includingFile, string path)
    {
        if (path.AsSpan().IndexOfAny("\\:$~") >= 0 || path.StartsWith('/') || path.Length > 1024)
        {
            return Refused(includingFile);
        }

        var segments = includingFile.Split('/')[..^1].ToList();
        foreach (var segment in path.Split('/'))
        {
            if (segment == ".." && segments.Count == 0)
            {
                return Refused(includingFile);
            }

            if (segment == "..")
            {
                segments.RemoveAt(segments.Count - 1);
            }
            else if (segment is not ("." or ""))
            {
                segments.Add(segment);
            }
        }

        var joined = string.Join('/', segments);
        return ArtifactPath.TryParse(joined, out var parsed) && !parsed.IsRoot ? parsed.Value : Refused(includingFile);
    }

    private static Failure Refused(string includingFile) =>
        Failure.Invalid(
            "sbom.include_refused",
            $"{includingFile} includes a file outside of the model folder or by an address."
        );
}
