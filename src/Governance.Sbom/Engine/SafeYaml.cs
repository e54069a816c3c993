using System.Text.Json.Nodes;
using Governance.Kernel;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Governance.Sbom.Engine;

/// <summary>
/// YAML as plain data: one document of mappings, lists and text. Tags and duplicate keys are refused, aliases are few, depth
/// and size are capped. Every scalar stays text, so that the version <c>3.10</c> is not read as the number 3.1.
/// </summary>
internal static class SafeYaml
{
    private const int MaxDepth = 24;
    private const int MaxNodes = 50_000;
    private const int MaxAliases = 32;

    public static Result<JsonObject> ParseMapping(string text, string source)
    {
        try
        {
            var parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
            parser.Consume<StreamStart>();
            parser.Consume<DocumentStart>();
            var root = new Reader(parser).Read(0);
            parser.Consume<DocumentEnd>();
            parser.Consume<StreamEnd>();
            return root as JsonObject ?? Refused(source, "it is not a mapping");
        }
        catch (RefusedException refused)
        {
            return Refused(source, refused.Message);
        }
        // The parser's own messages quote the input, so they are not passed on.
        catch (Exception error)
            when (error is YamlException or ArgumentException or InvalidOperationException or FormatException)
        {
            return Refused(source, "it is not well-formed YAML");
        }
    }

    private static Result<JsonObject> Refused(string source, string why) =>
        Failure.Invalid("sbom.bad_yaml", $"{source} cannot be read: {why}.");

    private sealed class RefusedException(string why) : Exception(why);

    private sealed class Reader(IParser parser)
    {
        private readonly Dictionary<AnchorName, JsonNode?> _anchors = [];
        private int _nodes;
        private int _aliases;

        public JsonNode? Read(int depth)
        {
            Count(1);
            if (depth > MaxDepth)
            {
                throw new RefusedException("it is nested too deeply");
            }

            if (parser.TryConsume<AnchorAlias>(out var alias))
            {
                return Expand(alias);
            }

            if (parser.Current is not NodeEvent start)
            {
                throw new RefusedException("it is not well-formed YAML");
            }

            if (!start.Tag.IsEmpty)
            {
                throw new RefusedException("it has a tag");
            }

            var node = ReadNode(depth);
            if (!start.Anchor.IsEmpty)
            {
                _anchors[start.Anchor] = node;
            }

            return node;
        }

        private JsonNode? ReadNode(int depth)
        {
            if (parser.TryConsume<Scalar>(out var scalar))
            {
                return scalar.Style == ScalarStyle.Plain && scalar.Value is "" or "~" or "null" or "Null" or "NULL"
                    ? null
                    : JsonValue.Create(scalar.Value);
            }

            if (parser.TryConsume<SequenceStart>(out _))
            {
                var items = new JsonArray();
                while (!parser.TryConsume<SequenceEnd>(out _))
                {
                    items.Add(Read(depth + 1));
                }

                return items;
            }

            parser.Consume<MappingStart>();
            var members = new JsonObject();
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                Count(1);
                if (
                    !parser.TryConsume<Scalar>(out var key)
                    || !key.Tag.IsEmpty
                    || !key.Anchor.IsEmpty
                    || !members.TryAdd(key.Value, Read(depth + 1))
                )
                {
                    throw new RefusedException("a key appears twice or is not plain text");
                }
            }

            return members;
        }

        // An anchor is known only after its node ended, so a node cannot hold itself.
        private JsonNode? Expand(AnchorAlias alias)
        {
            if (++_aliases > MaxAliases || !_anchors.TryGetValue(alias.Value, out var node))
            {
                throw new RefusedException("it has too many aliases or one without anchor");
            }

            Count(Size(node));
            return node?.DeepClone();
        }

        private void Count(int nodes)
        {
            _nodes += nodes;
            if (_nodes > MaxNodes)
            {
                throw new RefusedException("it has too many nodes");
            }
        }

        private static int Size(JsonNode? node) =>
            node switch
            {
                JsonObject members => 1 + members.Sum(member => 1 + Size(member.Value)),
                JsonArray items => 1 + items.Sum(Size),
                _ => 1,
            };
    }
}
