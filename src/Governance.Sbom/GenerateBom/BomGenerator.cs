using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Sbom.Contracts;
using Governance.Sbom.Engine;

namespace Governance.Sbom.GenerateBom;

/// <summary>Reads the description and dependency files of a source and hands them to the engine.</summary>
internal sealed class BomGenerator : IBomGenerator
{
    private static readonly string[] Unread =
    [
        "Pipfile.lock",
        "poetry.lock",
        "pylock.toml",
        "pyproject.toml",
        "uv.lock",
    ];

    public string RulesVersion => SbomModule.RulesVersion;

    public async Task<Result<Bom>> GenerateAsync(
        BomSubject subject,
        IArtifactSource source,
        CancellationToken cancellationToken
    )
    {
        var findings = new Findings();
        var reader = new DependencyReader(new TextFiles(source), findings);
        var content = await reader.ReadAsync(cancellationToken);
        if (!content.Ok)
        {
            return content.Failure;
        }

        foreach (var file in source.Manifest.Files.Where(file => Unread.Contains(file.Path, StringComparer.Ordinal)))
        {
            findings.Add($"{file.Path} is listed as a file; its dependencies are not read.");
        }

        return new CycloneDx(subject, content.Value, RulesVersion).Write(findings);
    }
}
