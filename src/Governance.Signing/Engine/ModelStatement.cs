using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>The statement of OpenSSF Model Signing v1.0: method <c>files</c>, SHA-256.</summary>
internal static class ModelStatement
{
    public const string PredicateType = "https://model_signing/signature/v1.0";

    /// <summary>The bytes to sign. Throws on an empty manifest: that is a bug of the caller.</summary>
    public static byte[] Payload(string name, Manifest manifest) =>
        manifest.Files.Count > 0
            ? CanonicalJson.Serialize(Create(name, manifest))
            : throw new ArgumentException("A model without files is not signed.", nameof(manifest));

    /// <summary>Every file of the manifest, in the UTF-8 byte order of paths that manifests have. Nothing is ignored.</summary>
    public static JsonObject Create(string name, Manifest manifest) =>
        new()
        {
            ["_type"] = InTotoStatement.Type,
            ["subject"] = new JsonArray(
                new JsonObject
                {
                    ["name"] = name,
                    ["digest"] = new JsonObject { ["sha256"] = Root(manifest.Files.Select(file => file.Digest)).Hex },
                }
            ),
            ["predicateType"] = PredicateType,
            ["predicate"] = new JsonObject
            {
                ["serialization"] = new JsonObject
                {
                    ["method"] = "files",
                    ["hash_type"] = "sha256",
                    ["allow_symlinks"] = false,
                    ["ignore_paths"] = new JsonArray(),
                },
                ["resources"] = new JsonArray([
                    .. manifest.Files.Select(file => new JsonObject
                    {
                        ["name"] = file.Path,
                        ["algorithm"] = "sha256",
                        ["digest"] = file.Digest.Hex,
                    }),
                ]),
            },
        };

    /// <summary>
    /// Null when the statement names exactly the files of the manifest; else the first check that failed. Signers elsewhere write
    /// down which paths they would ignore (<paramref name="mayNameIgnored"/>): none is ignored here, so such a file is an extra one.
    /// </summary>
    public static Failure? Check(JsonObject statement, Manifest manifest, bool mayNameIgnored = false)
    {
        if (statement["predicateType"].Text() != PredicateType)
        {
            return SigningFailure.Of("predicate_type", "The statement is not a model signature v1.0.");
        }

        var predicate = statement["predicate"].Exactly(["serialization", "resources"]);
        if (!IsPlainFiles(predicate?["serialization"], mayNameIgnored))
        {
            return SigningFailure.Of(
                "serialization",
                "The signature must cover whole files by sha256, follow no symbolic links and ignore no path."
            );
        }

        var resources = ReadResources(predicate!["resources"]);
        if (!resources.Ok)
        {
            return resources.Failure;
        }

        if (
            statement["subject"] is not JsonArray { Count: 1 } subjects
            || (subjects[0] as JsonObject)?["digest"].Exactly(["sha256"])?["sha256"].Text()
                != Root(resources.Value.Select(resource => resource.Digest)).Hex
        )
        {
            return SigningFailure.Of("root_mismatch", "The subject is not the root of the listed resources.");
        }

        return Compare(resources.Value.ToDictionary(resource => resource.Path, resource => resource.Digest), manifest);
    }

    // Only .git* paths are ever ignored by default by other signers; a signer who may ignore can hide files, so none is accepted.
    private static bool IsPlainFiles(JsonNode? node, bool mayNameIgnored) =>
        node.Exactly(["method", "hash_type", "allow_symlinks", "ignore_paths"]) is { } serialization
        && serialization["method"].Text() == "files"
        && serialization["hash_type"].Text() == "sha256"
        && serialization["allow_symlinks"] is JsonValue links
        && links.TryGetValue<bool>(out var follows)
        && !follows
        && serialization["ignore_paths"] is JsonArray ignored
        && (ignored.Count == 0 || mayNameIgnored);

    private static Result<List<(string Path, Digest Digest)>> ReadResources(JsonNode? node)
    {
        if (node is not JsonArray { Count: > 0 } items)
        {
            return SigningFailure.Of("empty", "The signature covers no file.");
        }

        var resources = new List<(string, Digest)>();
        var exact = new HashSet<string>(StringComparer.Ordinal);
        var folded = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var item in items)
        {
            if (
                item.Exactly(["name", "algorithm", "digest"]) is not { } resource
                || resource["algorithm"].Text() != "sha256"
                || !Digest.TryParse(resource["digest"].Text(), out var digest)
            )
            {
                return SigningFailure.Of("resource_malformed", "A resource is not a name with a sha256 digest.");
            }

            if (!ArtifactPath.TryParse(resource["name"].Text(), out var path) || path.IsRoot)
            {
                return SigningFailure.Of("resource_name", "A resource has a path that is not allowed.");
            }

            if (!exact.Add(path.Value))
            {
                return SigningFailure.Of("resource_duplicate", $"The file {path.Value} is listed twice.");
            }

            if (!folded.Add(path.Value))
            {
                return SigningFailure.Of(
                    "resource_collision",
                    $"The file {path.Value} differs from another only by letter case."
                );
            }

            resources.Add((path.Value, digest));
        }

        return resources;
    }

    private static Failure? Compare(Dictionary<string, Digest> signed, Manifest manifest)
    {
        var present = manifest.Files.ToDictionary(file => file.Path, file => file.Digest);
        foreach (var (path, digest) in signed)
        {
            if (!present.TryGetValue(path, out var actual))
            {
                var renamed = present.FirstOrDefault(file => file.Value == digest && !signed.ContainsKey(file.Key)).Key;
                return renamed is null
                    ? SigningFailure.Of("file_missing", $"The signed file {path} is missing.")
                    : SigningFailure.Of("file_renamed", $"The signed file {path} is now {renamed}.");
            }

            if (actual != digest)
            {
                return SigningFailure.Of("file_changed", $"The file {path} differs from what was signed.");
            }
        }

        var extra = present.Keys.FirstOrDefault(path => !signed.ContainsKey(path));
        return extra is null ? null : SigningFailure.Of("file_extra", $"The file {extra} is not signed.");
    }

    public static Digest Root(IEnumerable<Digest> digests)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var digest in digests)
        {
            hash.AppendData(digest.ToBytes());
        }

        return Digest.FromBytes(hash.GetHashAndReset());
    }
}
