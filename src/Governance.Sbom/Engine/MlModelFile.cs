using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Sbom.Engine;

/// <summary>What an <c>MLmodel</c> file says about the model and its environment.</summary>
internal sealed record MlModel
{
    public static readonly MlModel None = new();

    public string? CondaPath { get; init; }

    public string? VirtualenvPath { get; init; }

    public PythonMention? Python { get; init; }

    /// <summary>Task that a flavor records, or null.</summary>
    public string? Task { get; init; }

    public IReadOnlyList<Mention> Versions { get; init; } = [];

    public IReadOnlyList<string> Inputs { get; init; } = [];

    public IReadOnlyList<string> Outputs { get; init; } = [];

    public IReadOnlyList<(string Name, string Value)> Properties { get; init; } = [];
}

/// <summary>MLflow's model description.</summary>
internal static class MlModelFile
{
    private const int MaxColumns = 5_000;

    // Key in a flavor → the library whose version it is. A key that is not here is kept as a property, not guessed.
    private static readonly Dictionary<string, string> VersionKeys = new(StringComparer.Ordinal)
    {
        ["sklearn_version"] = "scikit-learn",
        ["pytorch_version"] = "torch",
        ["keras_version"] = "keras",
        ["tensorflow_version"] = "tensorflow",
        ["transformers_version"] = "transformers",
        ["sentence_transformers_version"] = "sentence-transformers",
        ["xgb_version"] = "xgboost",
        ["lgb_version"] = "lightgbm",
        ["catboost_version"] = "catboost",
        ["statsmodels_version"] = "statsmodels",
        ["prophet_version"] = "prophet",
        ["pmdarima_version"] = "pmdarima",
        ["spacy_version"] = "spacy",
        ["onnx_version"] = "onnx",
        ["pyspark_version"] = "pyspark",
        ["h2o_version"] = "h2o",
        ["cloudpickle_version"] = "cloudpickle",
        ["langchain_version"] = "langchain",
        ["openai_version"] = "openai",
    };

    private static readonly string[] Facts = ["mlflow_version", "model_id", "model_uuid", "utc_time_created"];

    public static Result<MlModel> Parse(string text, string source, Findings findings)
    {
        var root = SafeYaml.ParseMapping(text, source);
        if (!root.Ok)
        {
            return root.Failure;
        }

        var flavors = root.Value["flavors"] as JsonObject ?? [];
        var properties = new List<(string, string)>();
        foreach (var fact in Facts)
        {
            if (YamlText.Of(root.Value[fact]) is { } value)
            {
                properties.Add(($"mlflow:{fact}", value));
            }
        }

        var versions = new List<Mention>();
        foreach (var (flavor, content) in flavors.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            properties.Add(("mlflow:flavor", flavor));
            ReadFlavor(flavor, content as JsonObject ?? [], source, versions, properties, findings);
        }

        var function = flavors["python_function"] as JsonObject ?? [];
        var environment = function["env"];
        var python = YamlText.Of(function["python_version"]);
        var signature = root.Value["signature"] as JsonObject ?? [];
        foreach (var parameter in Schema(signature, "params", source, findings))
        {
            properties.Add(("mlflow:signature:param", parameter));
        }

        return new MlModel
        {
            CondaPath = YamlText.Of(environment) ?? YamlText.Of((environment as JsonObject)?["conda"]),
            VirtualenvPath = YamlText.Of((environment as JsonObject)?["virtualenv"]),
            Python = python is null
                ? null
                : new PythonMention(source, PythonText.IsVersion(python) ? python : null, python),
            Task = YamlText.Of((flavors["transformers"] as JsonObject)?["task"]),
            Versions = versions,
            Inputs = Schema(signature, "inputs", source, findings),
            Outputs = Schema(signature, "outputs", source, findings),
            Properties = properties,
        };
    }

    private static void ReadFlavor(
        string flavor,
        JsonObject content,
        string source,
        List<Mention> versions,
        List<(string, string)> properties,
        Findings findings
    )
    {
        foreach (var (key, node) in content.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            if (YamlText.Of(node) is not { } value)
            {
                continue;
            }

            if (VersionKeys.TryGetValue(key, out var library) && PythonText.IsVersion(value))
            {
                versions.Add(
                    new Mention
                    {
                        Name = library,
                        Origin = Origin.Flavor,
                        Source = $"{source} {flavor}.{key}",
                        Version = value,
                        Specifier = $"=={value}",
                    }
                );
            }
            else if (
                key is "serialization_format" or "loader_module" or "code"
                || (key.EndsWith("_version", StringComparison.Ordinal) && key != "python_version")
            )
            {
                properties.Add(($"mlflow:{flavor}:{key}", value));
            }

            if (key == "loader_module" && !value.StartsWith("mlflow.", StringComparison.Ordinal))
            {
                findings.Add($"{source} loads the model with the custom module {value}.");
            }
        }
    }

    private static IReadOnlyList<string> Schema(JsonObject signature, string part, string source, Findings findings)
    {
        if (YamlText.Of(signature[part]) is not { } json)
        {
            return [];
        }

        try
        {
            if (CanonicalJson.TryParse(Encoding.UTF8.GetBytes(json)) is JsonArray columns)
            {
                if (columns.Count > MaxColumns)
                {
                    findings.Add($"{source} has {columns.Count} {part} in its signature; {MaxColumns} are listed.");
                }

                return [.. columns.Take(MaxColumns).Select(Column)];
            }
        }
        catch (InvalidOperationException)
        {
            // An escaped lone surrogate is found only when the text is read.
        }

        findings.Add($"{source} has a signature whose {part} cannot be read.");
        return [];
    }

    private static string Column(JsonNode? column)
    {
        var name = YamlText.Of((column as JsonObject)?["name"]);
        var optional =
            column is JsonObject members
            && members["required"] is JsonValue required
            && required.GetValueKind() == JsonValueKind.False;
        return (name is null ? "" : $"{name}: ") + Type(column) + (optional ? " (optional)" : "");
    }

    // MLflow column types: plain words, tensors with dtype and shape, and nested arrays, maps and objects.
    private static string Type(JsonNode? node)
    {
        if (node is not JsonObject type)
        {
            return YamlText.Of(node) ?? "unknown";
        }

        if (type["tensor-spec"] is JsonObject tensor)
        {
            return $"tensor({YamlText.Of(tensor["dtype"]) ?? "unknown"}){tensor["shape"]?.ToJsonString() ?? "[]"}";
        }

        return YamlText.Of(type["type"]) switch
        {
            "array" => $"array<{Type(type["items"])}>",
            "map" => $"map<{Type(type["values"])}>",
            "object" when type["properties"] is JsonObject properties =>
                $"object{{{string.Join(", ", properties.Select(pair => $"{pair.Key}: {Type(pair.Value)}"))}}}",
            { } word => word,
            null => "unknown",
        };
    }
}
