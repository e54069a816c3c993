using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Pickle;

/// <summary>
/// The exact shapes in which picklers write the types of annotations: <c>reduce(or_, (str, NoneType))</c> for
/// <c>str | None</c>, <c>getitem(typing.Union, (str, NoneType))</c> for <c>Optional[str]</c>, <c>GenericAlias(list, (str,))</c>
/// for <c>list[str]</c>, <c>type(None)</c>. Only names that the rules allow, and what these shapes make of them, count as types:
/// an object whose class the file defines may do anything when it is combined.
/// </summary>
internal static class TypeRules
{
    /// <summary>Whether it is a name that is harmless in one of these shapes and nowhere else.</summary>
    public static bool IsMaker(ImportValue import) => IsReduce(import) || IsGetItem(import);

    /// <summary>Whether a REDUCE of the callable with the arguments makes a type of types.</summary>
    public static bool MakesType(PickleValue callable, PickleValue arguments) =>
        arguments is TupleValue { Items: var items, Count: 1 or 2 }
        && callable switch
        {
            ImportValue { FullName: "builtins.type" } => items is [var only] && only == PickleValue.None,
            ImportValue maker when IsReduce(maker) => items
                is [ImportValue { FullName: "_operator.or_" or "operator.or_" }, TupleValue { Count: > 0 } types]
                && AreTypes(types),
            ImportValue maker when IsGetItem(maker) => items is [ImportValue generic, var of]
                && IsOfTyping(generic)
                && (generic.FullName == "typing.Literal" ? IsLiteral(of) : IsTypeOrTypes(of)),
            ImportValue { FullName: "types.GenericAlias" } => IsAlias(items),
            InstanceValue { Callable: ImportValue { FullName: "cloudpickle.cloudpickle._builtin_type" } } alias =>
                alias.Arguments is TupleValue { Items: [TextValue { Text: "GenericAlias" }], Count: 1 }
                    && IsAlias(items),
            _ => false,
        };

    private static bool IsReduce(ImportValue import) => import.FullName is "_functools.reduce" or "functools.reduce";

    private static bool IsGetItem(ImportValue import) => import.FullName is "_operator.getitem" or "operator.getitem";

    private static bool IsOfTyping(ImportValue import) =>
        import.Class == ScanClass.Clean && import.FullName.StartsWith("typing.", StringComparison.Ordinal);

    private static bool IsAlias(PickleValue[] items) =>
        items is [var origin, var of] && IsType(origin) && IsTypeOrTypes(of);

    private static bool IsTypeOrTypes(PickleValue value) => value is TupleValue tuple ? AreTypes(tuple) : IsType(value);

    // More than are kept were not all seen.
    private static bool AreTypes(TupleValue tuple) =>
        tuple.Count == tuple.Items.Length && Array.TrueForAll(tuple.Items, IsType);

    private static bool IsType(PickleValue value) =>
        value == PickleValue.Type || value is ImportValue { Class: ScanClass.Clean };

    // A text anywhere else is a forward reference, which is evaluated.
    private static bool IsLiteral(PickleValue value) =>
        value is TupleValue tuple
            ? tuple.Count == tuple.Items.Length && Array.TrueForAll(tuple.Items, IsPlain)
            : IsPlain(value);

    private static bool IsPlain(PickleValue value) => value is TextValue or NumberValue || value == PickleValue.None;
}
