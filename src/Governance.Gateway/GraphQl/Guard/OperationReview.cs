using System.Collections.Frozen;
using System.Runtime.CompilerServices;
using Governance.Kernel;
using GraphQL;
using GraphQL.Types;
using GraphQLParser;
using GraphQLParser.AST;

namespace Governance.Gateway.GraphQl.Guard;

/// <summary>
/// What one operation of a document needs and costs. Both walks go through aliases, fragments and directives alike (a skipped
/// field counts: a variable may turn it on) and measure each fragment once, so they are linear in the document.
/// </summary>
internal sealed class OperationReview
{
    private static readonly ConditionalWeakTable<GraphQLOperationDefinition, OperationReview> Reviews = [];
    private readonly GraphQLOperationDefinition _operation;
    private readonly Dictionary<ROM, GraphQLFragmentDefinition> _fragments;
    private readonly ISchema _schema;

    private OperationReview(GraphQLDocument document, GraphQLOperationDefinition operation, ISchema schema)
    {
        _operation = operation;
        _schema = schema;
        _fragments = document
            .Definitions.OfType<GraphQLFragmentDefinition>()
            .ToDictionary(fragment => fragment.FragmentName.Name.Value);
        var needs = new HashSet<string>();
        Collect(operation.SelectionSet, Root, needs, []);
        Needs = needs.ToFrozenSet();
    }

    /// <summary>Every permission that the operation needs.</summary>
    public FrozenSet<string> Needs { get; }

    private IGraphType? Root =>
        _operation.Operation switch
        {
            OperationType.Query => _schema.Query,
            OperationType.Mutation => _schema.Mutation,
            _ => null,
        };

    /// <summary>The review of an operation; made once for as long as its document lives.</summary>
    public static OperationReview Of(GraphQLDocument document, GraphQLOperationDefinition operation, ISchema schema) =>
        Reviews.GetValue(operation, key => new OperationReview(document, key, schema));

    /// <summary>Cost under these variables.</summary>
    public double Cost(Inputs? variables) => Cost(_operation.SelectionSet, Root, variables, [], introspection: false);

    private void Collect(GraphQLSelectionSet? set, IGraphType? type, HashSet<string> needs, HashSet<ROM> seen)
    {
        foreach (var selection in set?.Selections ?? [])
        {
            switch (selection)
            {
                case GraphQLField field when FieldOf(type, field) is { } definition:
                    needs.Add(
                        definition.GetMetadata<string?>(NeedsAttribute.Key)
                            // Introspection is for signed-in actors.
                            ?? Permissions.Self.Name
                    );
                    Collect(field.SelectionSet, definition.ResolvedType?.GetNamedType(), needs, seen);
                    break;
                case GraphQLInlineFragment inline:
                    Collect(inline.SelectionSet, TypeOf(inline.TypeCondition) ?? type, needs, seen);
                    break;
                case GraphQLFragmentSpread spread
                    when _fragments.TryGetValue(spread.FragmentName.Name.Value, out var fragment)
                        && seen.Add(spread.FragmentName.Name.Value):
                    Collect(fragment.SelectionSet, TypeOf(fragment.TypeCondition), needs, seen);
                    break;
                default:
                    break;
            }
        }
    }

    private double Cost(
        GraphQLSelectionSet? set,
        IGraphType? type,
        Inputs? variables,
        Dictionary<ROM, double> memo,
        bool introspection
    )
    {
        var sum = 0.0;
        foreach (var selection in set?.Selections ?? [])
        {
            sum += selection switch
            {
                GraphQLField field => Cost(field, type, variables, memo, introspection),
                GraphQLInlineFragment inline => Cost(
                    inline.SelectionSet,
                    TypeOf(inline.TypeCondition) ?? type,
                    variables,
                    memo,
                    introspection
                ),
                GraphQLFragmentSpread spread => Cost(spread.FragmentName.Name.Value, variables, memo, introspection),
                _ => 0,
            };
        }

        return sum;
    }

    private double Cost(ROM name, Inputs? variables, Dictionary<ROM, double> memo, bool introspection)
    {
        if (!memo.TryGetValue(name, out var cost) && _fragments.TryGetValue(name, out var fragment))
        {
            memo[name] = 0;
            cost = Cost(fragment.SelectionSet, TypeOf(fragment.TypeCondition), variables, memo, introspection);
            memo[name] = cost;
        }

        return cost;
    }

    private double Cost(
        GraphQLField field,
        IGraphType? type,
        Inputs? variables,
        Dictionary<ROM, double> memo,
        bool introspection
    )
    {
        if (FieldOf(type, field) is not { } definition)
        {
            return 1;
        }

        introspection |= field.Name.Value.Span.StartsWith("__", StringComparison.Ordinal);
        var declared = definition.GetMetadata<CostAttribute?>(CostAttribute.Key) ?? new CostAttribute();
        var length =
            definition.Arguments?.Find(declared.LengthArgument) is { } bound
                ? (double)Math.Max(1, Number(field, bound, variables)) / declared.ItemsPerUnit
            : !IsList(definition.ResolvedType) ? 1
            : introspection ? 5
            : declared.Length;
        return declared.Own
            + (
                length
                * Cost(field.SelectionSet, definition.ResolvedType?.GetNamedType(), variables, memo, introspection)
            );
    }

    /// <summary>The number an argument will have. What cannot be read as a number counts as the largest that is allowed.</summary>
    private long Number(GraphQLField field, QueryArgument argument, Inputs? variables)
    {
        var given = field.Arguments?.Find(argument.Name)?.Value;
        if (given is GraphQLVariable variable)
        {
            var name = variable.Name.StringValue;
            if (variables is not null && variables.TryGetValue(name, out var value))
            {
                return value switch
                {
                    int number => number,
                    long number => number,
                    null => DocumentLimits.DefaultFirst,
                    _ => DocumentLimits.ListItems,
                };
            }

            given = _operation
                .Variables?.FirstOrDefault(v => v.Variable.Name.Value == variable.Name.Value)
                ?.DefaultValue;
        }

        return given switch
        {
            GraphQLIntValue literal => long.TryParse(literal.Value.Span, out var number) ? number : long.MaxValue,
            null => argument.DefaultValue is int number ? number : DocumentLimits.DefaultFirst,
            _ => DocumentLimits.ListItems,
        };
    }

    private FieldType? FieldOf(IGraphType? type, GraphQLField field) =>
        field.Name.StringValue switch
        {
            "__schema" when type == _schema.Query => _schema.SchemaMetaFieldType,
            "__type" when type == _schema.Query => _schema.TypeMetaFieldType,
            "__typename" => _schema.TypeNameMetaFieldType,
            var name => (type as IComplexGraphType)?.Fields.Find(name),
        };

    private IGraphType? TypeOf(GraphQLTypeCondition? condition) =>
        condition is null ? null : _schema.AllTypes[condition.Type.Name.StringValue];

    private static bool IsList(IGraphType? type) =>
        type switch
        {
            NonNullGraphType wrapped => IsList(wrapped.ResolvedType),
            ListGraphType => true,
            _ => false,
        };
}
