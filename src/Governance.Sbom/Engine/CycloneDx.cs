using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Sbom.Contracts;

namespace Governance.Sbom.Engine;

/// <summary>The mapping to CycloneDX 1.7 (ECMA-424), machine-learning bill of materials. Nothing else knows the format.</summary>
internal sealed class CycloneDx(BomSubject subject, BomContent content, string rulesVersion)
{
    private static readonly string[] Approaches =
    [
        "supervised",
        "unsupervised",
        "reinforcement-learning",
        "semi-supervised",
        "self-supervised",
    ];

    private readonly string _prefix = subject.Subject.Hex[..16];

    // Two inputs that say the same are one component.
    private readonly IReadOnlyList<(string Ref, BomDataset Dataset)> _datasets =
    [
        .. subject
            .Datasets.Select(dataset => (Ref: DatasetRef(subject, dataset), dataset))
            .DistinctBy(pair => pair.Ref, StringComparer.Ordinal)
            .OrderBy(pair => pair.dataset.Name, StringComparer.Ordinal)
            .ThenBy(pair => pair.Ref, StringComparer.Ordinal),
    ];

    private string ModelRef => $"{_prefix}/model";

    private string PythonRef => $"{_prefix}/platform/python";

    private bool HasPython => content.PythonMentions.Count > 0;

    public Bom Write(Findings findings)
    {
        var model = Model(findings);
        var components = Components();
        var document = new JsonObject
        {
            ["bomFormat"] = "CycloneDX",
            ["specVersion"] = "1.7",
            ["serialNumber"] = SerialNumber(),
            ["version"] = 1,
            ["metadata"] = new JsonObject
            {
                ["timestamp"] = subject.CreatedAt.UtcDateTime.ToString(
                    "yyyy-MM-dd'T'HH:mm:ss.fff'Z'",
                    CultureInfo.InvariantCulture
                ),
                ["lifecycles"] = new JsonArray(new JsonObject { ["phase"] = "post-build" }),
                ["tools"] = new JsonObject
                {
                    ["components"] = new JsonArray(
                        new JsonObject
                        {
                            ["type"] = "application",
                            ["name"] = "Governance.Sbom",
                            ["version"] = rulesVersion,
                        }
                    ),
                },
                ["component"] = model,
                ["properties"] = Properties(findings.Lines.Select(line => ("governance:finding", line))),
            },
            ["components"] = components,
            ["dependencies"] = Dependencies(),
            ["compositions"] = Compositions(),
        };
        var count = 1 + content.Manifest.Files.Count + components.Count;
        return new Bom(CanonicalJson.Serialize(WellFormed(document)), count, findings.Lines);
    }

    private JsonObject Model(Findings findings)
    {
        var model = new JsonObject
        {
            ["type"] = "machine-learning-model",
            ["bom-ref"] = ModelRef,
            ["name"] = subject.Model,
            ["version"] = subject.Version,
            ["purl"] = PackageUrl.Mlflow(subject.Model, subject.Version, subject.RepositoryUrl, subject.RunId),
            ["hashes"] = Hashes(content.Manifest.Digest),
            ["modelCard"] = ModelCard(findings),
            ["components"] = new JsonArray([.. content.Manifest.Files.Select(FileComponent)]),
            ["properties"] = Properties(content.Model.Properties),
        };
        if (subject.Description.Length > 0)
        {
            model["description"] = subject.Description;
        }

        if ((Tag("license") ?? Tag("licence")) is { } license)
        {
            // A name, not an id: the tag is free text and an unlisted id would make the document invalid.
            model["licenses"] = new JsonArray(
                new JsonObject
                {
                    ["license"] = new JsonObject { ["name"] = license, ["acknowledgement"] = "declared" },
                }
            );
        }

        return model;
    }

    private JsonObject ModelCard(Findings findings)
    {
        var parameters = new JsonObject
        {
            ["inputs"] = Formats(content.Model.Inputs),
            ["outputs"] = Formats(content.Model.Outputs),
            ["datasets"] = new JsonArray([.. _datasets.Select(pair => new JsonObject { ["ref"] = pair.Ref })]),
        };
        if ((Tag("task") ?? content.Model.Task) is { } task)
        {
            parameters["task"] = task;
        }

        if (Tag("approach") is { } approach)
        {
            if (Approaches.Contains(approach, StringComparer.Ordinal))
            {
                parameters["approach"] = new JsonObject { ["type"] = approach };
            }
            else
            {
                findings.Add($"The tag approach has a value that CycloneDX does not know: {approach}.");
            }
        }

        return new JsonObject
        {
            ["bom-ref"] = $"{_prefix}/model-card",
            ["modelParameters"] = parameters,
            ["quantitativeAnalysis"] = new JsonObject
            {
                ["performanceMetrics"] = new JsonArray([
                    .. subject
                        .Metrics.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                        .Select(pair => new JsonObject
                        {
                            ["type"] = pair.Key,
                            ["value"] = pair.Value.ToString("R", CultureInfo.InvariantCulture),
                        }),
                ]),
            },
            ["properties"] = Properties(
                subject
                    .Params.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                    .Select(pair => ($"mlflow:param:{pair.Key}", pair.Value))
            ),
        };
    }

    private JsonObject FileComponent(ManifestFile file) =>
        new()
        {
            ["type"] = "file",
            ["bom-ref"] = FileRef(file),
            ["name"] = file.Path,
            ["hashes"] = Hashes(file.Digest),
            ["properties"] = Properties([("governance:file:size", file.Size.ToString(CultureInfo.InvariantCulture))]),
        };

    private JsonArray Components()
    {
        var components = new JsonArray([.. content.Libraries.Select(LibraryComponent)]);
        if (HasPython)
        {
            components.Add(PythonComponent());
        }

        foreach (var (reference, dataset) in _datasets)
        {
            components.Add(DatasetComponent(reference, dataset));
        }

        return components;
    }

    private JsonObject LibraryComponent(Library library)
    {
        var component = new JsonObject
        {
            ["type"] = "library",
            ["bom-ref"] = LibraryRef(library),
            ["name"] = library.Name,
            ["purl"] = library.Purl,
            ["scope"] = library.Excluded ? "excluded" : "required",
            ["evidence"] = new JsonObject { ["occurrences"] = new JsonArray([.. library.Mentions.Select(Occurrence)]) },
        };
        if (library.Version is not null)
        {
            component["version"] = library.Version;
        }

        var properties = Properties(
            library
                .Mentions.SelectMany(mention => mention.Extras)
                .Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal)
                .Select(extra => ("governance:python:extra", extra))
                .Concat(
                    library
                        .Mentions.SelectMany(mention => mention.Hashes)
                        .Distinct(StringComparer.Ordinal)
                        .Order(StringComparer.Ordinal)
                        .Select(hash => ("governance:python:distribution-hash", hash))
                )
        );
        if (properties.Count > 0)
        {
            component["properties"] = properties;
        }

        return component;
    }

    private static JsonObject Occurrence(Mention mention)
    {
        var occurrence = new JsonObject { ["location"] = mention.Source };
        if (mention.Line is { } line)
        {
            occurrence["line"] = line;
        }

        var said =
            mention.Url is not null ? $"{mention.Name} @ {mention.Url}"
            : mention.Specifier.Length > 0 && char.IsAsciiLetterOrDigit(mention.Specifier[0])
                ? $"{mention.Name} {mention.Specifier}"
            : mention.Name + mention.Specifier;
        occurrence["additionalContext"] =
            (mention.Origin == Origin.Constraint ? "constraint " : "")
            + said
            + (mention.Marker is null ? "" : $"; {mention.Marker.Text}");
        return occurrence;
    }

    private JsonObject PythonComponent()
    {
        var component = new JsonObject
        {
            ["type"] = "platform",
            ["bom-ref"] = PythonRef,
            ["name"] = "python",
            ["purl"] = PackageUrl.Generic("python", content.Python),
            ["evidence"] = new JsonObject
            {
                ["occurrences"] = new JsonArray([
                    .. content.PythonMentions.Select(mention => new JsonObject
                    {
                        ["location"] = mention.Source,
                        ["additionalContext"] = $"python {mention.Specifier}",
                    }),
                ]),
            },
        };
        if (content.Python is not null)
        {
            component["version"] = content.Python;
        }

        return component;
    }

    private static JsonObject DatasetComponent(string reference, BomDataset dataset)
    {
        var data = new JsonObject
        {
            ["type"] = "dataset",
            ["name"] = dataset.Name,
            ["classification"] = dataset.Classification,
        };
        if (dataset.Sensitive.Count > 0)
        {
            data["sensitiveData"] = new JsonArray([
                .. dataset
                    .Sensitive.Distinct(StringComparer.Ordinal)
                    .Order(StringComparer.Ordinal)
                    .Select(kind => JsonValue.Create(kind)),
            ]);
        }

        var component = new JsonObject
        {
            ["type"] = "data",
            ["bom-ref"] = reference,
            ["name"] = dataset.Name,
            ["data"] = new JsonArray(data),
            ["properties"] = Properties(
                new[] { ("mlflow:dataset:digest", dataset.MlflowDigest), ("mlflow:dataset:context", dataset.Context) }
                    .Where(pair => !string.IsNullOrEmpty(pair.Item2))
                    .Select(pair => (pair.Item1, pair.Item2!))
            ),
        };
        if (dataset.Sha256 is { } digest)
        {
            component["hashes"] = Hashes(digest);
        }

        return component;
    }

    // One entry for every component; requirement files name direct dependencies only, so all others have no edges.
    private JsonArray Dependencies()
    {
        IEnumerable<string> direct = content.Libraries.Select(LibraryRef);
        direct = HasPython ? direct.Append(PythonRef) : direct;
        return
        [
            new JsonObject { ["ref"] = ModelRef, ["dependsOn"] = Refs(direct) },
            .. direct
                .Concat(content.Manifest.Files.Select(FileRef))
                .Concat(_datasets.Select(pair => pair.Ref))
                .Select(reference => new JsonObject { ["ref"] = reference, ["dependsOn"] = new JsonArray() }),
        ];
    }

    private JsonArray Compositions()
    {
        var compositions = new JsonArray(
            // The manifest is frozen and whole, so the list of files is complete.
            new JsonObject { ["aggregate"] = "complete", ["assemblies"] = Refs([ModelRef]) },
            new JsonObject { ["aggregate"] = "incomplete", ["dependencies"] = Refs([ModelRef]) }
        );
        if (content.Libraries.Count > 0)
        {
            compositions.Add(
                new JsonObject
                {
                    ["aggregate"] = "unknown",
                    ["dependencies"] = Refs(content.Libraries.Select(LibraryRef)),
                }
            );
        }

        return compositions;
    }

    private string? Tag(string name) =>
        subject.Tags.TryGetValue(name, out var value) && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;

    private string FileRef(ManifestFile file) => $"{_prefix}/file/{file.Path}";

    private string LibraryRef(Library library) => $"{_prefix}/library/{library.Key}";

    private static string DatasetRef(BomSubject subject, BomDataset dataset)
    {
        var identity = CanonicalJson.Serialize(
            WellFormed(
                new JsonArray(
                    dataset.Name,
                    dataset.Sha256?.Hex,
                    dataset.MlflowDigest,
                    dataset.Context,
                    dataset.Classification,
                    new JsonArray([
                        .. dataset.Sensitive.Order(StringComparer.Ordinal).Select(kind => JsonValue.Create(kind)),
                    ])
                )
            )
        );
        return $"{subject.Subject.Hex[..16]}/dataset/{Digest.Of(identity).Hex[..16]}";
    }

    // RFC 9562 §5.8: version 8, bits of our own choice.
    private string SerialNumber()
    {
        var bytes = SHA256.HashData(Encoding.UTF8.GetBytes($"governance/cyclonedx/{subject.Subject.Hex}"));
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x80);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return $"urn:uuid:{new Guid(bytes.AsSpan(0, 16), bigEndian: true):D}";
    }

    private static JsonArray Hashes(Digest digest) =>
        new(new JsonObject { ["alg"] = "SHA-256", ["content"] = digest.Hex });

    private static JsonArray Refs(IEnumerable<string> refs) =>
        new([.. refs.Select(reference => JsonValue.Create(reference))]);

    private static JsonArray Formats(IEnumerable<string> formats) =>
        new([.. formats.Select(format => new JsonObject { ["format"] = format })]);

    private static JsonArray Properties(IEnumerable<(string Name, string Value)> properties) =>
        new([
            .. properties.Select(property => new JsonObject { ["name"] = property.Name, ["value"] = property.Value }),
        ]);

    // A recorded name may hold a lone surrogate, which no UTF-8 text can hold.
    private static JsonNode? WellFormed(JsonNode? node) =>
        node switch
        {
            JsonObject members => new JsonObject(
                members.Select(member => KeyValuePair.Create(member.Key, WellFormed(member.Value)))
            ),
            JsonArray items => new JsonArray([.. items.Select(WellFormed)]),
            JsonValue value when value.TryGetValue<string>(out var text) => JsonValue.Create(
                Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text))
            ),
            null => null,
            _ => node.DeepClone(),
        };
}
