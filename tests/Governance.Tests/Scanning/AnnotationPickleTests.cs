using Governance.Scanning.Contracts;
using static Governance.Tests.Scanning.PickleAssembler;

namespace Governance.Tests.Scanning;

/// <summary>
/// Types in annotations are pickled as calls of <c>reduce</c> and <c>getitem</c>. In those exact shapes they are harmless;
/// everywhere else the two names count as before. Nothing here is ever loaded.
/// </summary>
public sealed class AnnotationPickleTests
{
    private const string Reduce = "_functools.reduce";
    private const string GetItem = "_operator.getitem";

    public static TheoryData<string, byte[], ScanClass> Types =>
        new()
        {
            { "str | None", Union(p => p.Type("str").NoneType().Raw(0x86)), ScanClass.Clean },
            {
                "str | None, protocol 0",
                "c_functools\nreduce\n(c_operator\nor_\n(c__builtin__\nstr\nc__builtin__\ntype\n(NtRttR."u8.ToArray(),
                ScanClass.Clean
            },
            { "functools.reduce by its other name", OtherUnion(), ScanClass.Clean },
            {
                "DataFrame | None",
                Union(p => p.StackGlobal("pandas.core.frame", "DataFrame").NoneType().Raw(0x86)),
                ScanClass.Clean
            },
            { "Optional[str]", Typing("Union", p => p.Type("str").NoneType().Raw(0x86)).Stop(), ScanClass.Clean },
            {
                "List[Tuple[int, ...]]",
                Typing(
                        "List",
                        p => Typing(p, "Tuple", i => i.Type("int").StackGlobal("builtins", "Ellipsis").Raw(0x86))
                    )
                    .Stop(),
                ScanClass.Clean
            },
            {
                "Literal['a', 1, None]",
                Typing("Literal", p => p.Text("a").Int(1).Op('N').Raw(0x87)).Stop(),
                ScanClass.Clean
            },
            { "Dict[str, Any] | None", Union(p => Typing(p, "Dict", AnyByName).NoneType().Raw(0x86)), ScanClass.Clean },
            {
                "list[str] | None",
                Union(p => p.Alias(i => i.Type("str")).NoneType().Raw(0x86)),
                ScanClass.ContainsCode
            },
            {
                "two unions with one reduce from the memo",
                Proto(4)
                    .StackGlobal("_functools", "reduce")
                    .Raw(0x94)
                    .Or(p => p.Type("int").NoneType().Raw(0x86))
                    .Op('R')
                    .Op('h')
                    .Raw(0)
                    .Or(p => p.Type("str").NoneType().Raw(0x86))
                    .Op('R')
                    .Raw(0x86)
                    .Stop(),
                ScanClass.Clean
            },
        };

    [Theory]
    [MemberData(nameof(Types))]
    public async Task A_type_of_known_types_is_what_its_parts_are(string name, byte[] pickle, ScanClass expected)
    {
        var report = await MemoryArtifacts.ScanAsync("model.pkl", pickle);

        Assert.True(expected == report.Class, name + ": " + string.Join("; ", report.Findings));
    }

    public static TheoryData<string, byte[], ScanClass, string> Others =>
        new()
        {
            { "import alone", Reduced().Stop(), ScanClass.Malicious, Reduce },
            { "broken off after the import", Reduced().ToArray(), ScanClass.Malicious, Reduce },
            {
                "reduce with os.system",
                Reduced().StackGlobal("os", "system").Type("str").Type("int").Raw(0x86, 0x86).Op('R').Stop(),
                ScanClass.Malicious,
                Reduce
            },
            {
                "reduce with another operator",
                Reduced().StackGlobal("_operator", "add").Type("str").Type("int").Raw(0x86, 0x86).Op('R').Stop(),
                ScanClass.Malicious,
                Reduce
            },
            {
                "reduce with or_ under another module's name",
                Reduced().StackGlobal("vendor", "or_").Type("str").Type("int").Raw(0x86, 0x86).Op('R').Stop(),
                ScanClass.Malicious,
                Reduce
            },
            {
                "an object of the file's own class, with an __or__",
                Union(p => p.StackGlobal("__main__", "Evil").Op(')').Raw(0x81).Type("str").Raw(0x86)),
                ScanClass.Malicious,
                Reduce
            },
            {
                "the file's own class",
                Union(p => p.StackGlobal("__main__", "Evil").Type("str").Raw(0x86)),
                ScanClass.Malicious,
                Reduce
            },
            {
                "objects of an allowed class",
                Union(p => p.StackGlobal("collections", "OrderedDict").Op(')').Op('R').Op('2').Raw(0x86)),
                ScanClass.Malicious,
                Reduce
            },
            {
                "an unknown name among the types",
                Union(p => p.Type("str").StackGlobal("vendor", "Thing").Raw(0x86)),
                ScanClass.Malicious,
                Reduce
            },
            { "a text among the types", Union(p => p.Type("str").Text("x").Raw(0x86)), ScanClass.Malicious, Reduce },
            {
                "a union of what is no union",
                Union(p => p.Union(i => i.Type("str").StackGlobal("__main__", "Evil").Raw(0x86)).Type("int").Raw(0x86)),
                ScanClass.Malicious,
                Reduce
            },
            {
                "a list that was made of a text",
                Union(p => p.Alias(i => i.Text("__import__('os')")).NoneType().Raw(0x86)),
                ScanClass.Malicious,
                Reduce
            },
            {
                "a type of something other than None",
                Union(p => p.TypeOf(i => i.Op('}')).Type("int").Raw(0x86)),
                ScanClass.Malicious,
                Reduce
            },
            {
                "a third argument",
                Reduced()
                    .StackGlobal("_operator", "or_")
                    .Type("str")
                    .Raw(0x85)
                    .StackGlobal("__main__", "Evil")
                    .Raw(0x87)
                    .Op('R')
                    .Stop(),
                ScanClass.Malicious,
                Reduce
            },
            {
                "more types than are looked at",
                Union(p =>
                {
                    p.Op('(');
                    for (var i = 0; i < 16; i++)
                    {
                        p.Type("str");
                    }

                    return p.StackGlobal("__main__", "Evil").Op('t');
                }),
                ScanClass.Malicious,
                Reduce
            },
            {
                "a good union first, then reduce from the memo as a function's parameter",
                Reduced()
                    .Raw(0x94)
                    .Or(p => p.Type("int").NoneType().Raw(0x86))
                    .Op('R')
                    .Op('0')
                    .StackGlobal("sklearn.preprocessing._function_transformer", "FunctionTransformer")
                    .Op(')')
                    .Raw(0x81)
                    .Op('}')
                    .Text("func")
                    .Op('h')
                    .Raw(0)
                    .Op('s')
                    .Op('b')
                    .Stop(),
                ScanClass.Malicious,
                Reduce
            },
            {
                "a good union of one copy, the other copy kept",
                Reduced().Op('2').Or(p => p.Type("int").NoneType().Raw(0x86)).Op('R').Raw(0x86).Stop(),
                ScanClass.Malicious,
                Reduce
            },
            {
                "a good union first, then INST",
                Reduced()
                    .Or(p => p.Type("int").NoneType().Raw(0x86))
                    .Op('R')
                    .Op('0')
                    .Op('(')
                    .Type("int")
                    .Ascii("i_functools\nreduce\n")
                    .Stop(),
                ScanClass.Malicious,
                Reduce
            },
            {
                "INST with the arguments of a union",
                Plain()
                    .Ascii("(c_operator\nor_\n(c__builtin__\nstr\nc__builtin__\nint\nti_functools\nreduce\n.")
                    .ToArray(),
                ScanClass.Malicious,
                Reduce
            },
            {
                "partial of reduce",
                Proto(4)
                    .StackGlobal("functools", "partial")
                    .StackGlobal("_functools", "reduce")
                    .Raw(0x85)
                    .Op('R')
                    .Stop(),
                ScanClass.Malicious,
                Reduce
            },
            {
                "state on a union",
                Union(p => p.Type("str").NoneType().Raw(0x86))[..^1].Followed(p => p.Op('}').Op('b')),
                ScanClass.Suspicious,
                "a type"
            },
            {
                "a union that is called",
                Union(p => p.Type("str").NoneType().Raw(0x86))[..^1].Followed(p => p.Op(')').Op('R')),
                ScanClass.Suspicious,
                "calls a value"
            },
            {
                "a forward reference, which is evaluated",
                Typing("List", p => p.Text("__import__('os').system('id')")).Stop(),
                ScanClass.Suspicious,
                GetItem
            },
            {
                "getitem of something else",
                Got().Op('}').Text("x").Raw(0x86).Op('R').Stop(),
                ScanClass.Suspicious,
                GetItem
            },
            {
                "a good getitem first, then INST",
                Typing("List", p => p.Type("str")).Op('0').Op('(').Type("int").Ascii("i_operator\ngetitem\n").Stop(),
                ScanClass.Suspicious,
                GetItem
            },
            {
                "getitem of a class that is no generic",
                Got().Type("dict").Type("str").Raw(0x86).Op('R').Stop(),
                ScanClass.Suspicious,
                GetItem
            },
            {
                "what typing evaluates",
                Proto(4).StackGlobal("typing", "ForwardRef").Stop(),
                ScanClass.Suspicious,
                "typing.ForwardRef"
            },
            {
                "a name reached through typing",
                Typing("sys.modules", p => p.Type("str")).Stop(),
                ScanClass.Malicious,
                "typing.sys.modules"
            },
        };

    [Theory]
    [MemberData(nameof(Others))]
    public async Task Anything_else_of_these_names_counts_as_before(
        string name,
        byte[] pickle,
        ScanClass expected,
        string named
    )
    {
        var report = await MemoryArtifacts.ScanAsync("model.pkl", pickle);

        Assert.Contains(
            report.Findings,
            finding => finding.Class == expected && finding.Detail.Contains(named, StringComparison.Ordinal)
        );
        Assert.True(report.Class >= expected, name);
    }

    private static byte[] Union(Func<PickleAssembler, PickleAssembler> types) => Proto(4).Union(types).Stop();

    private static byte[] OtherUnion() =>
        Proto(4)
            .StackGlobal("functools", "reduce")
            .StackGlobal("operator", "or_")
            .Type("str")
            .Type("int")
            .Raw(0x86, 0x86)
            .Op('R')
            .Stop();

    private static PickleAssembler Reduced() => Proto(4).StackGlobal("_functools", "reduce");

    private static PickleAssembler Got() => Proto(4).StackGlobal("_operator", "getitem");

    private static PickleAssembler Typing(string generic, Func<PickleAssembler, PickleAssembler> of) =>
        Typing(Proto(4), generic, of);

    private static PickleAssembler Typing(
        PickleAssembler pickle,
        string generic,
        Func<PickleAssembler, PickleAssembler> of
    ) => of(pickle.StackGlobal("_operator", "getitem").StackGlobal("typing", generic)).Raw(0x86).Op('R');

    private static PickleAssembler AnyByName(PickleAssembler pickle) =>
        pickle.Type("str").StackGlobal("typing", "Any").Raw(0x86);
}

/// <summary>Parts of annotations as cloudpickle writes them.</summary>
internal static class AnnotationAssembler
{
    public static PickleAssembler Type(this PickleAssembler pickle, string name) =>
        pickle.StackGlobal("builtins", name);

    public static PickleAssembler NoneType(this PickleAssembler pickle) => pickle.TypeOf(of => of.Op('N'));

    public static PickleAssembler TypeOf(this PickleAssembler pickle, Func<PickleAssembler, PickleAssembler> value) =>
        value(pickle.Type("type")).Raw(0x85).Op('R');

    public static PickleAssembler Union(this PickleAssembler pickle, Func<PickleAssembler, PickleAssembler> types) =>
        pickle.StackGlobal("_functools", "reduce").Or(types).Op('R');

    /// <summary>The arguments of a union: what <paramref name="types"/> leaves is the tuple of its types.</summary>
    public static PickleAssembler Or(this PickleAssembler pickle, Func<PickleAssembler, PickleAssembler> types) =>
        types(pickle.StackGlobal("_operator", "or_")).Raw(0x86);

    /// <summary><c>list[…]</c>.</summary>
    public static PickleAssembler Alias(this PickleAssembler pickle, Func<PickleAssembler, PickleAssembler> of) =>
        of(
                pickle
                    .StackGlobal("cloudpickle.cloudpickle", "_builtin_type")
                    .Text("GenericAlias")
                    .Raw(0x85)
                    .Op('R')
                    .Type("list")
            )
            .Raw(0x85, 0x86)
            .Op('R');

    public static byte[] Followed(this byte[] begun, Func<PickleAssembler, PickleAssembler> rest) =>
        rest(PickleAssembler.Plain().Raw(begun)).Stop();
}
