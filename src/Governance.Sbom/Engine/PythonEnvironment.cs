using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Sbom.Engine;

/// <summary><c>python_env.yaml</c>: Python version, build dependencies and dependencies in pip's grammar.</summary>
internal static class PythonEnvironment
{
    public static Result<EnvironmentFile> Parse(string text, string source, Findings findings)
    {
        var root = SafeYaml.ParseMapping(text, source);
        if (!root.Ok)
        {
            return root.Failure;
        }

        var build = Section(root.Value, "build_dependencies", source, Origin.Build, findings);
        var run = Section(root.Value, "dependencies", source, Origin.PythonEnv, findings);
        if (!build.Ok || !run.Ok)
        {
            return build.Failure ?? run.Failure!;
        }

        var version = YamlText.Of(root.Value["python"]);
        return new EnvironmentFile(
            [.. run.Value.Mentions, .. build.Value.Mentions],
            [.. run.Value.Includes, .. build.Value.Includes],
            version is null ? null : new PythonMention(source, PythonText.IsVersion(version) ? version : null, version)
        );
    }

    private static Result<Requirements> Section(
        JsonObject root,
        string key,
        string source,
        Origin origin,
        Findings findings
    ) => RequirementsFile.Parse(YamlText.Lines(root[key] as JsonArray ?? []), $"{source} {key}", origin, findings);
}
