using System.Globalization;
using Governance.Kernel;

namespace Governance.Registry.Engine;

/// <summary>
/// What a version is registered from. Only stored artifacts, logged models and registered versions are sources; every other
/// scheme, local path, relative part, fragment, query or percent sign is refused, whatever the tags say.
/// </summary>
internal abstract record ModelSource
{
    private ModelSource() { }

    /// <summary>Files under a storage path.</summary>
    public sealed record Stored(ArtifactAddress Address) : ModelSource;

    /// <summary>Files under a path of a run, whose experiment is looked up.</summary>
    public sealed record OfRun(string RunId, ArtifactPath Path) : ModelSource;

    /// <summary>All files of a logged model.</summary>
    public sealed record LoggedModel(string ModelId) : ModelSource;

    /// <summary>The frozen files of a registered version.</summary>
    public sealed record Copy(ModelVersionRef Version) : ModelSource;

    /// <summary>A prompt: its text is the one file.</summary>
    public sealed record Prompt : ModelSource;

    public static Result<ModelSource> Parse(string source)
    {
        ModelSource? parsed = source.Length > 2000 || source.AsSpan().IndexOfAny("#?%\\") >= 0 ? null : Read(source);
        return parsed is not null
            ? parsed
            : Failure.Invalid(
                "registry.bad_source",
                $"Invalid model version source: '{RegistryNames.Quote(source)}'. A source is mlflow-artifacts:/<path>, "
                    + "runs:/<run>/<path>, models:/<logged model> or models:/<name>/<version>, absolute and without "
                    + "relative parts."
            );
    }

    private static ModelSource? Read(string source)
    {
        if (source is "dummy-source" or "prompt-template")
        {
            return new Prompt();
        }

        if (After(source, "mlflow-artifacts:/") is { } stored)
        {
            return ArtifactAddress.TryParse(stored) is { TraceId: null } address ? new Stored(address) : null;
        }

        if (After(source, "runs:/") is { } run)
        {
            var slash = run.IndexOf('/', StringComparison.Ordinal);
            var id = slash < 0 ? run : run[..slash];
            var rest = slash < 0 ? "" : run[(slash + 1)..];
            return ArtifactAddress.IsRunId(id) && ArtifactPath.TryParse(rest, out var path)
                ? new OfRun(id, path)
                : null;
        }

        return After(source, "models:/") is { } model ? ReadModel(model) : null;
    }

    private static ModelSource? ReadModel(string text)
    {
        if (ArtifactAddress.IsLoggedModelId(text))
        {
            return new LoggedModel(text);
        }

        var slash = text.LastIndexOf('/');
        return
            slash > 0
            && text[0] != '/'
            && !text.Split('/').Any(part => part is "" or "." or "..")
            && RegistryNames.CheckName("model", text[..slash]) is null
            && int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number > 0
            ? new Copy(new ModelVersionRef(text[..slash], number))
            : null;
    }

    private static string? After(string text, string scheme) =>
        text.StartsWith(scheme, StringComparison.Ordinal) ? text[scheme.Length..] : null;
}
