using Governance.Kernel;
using Governance.Sbom.Engine;

namespace Governance.Sbom.GenerateBom;

/// <summary>
/// Finds and reads <c>MLmodel</c>, <c>conda.yaml</c>, <c>python_env.yaml</c>, <c>requirements.txt</c> and what they include,
/// each file once per role.
/// </summary>
internal sealed class DependencyReader(TextFiles files, Findings findings)
{
    private const int MaxDepth = 8;
    private const int MaxFiles = 64;
    private const int MaxMentions = 20_000;

    private readonly List<Mention> _mentions = [];
    private readonly List<PythonMention> _python = [];
    private readonly HashSet<(string Path, bool Constraint)> _seen = [];

    /// <summary>Codes <c>sbom.*</c>.</summary>
    public async Task<Result<BomContent>> ReadAsync(CancellationToken cancellationToken)
    {
        var model = await ReadModelAsync(cancellationToken);
        if (!model.Ok)
        {
            return model.Failure;
        }

        var failure =
            await ReadEnvironmentAsync(
                model.Value.VirtualenvPath,
                ["python_env.yaml", "python-env.yaml"],
                PythonEnvironment.Parse,
                cancellationToken
            )
            ?? await ReadEnvironmentAsync(
                model.Value.CondaPath,
                ["conda.yaml"],
                CondaEnvironment.Parse,
                cancellationToken
            )
            ?? await ReadRootAsync("requirements.txt", cancellationToken);
        if (failure is not null)
        {
            return failure;
        }

        _mentions.AddRange(model.Value.Versions);
        if (model.Value.Python is { } stated)
        {
            _python.Add(stated);
        }

        var python = LibraryMerge.Python(_python, findings);
        return new BomContent
        {
            Manifest = files.Manifest,
            Model = model.Value,
            Libraries = LibraryMerge.Merge(_mentions, python, findings),
            PythonMentions = _python,
            Python = python,
        };
    }

    private async Task<Result<MlModel>> ReadModelAsync(CancellationToken cancellationToken)
    {
        if (!files.Has("MLmodel"))
        {
            findings.Add("There is no MLmodel file: inputs, outputs and flavors are not known.");
            return MlModel.None;
        }

        var text = await files.ReadAsync("MLmodel", cancellationToken);
        return text.Ok ? MlModelFile.Parse(text.Value, "MLmodel", findings) : text.Failure;
    }

    private async Task<Failure?> ReadEnvironmentAsync(
        string? named,
        IReadOnlyList<string> usual,
        Func<string, string, Findings, Result<EnvironmentFile>> parse,
        CancellationToken cancellationToken
    )
    {
        var path = usual.FirstOrDefault(files.Has);
        if (named is not null)
        {
            var resolved = IncludePath.Resolve("MLmodel", named);
            if (!resolved.Ok)
            {
                return resolved.Failure;
            }

            path = resolved.Value;
        }

        if (path is null)
        {
            return null;
        }

        if (!files.Has(path))
        {
            findings.Add($"MLmodel names {path}, which is not there.");
            return null;
        }

        var text = await files.ReadAsync(path, cancellationToken);
        if (!text.Ok)
        {
            return text.Failure;
        }

        var environment = parse(text.Value, path, findings);
        if (!environment.Ok)
        {
            return environment.Failure;
        }

        _mentions.AddRange(environment.Value.Mentions);
        if (environment.Value.Python is { } python)
        {
            _python.Add(python);
        }

        return await ReadIncludesAsync(path, environment.Value.Includes, constraint: false, [], cancellationToken);
    }

    private Task<Failure?> ReadRootAsync(string path, CancellationToken cancellationToken) =>
        files.Has(path)
            ? ReadRequirementsAsync(path, constraint: false, [], cancellationToken)
            : Task.FromResult<Failure?>(null);

    private async Task<Failure?> ReadIncludesAsync(
        string including,
        IReadOnlyList<Include> includes,
        bool constraint,
        IReadOnlyList<string> chain,
        CancellationToken cancellationToken
    )
    {
        foreach (var include in includes)
        {
            var path = IncludePath.Resolve(including, include.Path);
            if (!path.Ok)
            {
                return path.Failure;
            }

            if (!files.Has(path.Value))
            {
                findings.Add($"{including} includes {path.Value}, which is not there.");
                continue;
            }

            if (
                await ReadRequirementsAsync(path.Value, constraint || include.Constraint, chain, cancellationToken) is
                { } failure
            )
            {
                return failure;
            }
        }

        return null;
    }

    private async Task<Failure?> ReadRequirementsAsync(
        string path,
        bool constraint,
        IReadOnlyList<string> chain,
        CancellationToken cancellationToken
    )
    {
        if (chain.Contains(path, StringComparer.Ordinal))
        {
            return Failure.Invalid("sbom.include_cycle", $"{path} includes itself.");
        }

        if (chain.Count >= MaxDepth)
        {
            return Failure.Invalid("sbom.include_depth", $"{path} is included more than {MaxDepth} levels deep.");
        }

        if (!_seen.Add((path, constraint)))
        {
            return null;
        }

        if (_seen.Count > MaxFiles)
        {
            return Failure.Invalid("sbom.too_many_includes", $"More than {MaxFiles} requirements files.");
        }

        var text = await files.ReadAsync(path, cancellationToken);
        if (!text.Ok)
        {
            return text.Failure;
        }

        var origin = constraint ? Origin.Constraint : Origin.Requirements;
        var requirements = RequirementsFile.Parse(text.Value, path, origin, findings);
        if (!requirements.Ok)
        {
            return requirements.Failure;
        }

        _mentions.AddRange(requirements.Value.Mentions);
        return _mentions.Count > MaxMentions
            ? Failure.Invalid("sbom.too_many_requirements", $"More than {MaxMentions} requirements.")
            : await ReadIncludesAsync(
                path,
                requirements.Value.Includes,
                constraint,
                [.. chain, path],
                cancellationToken
            );
    }
}
