using Governance.Kernel;
using Governance.Signing.Engine;

namespace Governance.Signing.Contracts;

/// <summary>Signature files among the files of a model: at its root, where tools that sign folders put them.</summary>
public static class ArrivingBundle
{
    /// <summary>The longest signature file that is read.</summary>
    public const int MaxBytes = 8 * 1024 * 1024;
    private const string Suffix = ".sigstore.json";
    private static readonly string[] Names = ["model.sig", "model" + Suffix];

    /// <summary>Files that may be signatures by their names: <c>model.sig</c> and whatever ends in <c>.sigstore.json</c>.</summary>
    public static IReadOnlyList<ManifestFile> Candidates(Manifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return
        [
            .. manifest.Files.Where(file =>
                !file.Path.Contains('/', StringComparison.Ordinal)
                && (Names.Contains(file.Path) || file.Path.EndsWith(Suffix, StringComparison.Ordinal))
            ),
        ];
    }

    /// <summary>
    /// Whether a candidate is a signature over a model: by its name, or because it says so. Says nothing about whether it
    /// verifies; a bundle over something else, such as its provenance, is a file like others.
    /// </summary>
    public static bool IsModelSignature(ManifestFile file, ReadOnlySpan<byte> content)
    {
        ArgumentNullException.ThrowIfNull(file);
        return Names.Contains(file.Path)
            || (
                SignedBundle.Read(content, foreign: true) is { Ok: true, Value: var bundle }
                && InTotoStatement.Read(bundle.Payload) is { Ok: true, Value: var statement }
                && statement["predicateType"].Text() == ModelStatement.PredicateType
            );
    }

    /// <summary>The files that such a signature must cover: all the others. Null when there are none.</summary>
    public static Manifest? Without(Manifest manifest, ManifestFile signature)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return
            Manifest.Create(manifest.Files.Where(file => file != signature)) is { Ok: true, Value: var rest }
            && rest.Files.Count > 0
            ? rest
            : null;
    }
}
