using Governance.Scanning.Contracts;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Governance.Scanning.Engine.Formats;

/// <summary>
/// YAML as a stream of events, never as objects: tags, aliases and keys are judged while they pass.
/// </summary>
internal sealed class YamlFormat : IFormat
{
    private const int MaxEvents = 500_000;
    private const int MaxDepth = 64;
    private const long MaxExpandedNodes = 1_000_000;

    public bool Scan(ScanItem item, ScanRun run)
    {
        if (item.Name != "mlmodel" && item.Name != "mlproject" && !item.HasExtension(".yaml", ".yml"))
        {
            return false;
        }

        using var text = new StringReader(TextDocument.Read(item, run));
        try
        {
            new Reader(item, run).Read(new Parser(new Scanner(text, skipComments: true)));
        }
        catch (YamlException error)
        {
            throw new MalformedException("YAML: " + error.Message);
        }

        return true;
    }

    // A frame per open collection: its key path, the keys seen and the size it would have with aliases expanded.
    private sealed class Level(bool isMapping, string path, string? anchor)
    {
        public readonly HashSet<string> Keys = [];
        public long Size = 1;
        public string? Key;

        public bool IsMapping => isMapping;
        public string Path => path;
        public string? Anchor => anchor;
        public string ChildPath => isMapping ? $"{path}/{Key}" : path;
    }

    private sealed class Reader(ScanItem item, ScanRun run)
    {
        private readonly Stack<Level> _levels = [];
        private readonly Dictionary<string, long> _anchors = [];

        public void Read(Parser parser)
        {
            for (var count = 0; parser.MoveNext(); count++)
            {
                if (count > MaxEvents)
                {
                    throw new BudgetExceededException("YAML events");
                }

                if ((count & 0xFF) == 0)
                {
                    run.Budget.CheckTime();
                }

                Handle(parser.Current!);
            }
        }

        private void Handle(ParsingEvent current)
        {
            switch (current)
            {
                case MappingStart start:
                    Open(start, isMapping: true);
                    break;
                case SequenceStart start:
                    Open(start, isMapping: false);
                    break;
                case MappingEnd or SequenceEnd:
                    Close();
                    break;
                case AnchorAlias alias:
                    if (!_anchors.TryGetValue(alias.Value.Value, out var size))
                    {
                        throw new MalformedException("YAML alias inside its own anchor");
                    }

                    // MLflow writes none; an alias can stand in for a loader or a key without spelling it.
                    if (item.Name == "mlmodel")
                    {
                        run.Findings.Add(item.Path, ScanClass.Suspicious, "mlmodel.alias", $"*{alias.Value.Value}");
                    }

                    Count(size);
                    NodeDone(isKey: IsKeyNext(), "*");
                    break;
                case Scalar scalar:
                    Scalar(scalar);
                    break;
                default:
                    break;
            }
        }

        private void Open(NodeEvent start, bool isMapping)
        {
            Tag(start);
            if (_levels.Count >= MaxDepth)
            {
                throw new MalformedException("YAML nested too deeply");
            }

            var path = "";
            if (_levels.TryPeek(out var parent))
            {
                path = IsKeyNext() ? parent.Path + "/?" : parent.ChildPath;
                if (parent.IsMapping && parent.Key is "code" or "code_paths" or "model_code_path")
                {
                    CodeKey(path);
                }
            }

            _levels.Push(new Level(isMapping, path, start.Anchor.IsEmpty ? null : start.Anchor.Value));
        }

        private void Close()
        {
            var level = _levels.Pop();
            if (level.Anchor is not null)
            {
                _anchors[level.Anchor] = level.Size;
            }

            if (_levels.Count > 0)
            {
                Count(level.Size);
                NodeDone(IsKeyNext(), "?");
            }
        }

        private void Scalar(Scalar scalar)
        {
            Tag(scalar);
            if (!scalar.Anchor.IsEmpty)
            {
                _anchors[scalar.Anchor.Value] = 1;
            }

            Count(1);
            var isKey = IsKeyNext();
            if (!isKey && _levels.TryPeek(out var level))
            {
                Value(level, scalar.Value, scalar.Style == ScalarStyle.Plain);
            }

            NodeDone(isKey, scalar.Value);
        }

        private bool IsKeyNext() => _levels.TryPeek(out var level) && level.IsMapping && level.Key is null;

        private void NodeDone(bool isKey, string key)
        {
            if (!_levels.TryPeek(out var level) || !level.IsMapping)
            {
                return;
            }

            if (!isKey)
            {
                level.Key = null;
                return;
            }

            level.Key = key;
            if (!level.Keys.Add(key) && key is not ("*" or "?"))
            {
                throw new MalformedException($"YAML key {key} twice");
            }
        }

        private void Count(long nodes)
        {
            if (_levels.TryPeek(out var level) && (level.Size += nodes) > MaxExpandedNodes)
            {
                throw new MalformedException("YAML aliases expand beyond the budget");
            }
        }

        private void Tag(NodeEvent node)
        {
            if (node.Tag.IsEmpty || node.Tag.IsNonSpecific)
            {
                return;
            }

            var tag = node.Tag.Value;
            if (tag.Contains("python", StringComparison.OrdinalIgnoreCase))
            {
                run.Findings.Add(item.Path, ScanClass.Malicious, "yaml.python-tag", tag, node.Start.Index);
            }
            else if (!tag.StartsWith("tag:yaml.org,2002:", StringComparison.Ordinal))
            {
                run.Findings.Add(item.Path, ScanClass.Suspicious, "yaml.unknown-tag", tag, node.Start.Index);
            }
        }

        private void Value(Level level, string value, bool isPlain)
        {
            var isNull = isPlain && value is "" or "~" or "null" or "Null" or "NULL";
            switch (level.IsMapping ? level.Key : null)
            {
                case "loader_module"
                    when item.Name == "mlmodel" && !value.StartsWith("mlflow.", StringComparison.Ordinal):
                    run.Findings.Add(
                        item.Path,
                        ScanClass.ContainsCode,
                        "mlmodel.loader-module",
                        $"loader_module: {value}"
                    );
                    break;
                case "code" or "code_paths" or "model_code_path" when !isNull:
                    CodeKey(level.ChildPath);
                    break;
                case "_target_":
                    Target(value);
                    break;
                case "command" when item.Name == "mlproject":
                    run.Findings.Add(item.Path, ScanClass.ContainsCode, "mlproject.command", $"command: {value}");
                    break;
                case "chat_template":
                    TemplateRules.Judge(item.Path, value, run.Findings);
                    break;
                default:
                    break;
            }

            if (
                IsEnvironment()
                && (level.Path.Contains("dependencies", StringComparison.Ordinal) || level.Key == "python")
            )
            {
                RequirementRules.Judge(item.Path, value, run.Findings);
            }
        }

        private bool IsEnvironment() =>
            item.Name.StartsWith("conda", StringComparison.Ordinal)
            || item.Name.StartsWith("python_env", StringComparison.Ordinal)
            || item.Name.StartsWith("python-env", StringComparison.Ordinal)
            || item.Name.StartsWith("environment", StringComparison.Ordinal);

        private void CodeKey(string path)
        {
            if (item.Name == "mlmodel")
            {
                run.Findings.Add(item.Path, ScanClass.ContainsCode, "mlmodel.code", $"{path} is set");
            }
        }

        private void Target(string value)
        {
            var dot = value.LastIndexOf('.');
            var severity =
                dot > 0 && value.Length < 512
                    ? ImportRules.Classify(value[..dot], value[(dot + 1)..])
                    : ScanClass.Suspicious;
            run.Findings.Add(item.Path, severity, "yaml.target", $"_target_: {value}");
        }
    }
}
