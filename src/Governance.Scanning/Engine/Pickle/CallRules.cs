using Governance.Scanning.Contracts;

namespace Governance.Scanning.Engine.Pickle;

/// <summary>Allowed callables that are harmless or not depending on what they are given.</summary>
internal static class CallRules
{
    private static readonly HashSet<string> PlainEncodings =
    [
        "latin1",
        "latin-1",
        "latin_1",
        "iso-8859-1",
        "utf-8",
        "utf8",
        "ascii",
        "raw_unicode_escape",
    ];

    // These turn their arguments into an import or a call, so they must not be handed on unseen.
    private static readonly HashSet<string> Indirect =
    [
        "functools.partial",
        "torch._tensor._rebuild_from_type_v2",
        "numpy.core._ufunc_reconstruct",
        "numpy._core._ufunc_reconstruct",
    ];

    /// <summary>
    /// Whether it is one of the two results that cloudpickle itself calls: a type of code objects and functions, and the class
    /// that the pickle defines. A function that the pickle defines is called by nothing benign.
    /// </summary>
    public static bool IsWrittenByCloudpickle(PickleValue callable) =>
        callable is InstanceValue { Callable: ImportValue maker } made
        && maker.FullName switch
        {
            "cloudpickle.cloudpickle._builtin_type" => made.Arguments is TupleValue { Items: [TextValue name] }
                && ImportRules.Classify("types", name.Text) == ScanClass.ContainsCode,
            "cloudpickle.cloudpickle._make_skeleton_class" => true,
            _ => false,
        };

    /// <summary>What is wrong with one call.</summary>
    public static IEnumerable<(ScanClass Severity, string Rule, string Detail)> Judge(
        ImportValue callable,
        PickleValue arguments
    )
    {
        var items = arguments is TupleValue tuple ? tuple.Items : [];
        switch (callable.FullName)
        {
            case "functools.partial" or "torch._tensor._rebuild_from_type_v2":
                var first = items.FirstOrDefault();
                if (first is not ImportValue { Class: ScanClass.Clean } inner || Indirect.Contains(inner.FullName))
                {
                    yield return (ScanClass.Malicious, "pickle.indirect-call", $"{callable.FullName} of {Name(first)}");
                }

                break;
            case "numpy.core._ufunc_reconstruct" or "numpy._core._ufunc_reconstruct":
                if (
                    items
                        is not [
                            TextValue
                            {
                                Text: "numpy"
                                    or "numpy.core"
                                    or "numpy._core"
                                    or "numpy.core._multiarray_umath"
                                    or "numpy._core._multiarray_umath"
                                    or "scipy.special"
                                    or "scipy.special._ufuncs"
                            } module,
                            TextValue name,
                        ]
                    || name.Text.Contains('.', StringComparison.Ordinal)
                    || ImportRules.Classify(module.Text, name.Text) == ScanClass.Malicious
                )
                {
                    yield return (
                        ScanClass.Malicious,
                        "pickle.indirect-import",
                        $"{callable.FullName} of {Names(items)}"
                    );
                }

                break;
            case "builtins.type":
                if (items.Length != 1)
                {
                    yield return (ScanClass.Suspicious, "pickle.makes-class", "builtins.type makes a class");
                }

                break;
            case "_codecs.encode":
                if (items is not [_, TextValue encoding, ..] || !PlainEncodings.Contains(encoding.Text))
                {
                    yield return (ScanClass.Suspicious, "pickle.odd-encoding", $"_codecs.encode({Names(items)})");
                }

                break;
            default:
                if (callable.Class == ScanClass.Malicious)
                {
                    yield return (ScanClass.Malicious, "pickle.dangerous-call", $"{callable.FullName}({Names(items)})");
                }

                break;
        }
    }

    private static string Names(PickleValue[] items) => string.Join(", ", items.Take(4).Select(Name));

    private static string Name(PickleValue? value) =>
        value switch
        {
            ImportValue import => import.FullName,
            TextValue text => $"'{(text.Text.Length > 60 ? text.Text[..60] : text.Text)}'",
            NumberValue number => number.Number.ToString(System.Globalization.CultureInfo.InvariantCulture),
            InstanceValue { Callable: ImportValue import } => $"{import.FullName}(…)",
            _ => "…",
        };
}
