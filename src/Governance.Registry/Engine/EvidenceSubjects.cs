using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Registry.Engine;

/// <summary>An input as the evidence subject sees it.</summary>
/// <param name="Context">MLflow's context tag, or empty.</param>
/// <param name="Grade">How well the input is known: inputs that a client logs are <c>declared</c>.</param>
/// <param name="Content">SHA-256 hex of the dataset, or <c>mlflow:name@digest</c> when its content is not known.</param>
internal sealed record SubjectInput(string Context, string Grade, string Content)
{
    public static SubjectInput Declared(string context, string? sha256, string name, string mlflowDigest) =>
        new(context, "declared", sha256 ?? $"mlflow:{name}@{mlflowDigest}");
}

/// <summary>The evidence subject: SHA-256 of the RFC 8785 JSON of {inputs, manifest, model, run, version}.</summary>
internal static class EvidenceSubjects
{
    public static Digest Compute(
        Guid modelId,
        int version,
        Digest manifest,
        string? runId,
        IEnumerable<SubjectInput> inputs
    )
    {
        var sorted = inputs
            .Select(input => new JsonObject
            {
                ["context"] = input.Context,
                ["grade"] = input.Grade,
                ["sha256"] = input.Content,
            })
            .DistinctBy(CanonicalJson.SerializeToString)
            .OrderBy(CanonicalJson.SerializeToString, StringComparer.Ordinal);
        return Digest.Of(
            CanonicalJson.Serialize(
                new JsonObject
                {
                    ["inputs"] = new JsonArray([.. sorted]),
                    ["manifest"] = manifest.Hex,
                    ["model"] = modelId.ToString("D"),
                    ["run"] = runId,
                    ["version"] = version,
                }
            )
        );
    }
}
