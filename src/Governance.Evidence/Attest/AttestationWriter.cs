using System.Text.Json.Nodes;
using Governance.Evidence.Contracts;
using Governance.Evidence.Produce;
using Governance.Kernel;
using Governance.Platform;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Evidence.Attest;

/// <summary>A signed statement.</summary>
/// <param name="Bundle">Sigstore bundle v0.3.</param>
/// <param name="Payload">SHA-256 of the statement's bytes, which the log entry names.</param>
internal sealed record SignedStatement(byte[] Bundle, Digest Payload);

/// <summary>
/// Says what was found about a version as a signed in-toto statement, so that somebody without this gateway can check it. What
/// only some may read, findings and lineage, is named by digest.
/// </summary>
internal sealed class AttestationWriter(ISigner signer, IRegistryReader registry, PlatformOptions options)
{
    // A bundle holds its payload in base64, and verifiers take bundles of 32 MiB.
    private const int MaxPayload = 20 << 20;
    private const string Time = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    /// <summary>The bundle; null when there is nothing to state, or the statement is over 20 MiB.</summary>
    public async Task<SignedStatement?> WriteAsync(
        VersionView version,
        EvidenceKind kind,
        Produced produced,
        CancellationToken cancellationToken
    )
    {
        if (
            Attestation.PredicateTypeOf(kind) is not { } type
            || produced.Document is not { Length: <= MaxPayload } document
            || await registry.ManifestOfAsync(version.Ref, cancellationToken) is not { } manifest
            || await PredicateAsync(version, kind, produced, document, cancellationToken) is not { } predicate
        )
        {
            return null;
        }

        var statement = new JsonObject
        {
            ["_type"] = "https://in-toto.io/Statement/v1",
            ["subject"] = Subjects(version, kind, manifest),
            ["predicateType"] = type,
            ["predicate"] = predicate,
        };
        var payload = CanonicalJson.Serialize(statement);
        return payload.Length <= MaxPayload
            ? new SignedStatement(signer.SignStatement(statement), Digest.Of(payload))
            : null;
    }

    // What speaks about this version with its inputs names their digest too; a scan speaks about bytes alone.
    private static JsonArray Subjects(VersionView version, EvidenceKind kind, Manifest manifest)
    {
        var name = version.Ref.ToString();
        var subjects = new JsonArray(
            Subject(name, manifest.Digest),
            Subject($"{name}#model-signing-root", ModelSigner.RootOf(manifest))
        );
        if (kind != EvidenceKind.Scan)
        {
            subjects.Add(Subject($"{name}#evidence-subject", version.EvidenceSubject));
        }

        foreach (var file in manifest.Files)
        {
            subjects.Add(Subject(file.Path, file.Digest));
        }

        return subjects;
    }

    private async Task<JsonNode?> PredicateAsync(
        VersionView version,
        EvidenceKind kind,
        Produced produced,
        byte[] document,
        CancellationToken cancellationToken
    ) =>
        kind switch
        {
            EvidenceKind.Sbom => CanonicalJson.TryParse(document),
            EvidenceKind.Lineage => await registry.RunOfAsync(version, cancellationToken) is { } run
                ? Provenance(version, run, document)
                : null,
            _ => Result(produced, document),
        };

    private static JsonObject Result(Produced produced, byte[] document)
    {
        var result = new JsonObject
        {
            ["class"] = produced.Class,
            ["outcome"] = produced.Outcome.ToString().ToLowerInvariant(),
            ["report"] = Sha256(Digest.Of(document)),
            ["rules"] = produced.RulesVersion,
            ["summary"] = produced.Summary,
        };
        if (CanonicalJson.TryParse(document)?["inputs"] is JsonArray inputs)
        {
            result["inputs"] = inputs.DeepClone();
        }

        return result;
    }

    // SLSA provenance v1. The gateway did not watch the training: these are what the run's client recorded here.
    private JsonObject Provenance(VersionView version, RunView run, byte[] lineage) =>
        new()
        {
            ["buildDefinition"] = new JsonObject
            {
                ["buildType"] = "urn:governance:build:mlflow-run:v1",
                ["externalParameters"] = new JsonObject
                {
                    ["experimentId"] = run.ExperimentId,
                    ["params"] = new JsonObject(
                        run.Params.Select(param => KeyValuePair.Create<string, JsonNode?>(param.Key, param.Value))
                    ),
                    ["runId"] = run.RunId,
                },
                ["internalParameters"] = new JsonObject
                {
                    ["evidenceSubject"] = version.EvidenceSubject.Hex,
                    ["loggedModelId"] = version.LoggedModelId,
                },
                ["resolvedDependencies"] = new JsonArray([.. run.Inputs.Select(Dependency)]),
            },
            ["runDetails"] = new JsonObject
            {
                ["builder"] = new JsonObject { ["id"] = $"{options.PublicUrl}#recorded-run" },
                ["metadata"] = Metadata(run),
                ["byproducts"] = new JsonArray(
                    new JsonObject { ["name"] = "lineage", ["digest"] = Sha256(Digest.Of(lineage)) }
                ),
            },
        };

    private static JsonObject Metadata(RunView run)
    {
        var metadata = new JsonObject { ["invocationId"] = run.RunId };
        if (run.StartedAt is { } started)
        {
            metadata["startedOn"] = started.UtcDateTime.ToString(Time);
        }

        if (run.EndedAt is { } ended)
        {
            metadata["finishedOn"] = ended.UtcDateTime.ToString(Time);
        }

        return metadata;
    }

    // An input without a digest is named, so that it can be seen that nothing is known of its content.
    private static JsonObject Dependency(RunInput input)
    {
        var dependency = new JsonObject
        {
            ["name"] = input.Name,
            ["uri"] = input.DatasetSha256 is { } known
                ? $"governance:/datasets/sha256:{known.Hex}"
                : $"mlflow:dataset/{Uri.EscapeDataString(input.Name)}",
            ["annotations"] = new JsonObject { ["context"] = input.Context, ["mlflowDigest"] = input.MlflowDigest },
        };
        if (input.DatasetSha256 is { } sha256)
        {
            dependency["digest"] = Sha256(sha256);
        }

        return dependency;
    }

    private static JsonObject Subject(string name, Digest digest) =>
        new() { ["name"] = name, ["digest"] = Sha256(digest) };

    private static JsonObject Sha256(Digest digest) => new() { ["sha256"] = digest.Hex };
}
