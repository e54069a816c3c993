using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Governance.Policy.Engine;

/// <summary>Refuses anchors, aliases and tags, and nesting beyond 16 levels: a policy needs none, and bombs are made of them.</summary>
internal sealed class AnchorRefusingParser(IParser inner) : IParser
{
    private const int MaxDepth = 16;
    private int _depth;

    public ParsingEvent? Current => inner.Current;

    public bool MoveNext()
    {
        if (!inner.MoveNext())
        {
            return false;
        }

        var current = inner.Current!;
        _depth += current.NestingIncrease;
        if (_depth > MaxDepth)
        {
            throw new PolicySyntaxException(
                current.Start.Line,
                current.Start.Column,
                $"more than {MaxDepth} levels deep."
            );
        }

        if (
            current is AnchorAlias
            || current is NodeEvent { Anchor.IsEmpty: false }
            || current is NodeEvent { Tag.IsEmpty: false }
        )
        {
            throw new PolicySyntaxException(
                current.Start.Line,
                current.Start.Column,
                "anchors, aliases and tags are not allowed."
            );
        }

        return true;
    }
}
