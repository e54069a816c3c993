using System.Runtime.InteropServices;
using GraphQLParser;
using GraphQLParser.AST;
using GraphQLParser.Exceptions;
using GraphQLParser.Visitors;

namespace Governance.Gateway.GraphQl.Guard;

/// <summary>
/// Parses a document and refuses one that is too large in any way, before the library validates it: some of the library's
/// rules are quadratic in repeated fields or exponential in fragment spreads. Every measure here is linear in the document.
/// </summary>
internal static class DocumentGuard
{
    /// <summary>The parsed document. Throws <see cref="LimitExceeded"/> or <see cref="GraphQLSyntaxErrorException"/>.</summary>
    public static GraphQLDocument Parse(string text)
    {
        Within(text.Length, DocumentLimits.Characters, "characters");
        CountTokens(text);
        GraphQLDocument document;
        try
        {
            document = Parser.Parse(text, new ParserOptions { MaxDepth = DocumentLimits.SyntaxDepth });
        }
        catch (GraphQLMaxDepthExceededException)
        {
            throw Over("syntax depth", DocumentLimits.SyntaxDepth);
        }

#pragma warning disable VSTHRD002 // nothing in this visitor waits
        new Counter().VisitAsync(document, default).AsTask().GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
        var fragments = Fragments(document);
        var operations = document.Definitions.OfType<GraphQLOperationDefinition>().ToList();
        Within(operations.Count, DocumentLimits.Operations, "operations");
        Within(fragments.Count, DocumentLimits.Fragments, "fragments");
        var measure = new Measure(fragments);
        foreach (var fragment in fragments.Values)
        {
            Measure.Check(measure.Of(fragment));
        }

        foreach (var operation in operations)
        {
            var size = measure.Of(operation.SelectionSet);
            Measure.Check(size);
            Within(size.RootFields, DocumentLimits.RootFields, "root fields");
        }

        return document;
    }

    private static void CountTokens(string text)
    {
        var at = 0;
        for (var count = 0; ; count++)
        {
            Token token;
            try
            {
                token = Lexer.Lex(text, at);
            }
            catch (GraphQLSyntaxErrorException)
            {
                return; // the parser says it better
            }

            if (token.Kind == TokenKind.EOF)
            {
                return;
            }

            Within(count + 1, DocumentLimits.Tokens, "tokens");
            at = token.End;
        }
    }

    private static Dictionary<ROM, GraphQLFragmentDefinition> Fragments(GraphQLDocument document)
    {
        var fragments = new Dictionary<ROM, GraphQLFragmentDefinition>();
        foreach (var fragment in document.Definitions.OfType<GraphQLFragmentDefinition>())
        {
            if (!fragments.TryAdd(fragment.FragmentName.Name.Value, fragment))
            {
                throw new LimitExceeded("fragments", "Two fragments have the same name.");
            }
        }

        return fragments;
    }

    private static void Within(long count, int limit, string what)
    {
        if (count > limit)
        {
            throw Over(what, limit);
        }
    }

    private static LimitExceeded Over(string what, int limit) =>
        new(what, $"The document is over the limit of {limit} {what}.");

    private sealed class Counter : ASTVisitor<NoContext>
    {
        private int _aliases;
        private int _directives;

        protected override ValueTask VisitAliasAsync(GraphQLAlias alias, NoContext context)
        {
            Within(++_aliases, DocumentLimits.Aliases, "aliases");
            return default;
        }

        protected override ValueTask VisitDirectiveAsync(GraphQLDirective directive, NoContext context)
        {
            Within(++_directives, DocumentLimits.Directives, "directives");
            return base.VisitDirectiveAsync(directive, context);
        }
    }

    private readonly record struct NoContext : IASTVisitorContext
    {
        public CancellationToken CancellationToken => CancellationToken.None;
    }

    /// <summary>What a selection set comes to once its fragments are spread. Each fragment is measured once; sums saturate.</summary>
    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Size(long Selections, long RootFields, int Depth, int IntrospectionLists);

    private sealed class Measure(Dictionary<ROM, GraphQLFragmentDefinition> fragments)
    {
        private const long Plenty = 1_000_000;
        private readonly Dictionary<ROM, Size> _memo = [];
        private readonly HashSet<ROM> _open = [];

        public static void Check(Size size)
        {
            Within(size.Selections, DocumentLimits.Selections, "selections once fragments are spread");
            Within(size.Depth, DocumentLimits.Depth, "levels");
            Within(size.IntrospectionLists, DocumentLimits.IntrospectionLists, "nested introspection lists");
        }

        public Size Of(GraphQLFragmentDefinition fragment) => Spread(fragment.FragmentName.Name.Value);

        public Size Of(GraphQLSelectionSet? set)
        {
            var sum = default(Size);
            foreach (var selection in set?.Selections ?? [])
            {
                var part = selection switch
                {
                    GraphQLField field => Of(field),
                    GraphQLInlineFragment inline => Of(inline.SelectionSet),
                    GraphQLFragmentSpread spread => Spread(spread.FragmentName.Name.Value),
                    _ => default,
                };
                sum = new Size(
                    Math.Min(Plenty, sum.Selections + part.Selections),
                    Math.Min(Plenty, sum.RootFields + part.RootFields),
                    Math.Max(sum.Depth, part.Depth),
                    Math.Max(sum.IntrospectionLists, part.IntrospectionLists)
                );
            }

            return sum;
        }

        private Size Of(GraphQLField field)
        {
            var inner = Of(field.SelectionSet);
            // Introspection has its own measure: the standard query nests ofType deeper than our own fields ever go.
            var introspection = field.Name.Value.Span.StartsWith("__", StringComparison.Ordinal);
            var list = field.Name.StringValue is "fields" or "inputFields" or "interfaces" or "possibleTypes" ? 1 : 0;
            return new Size(
                Math.Min(Plenty, inner.Selections + 1),
                1,
                introspection ? 1
                    : field.Name.StringValue == "ofType" ? inner.Depth
                    : inner.Depth + 1,
                inner.IntrospectionLists + list
            );
        }

        private Size Spread(ROM name)
        {
            if (_memo.TryGetValue(name, out var known))
            {
                return known;
            }

            if (!fragments.TryGetValue(name, out var fragment))
            {
                return new Size(1, 0, 0, 0); // an unknown fragment is the validator's affair
            }

            if (!_open.Add(name))
            {
                throw new LimitExceeded("fragments", "Fragments spread each other in a circle.");
            }

            var size = Of(fragment.SelectionSet);
            _open.Remove(name);
            return _memo[name] = size with { Selections = size.Selections + 1 };
        }
    }
}
