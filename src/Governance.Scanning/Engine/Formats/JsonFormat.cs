using System.Text.Json;
using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Formats;

/// <summary>JSON: Keras configurations, tokenizer templates and references to code.</summary>
internal sealed class JsonFormat : IFormat
{
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 256 };

    public bool Scan(ScanItem item, ScanRun run)
    {
        if (!item.HasExtension(".json"))
        {
            return false;
        }

        // Tokenizer vocabularies and tree dumps are large; only what configures behaviour is read as a document.
        if (
            item.Content.Length > run.Budget.Options.MaxDocumentBytes
            && !item.Name.Contains("config", StringComparison.Ordinal)
        )
        {
            return true;
        }

        try
        {
            using var document = JsonDocument.Parse(TextDocument.Read(item, run), Options);
            JsonRules.Judge(item.Path, document.RootElement, run);
        }
        catch (JsonException)
        {
            throw new MalformedException("not JSON");
        }

        return true;
    }
}

/// <summary>What a configuration may name.</summary>
internal static class JsonRules
{
    public static void Judge(string path, JsonElement root, ScanRun run)
    {
        var open = new Stack<JsonElement>([root]);
        for (var count = 0; open.TryPop(out var element); count++)
        {
            if ((count & 0xFFF) == 0)
            {
                run.Budget.CheckTime();
            }

            if (element.ValueKind == JsonValueKind.Array)
            {
                foreach (var child in element.EnumerateArray())
                {
                    open.Push(child);
                }
            }
            else if (element.ValueKind == JsonValueKind.Object)
            {
                JudgeObject(path, element, run.Findings);
                foreach (var member in element.EnumerateObject())
                {
                    open.Push(member.Value);
                }
            }
        }
    }

    private static void JudgeObject(string path, JsonElement element, Findings findings)
    {
        foreach (var member in element.EnumerateObject())
        {
            var text = member.Value.ValueKind == JsonValueKind.String ? member.Value.GetString()! : null;
            switch (member.Name)
            {
                case "class_name" when text is "Lambda" or "__lambda__" or "TorchModuleWrapper":
                    findings.Add(path, ScanClass.Malicious, "keras.lambda", $"layer {text} carries code");
                    break;
                case "module" when text is not null && element.TryGetProperty("class_name", out var name):
                    KerasModule(path, text, name.ToString(), findings);
                    break;
                case "_target_" when text is not null:
                    Import(path, "json.target", text, findings);
                    break;
                case "auto_map" when member.Value.ValueKind == JsonValueKind.Object:
                    findings.Add(
                        path,
                        ScanClass.ContainsCode,
                        "json.auto-map",
                        "auto_map names code of the repository"
                    );
                    break;
                case "chat_template" when text is not null:
                    TemplateRules.Judge(path, text, findings);
                    break;
                case "template" when text is not null && text.Contains('{', StringComparison.Ordinal):
                    TemplateRules.Judge(path, text, findings);
                    break;
                default:
                    break;
            }
        }
    }

    // Keras imports the module that a configuration names.
    private static void KerasModule(string path, string module, string name, Findings findings)
    {
        var package = module.Split('.')[0];
        if (
            package is "keras" or "tf_keras" or "keras_hub" or "keras_nlp" or "keras_cv" or "builtins"
            && name is not ("get_file" or "eval" or "exec")
        )
        {
            if (
                module.StartsWith("keras.utils", StringComparison.Ordinal)
                || module.StartsWith("keras.models", StringComparison.Ordinal)
            )
            {
                findings.Add(path, ScanClass.Suspicious, "keras.module", $"{module}.{name}");
            }

            return;
        }

        Import(path, "keras.module", $"{module}.{name}", findings);
    }

    private static void Import(string path, string rule, string name, Findings findings)
    {
        var dot = name.LastIndexOf('.');
        var severity =
            dot > 0 && name.Length < 512 ? ImportRules.Classify(name[..dot], name[(dot + 1)..]) : ScanClass.Suspicious;
        findings.Add(path, severity, rule, name);
    }
}
