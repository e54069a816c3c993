using System.Text;
using static Governance.Tests.Scanning.PickleAssembler;

namespace Governance.Tests.Scanning;

/// <summary>
/// Families of hostile files, built byte by byte. <c>Import</c> is what the report has to name; null where the finding
/// is about structure and the class need only not be clean. Nothing here is ever loaded.
/// </summary>
internal static class MaliciousPickles
{
    public sealed record Family(string Name, string Path, byte[] Content, string? Import);

    public static byte[] OsSystem { get; } = Proto(2).Global("os", "system").Text("id").Raw(0x85).Op('R').Stop();

    private static byte[] Benign { get; } = Proto(4).Text("weights").Stop();

    public static IEnumerable<Family> All()
    {
        // Ways to import and call
        yield return Pickle("reduce with GLOBAL", OsSystem, "os.system");
        yield return Pickle("STACK_GLOBAL", Call("posix", "system"), "posix.system");
        yield return Pickle(
            "STACK_GLOBAL through the memo",
            Proto(4)
                .Text("system")
                .Raw(0x94)
                .Op('0')
                .Text("os")
                .Raw(0x94)
                .Op('0')
                .Op('h')
                .Raw(1)
                .Op('h')
                .Raw(0)
                .Raw(0x93)
                .Text("id")
                .Raw(0x85)
                .Op('R')
                .Stop(),
            "os.system"
        );
        yield return Pickle(
            "STACK_GLOBAL with sparse memo",
            Proto(4)
                .Text("os")
                .Op('r')
                .Raw(0x40, 0x42, 0x0f, 0)
                .Op('0')
                .Text("x")
                .Raw(0x94)
                .Op('0')
                .Op('j')
                .Raw(0x40, 0x42, 0x0f, 0)
                .Text("system")
                .Raw(0x93)
                .Text("id")
                .Raw(0x85)
                .Op('R')
                .Stop(),
            "os.system"
        );
        yield return Pickle(
            "STACK_GLOBAL from a tuple with DUP and POP",
            Proto(4)
                .Text("os")
                .Op('2')
                .Op('0')
                .Text("x")
                .Op('0')
                .Text("system")
                .Raw(0x93)
                .Text("id")
                .Raw(0x85)
                .Op('R')
                .Stop(),
            "os.system"
        );
        yield return Pickle("INST", Plain().Op('(').Ascii("S'id'\n").Ascii("ios\nsystem\n").Stop(), "os.system");
        yield return Pickle("OBJ", Proto(2).Op('(').Global("os", "system").Text("id").Op('o').Stop(), "os.system");
        yield return Pickle(
            "NEWOBJ",
            Proto(2).Global("subprocess", "Popen").Text("id").Raw(0x85, 0x81).Stop(),
            "subprocess.Popen"
        );
        yield return Pickle(
            "NEWOBJ_EX",
            Proto(4).StackGlobal("subprocess", "Popen").Text("id").Raw(0x85).Op('}').Raw(0x92).Stop(),
            "subprocess.Popen"
        );
        yield return Pickle(
            "BUILD with __setstate__",
            Proto(2)
                .Global("collections", "OrderedDict")
                .Op(')')
                .Op('R')
                .Op('}')
                .Text("__setstate__")
                .Global("os", "system")
                .Op('s')
                .Op('b')
                .Text("id")
                .Op('b')
                .Stop(),
            "os.system"
        );
        yield return Pickle(
            "BUILD that only replaces a dunder",
            Proto(2)
                .Global("collections", "OrderedDict")
                .Op(')')
                .Op('R')
                .Op('}')
                .Text("__reduce__")
                .Text("x")
                .Op('s')
                .Op('b')
                .Stop(),
            "__reduce__"
        );
        yield return Pickle("EXT1", Proto(2).Raw(0x82, 7).Text("id").Raw(0x85).Op('R').Stop(), null);
        yield return Pickle("EXT4", Proto(2).Raw(0x84, 7, 0, 0, 0).Text("id").Raw(0x85).Op('R').Stop(), null);
        yield return Pickle("persistent id", Plain().Ascii("Pevil\n.").ToArray(), null);
        yield return Pickle(
            "computed module name",
            Proto(4)
                .StackGlobal("builtins", "str")
                .Text("os")
                .Raw(0x85)
                .Op('R')
                .Text("system")
                .Raw(0x93)
                .Text("id")
                .Raw(0x85)
                .Op('R')
                .Stop(),
            "computed"
        );
        yield return Pickle("import only", Proto(2).Global("os", "system").Stop(), "os.system");
        yield return Pickle(
            "hidden under benign values",
            Proto(4)
                .Op(']')
                .Op('(')
                .Text("a")
                .StackGlobal("os", "system")
                .Text("id")
                .Raw(0x85)
                .Op('R')
                .Op('0')
                .Text("b")
                .Op('e')
                .Stop(),
            "os.system"
        );

        // Names
        yield return Pickle(
            "Python 2 builtins",
            Proto(2).Global("__builtin__", "eval").Text("1").Raw(0x85).Op('R').Stop(),
            "builtins.eval"
        );
        yield return Pickle(
            "Python 2 commands",
            Proto(2).Global("commands", "getoutput").Text("id").Raw(0x85).Op('R').Stop(),
            "subprocess.getoutput"
        );
        yield return Pickle(
            "submodule of a dangerous module",
            Call("asyncio.unix_events", "_UnixSubprocessTransport._start"),
            "asyncio.unix_events"
        );
        yield return Pickle("protocol 0", Plain().Ascii("cos\nsystem\n(S'id'\ntR.").ToArray(), "os.system");
        yield return Pickle(
            "unicode-escaped names",
            Plain().Ascii("V\\u006f\\u0073\nV\\u0073ystem\n").Raw(0x93).Ascii("(S'id'\ntR.").ToArray(),
            "os.system"
        );
        yield return Pickle(
            "hex-escaped names",
            Plain().Ascii("S'\\x6f\\x73'\nS'\\163ystem'\n").Raw(0x93).Ascii("(S'id'\ntR.").ToArray(),
            "os.system"
        );
        yield return Pickle("dotted attribute", Call("sklearn.utils", "os.system"), "os.system");
        yield return Pickle(
            "dotted dunder chain",
            Call("collections", "OrderedDict.__init__.__globals__"),
            "__globals__"
        );
        yield return Pickle(
            "dangerous function of an allowed package",
            Call("numpy.testing._private.utils", "runstring"),
            "runstring"
        );

        // Gadgets
        yield return Pickle(
            "getattr chain",
            Proto(4)
                .StackGlobal("builtins", "getattr")
                .StackGlobal("builtins", "__import__")
                .Text("os")
                .Raw(0x85)
                .Op('R')
                .Text("system")
                .Raw(0x86)
                .Op('R')
                .Text("id")
                .Raw(0x85)
                .Op('R')
                .Stop(),
            "builtins.getattr"
        );
        yield return Pickle(
            "partial of a dangerous function",
            Proto(4)
                .StackGlobal("functools", "partial")
                .StackGlobal("os", "system")
                .Raw(0x85)
                .Op('R')
                .Op(')')
                .Op('R')
                .Stop(),
            "functools.partial of os.system"
        );
        yield return Pickle(
            "partial of an unknown function",
            Proto(4).StackGlobal("functools", "partial").StackGlobal("vendor", "run").Raw(0x85).Op('R').Stop(),
            "functools.partial of vendor.run"
        );
        yield return Pickle("methodcaller", Call("operator", "methodcaller"), "operator.methodcaller");
        yield return Pickle("attrgetter", Call("_operator", "attrgetter"), "attrgetter");
        foreach (var (module, name) in Gadgets)
        {
            yield return Pickle($"gadget {module}.{name}", Call(module, name), $"{module}.{name}");
        }

        yield return Pickle(
            "numpy ufunc gadget",
            Proto(4)
                .StackGlobal("numpy.core", "_ufunc_reconstruct")
                .Text("os")
                .Text("system")
                .Raw(0x86)
                .Op('R')
                .Text("id")
                .Raw(0x85)
                .Op('R')
                .Stop(),
            "_ufunc_reconstruct of 'os', 'system'"
        );
        yield return Pickle("pickle inside bytes", Proto(4).Bytes(OsSystem).Stop(), "os.system");
        yield return Pickle(
            "pickle inside pickle.loads",
            Proto(4).StackGlobal("_pickle", "loads").Bytes(OsSystem).Raw(0x85).Op('R').Stop(),
            "pickle.loads"
        );
        yield return Pickle("unknown callable", Call("vendor.models", "Thing"), null);
        yield return Pickle(
            "type with three arguments",
            Proto(4).StackGlobal("builtins", "type").Text("X").Op(')').Op('}').Raw(0x87).Op('R').Stop(),
            null
        );
        yield return Pickle(
            "codec trick",
            Proto(4).StackGlobal("_codecs", "encode").Text("bf").Text("rot13").Raw(0x86).Op('R').Stop(),
            null
        );

        // Structure
        yield return Pickle("second pickle appended", [.. Benign, .. OsSystem], "os.system");
        yield return Pickle("junk after STOP", [.. Benign, .. "junk"u8], null);
        yield return Pickle("broken tail after the payload", [.. OsSystem[..^1], 0xff, 0xff], "os.system");
        yield return Pickle("truncated after the payload", OsSystem[..^1], "os.system");
        yield return Pickle(
            "protocol 0 with a broken tail",
            Encoding.ASCII.GetBytes("cos\nsystem\n(S'id'\ntR~~"),
            "os.system",
            "weights.bin"
        );
        yield return Pickle(
            "argument across a frame end",
            Proto(4).Frame(3).Text("os").Text("system").Raw(0x93).Stop(),
            null
        );
        yield return Pickle("frame inside a frame", Proto(4).Frame(40).Frame(2).Text("x").Stop(), null);
        yield return Pickle("frame longer than the file", Proto(4).Frame(4000).Text("x").Stop(), null);
        yield return Pickle(
            "data between STOP and frame end",
            Proto(4).Frame(6).Text("x").Op('.').Raw(0, 0).ToArray(),
            null
        );
        yield return Pickle("memo entry that is not there", Proto(4).Op('h').Raw(9).Stop(), null);
        yield return Pickle("STOP on an empty stack", Proto(4).Stop(), null);
        yield return Pickle("no extension", OsSystem, "os.system", "weights");
        yield return Pickle("wrong extension", OsSystem, "os.system", "notes.txt");
        yield return Pickle(
            "protocol 0 without extension",
            Encoding.ASCII.GetBytes("cos\nsystem\n(S'id'\ntR."),
            "os.system",
            "LICENSE"
        );
        yield return Pickle("named like a pickle and none", [0, 1, 2, 3], null);

        // Containers
        var torch = Archives.Zip(
            ("m/data.pkl", OsSystem),
            ("m/data/0", new byte[64]),
            ("m/version", "3\n"u8.ToArray())
        );
        yield return Pickle("torch zip", torch, "os.system", "model.pt");
        yield return Pickle("torch zip named bin", torch, "os.system", "pytorch_model.bin");
        yield return Pickle("torch zip behind a prefix", [.. Benign, .. torch], "os.system", "model.pt");
        yield return Pickle(
            "zip behind a pickle",
            [.. OsSystem, .. Archives.Zip(("a.txt", "x"u8.ToArray()))],
            "os.system",
            "model.pt"
        );
        yield return Pickle(
            "deflated member",
            Archives.Zip(System.IO.Compression.CompressionLevel.Optimal, ("a/b", OsSystem)),
            "os.system",
            "m.zip"
        );
        yield return Pickle("zip in zip", Archives.Zip(("in.zip", torch)), "os.system", "m.zip");
        yield return Pickle(
            "zip with a wrong checksum",
            Archives.Patch(torch, "PK\x01\x02"u8, 16, 1, 2, 3, 4),
            "os.system",
            "model.pt"
        );
        yield return Pickle("zip with flag bits", Archives.Patch(torch, "PK\x01\x02"u8, 8, 1), "os.system", "model.pt");
        yield return Pickle(
            "zip with two names",
            Archives.Patch(torch, "PK\x03\x04"u8, 30, (byte)'x'),
            "os.system",
            "model.pt"
        );
        yield return Pickle("zip without a directory", torch[..^80], null, "model.pt");
        yield return Pickle("zip-slip", Archives.Zip(("../../etc/cron.d/x", Benign)), "../../etc/cron.d/x", "m.zip");
        yield return Pickle(
            "zip symbolic link",
            Archives.Patch(Archives.Zip(("l", "/etc/passwd"u8.ToArray())), "PK\x01\x02"u8, 40, 0xff, 0xa1),
            "symbolic link",
            "m.zip"
        );
        yield return Pickle(
            "npz with objects",
            Archives.Zip(("a.npy", Archives.Npy("'|O'", OsSystem))),
            "os.system",
            "a.npz"
        );
        yield return Pickle("npy of objects", Archives.Npy("'|O'", OsSystem), "os.system", "a.npy");
        yield return Pickle(
            "npy with objects in a field",
            Archives.Npy("[('a', '<f8'), ('b', '|O')]", OsSystem),
            "os.system",
            "a.npy"
        );
        yield return Pickle("joblib with gzip", Archives.Gzip(OsSystem), "os.system", "model.joblib");
        yield return Pickle("joblib with zlib", Archives.Zlib(OsSystem), "os.system", "model.joblib");
        yield return Pickle("joblib with an object array", JoblibObjects(), "os.system", "model.joblib");
        yield return Pickle(
            "joblib with a payload after the array",
            JoblibArray(Proto(4).StackGlobal("os", "system").Text("id").Raw(0x85).Op('R').Stop()[2..]),
            "os.system",
            "model.joblib"
        );
        yield return Pickle("tar member", Archives.Tar("m/weights", OsSystem), "os.system", "m.nemo");
        yield return Pickle("tar link", Archives.TarLink("m", "/etc/passwd"), "/etc/passwd", "m.tar");
        yield return Pickle("tar path", Archives.Tar("../m", Benign), "../m", "m.tar");
        yield return Pickle("7z", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0, 4, 1, 2, 3], null, "model.bin");
        yield return Pickle("bzip2 joblib", [.. "BZh91AY&SY"u8, 1, 2, 3, 4], null, "model.joblib");

        // Configurations
        yield return Text(
            "Keras Lambda",
            "config.json",
            """{"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {}}]}}""",
            "Lambda"
        );
        yield return Text(
            "Keras module",
            "config.json",
            """{"module": "os", "class_name": "system", "config": {}}""",
            "os.system"
        );
        yield return Pickle(
            "Keras archive",
            Archives.Zip(("config.json", """{"class_name": "Lambda"}"""u8.ToArray()), ("model.weights.h5", [])),
            "Lambda",
            "m.keras"
        );
        yield return Pickle(
            "Keras HDF5",
            [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, .. """{"class_name": "Lambda"}"""u8],
            "Lambda",
            "m.h5"
        );
        yield return Text(
            "YAML tag",
            "MLmodel",
            "flavors: !!python/object/apply:os.system ['id']\n",
            "python/object/apply"
        );
        yield return Text("YAML anchors", "MLmodel", YamlBomb(), null);
        yield return Text("YAML key twice", "MLmodel", "flavors: {}\nflavors: {}\n", null);
        yield return Text("MLmodel loader", "MLmodel", "flavors:\n  python_function:\n    loader_module: evil\n", null);
        yield return Text(
            "MLmodel alias",
            "MLmodel",
            "a: &x evil\nflavors:\n  python_function:\n    loader_module: *x\n",
            null
        );
        yield return Pickle(
            "zip with two ends",
            [.. Archives.Zip(("a.txt", "x"u8.ToArray())), .. "PK\x05\x06"u8, .. new byte[16], 9, 9],
            null,
            "m.zip"
        );
        yield return Text(
            "MLmodel code",
            "MLmodel",
            "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    code: code\n",
            null
        );
        yield return Text("Hydra target", "model_config.yaml", "model:\n  _target_: os.system\n", "os.system");
        yield return Text(
            "requirements with a shell command",
            "requirements.txt",
            "numpy==1.0\nx; id > /tmp/y\n",
            null
        );
        yield return Text(
            "conda with a shell command",
            "conda.yaml",
            "dependencies:\n- python=3.11\n- pip:\n  - x$(id)\n",
            null
        );
        yield return Text(
            "python_env with a shell command",
            "python_env.yaml",
            "python: 3.11.2\ndependencies:\n- x && id\n",
            null
        );
        yield return Text(
            "tokenizer template",
            "tokenizer_config.json",
            """{"chat_template": "{{ ''.__class__.__mro__ }}"}""",
            "__class__"
        );
        yield return Text(
            "escaped template",
            "tokenizer_config.json",
            """{"chat_template": "{{ x['\\x5f\\x5fglobals\\x5f\\x5f'] }}"}""",
            "__globals__"
        );
        yield return Pickle(
            "GGUF template",
            Gguf("{{ cycler.__init__.__globals__.os.popen('id') }}"),
            "__init__",
            "m.gguf"
        );
        yield return Text("Python code", "model.py", "print(1)\n", null);
        yield return Text("code folder", "code/data.csv", "a,b\n", null);
        yield return Text("shell script", "run", "#!/bin/sh\nid\n", null);
        yield return Pickle("ELF library", [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], null, "weights.bin");
        yield return Pickle("unknown binary", [0x11, 0x02, 0x9e, 0x00, 0xfe], null, "weights.bin");
    }

    private static readonly (string Module, string Name)[] Gadgets =
    [
        ("pip", "main"),
        ("pip._internal", "main"),
        ("runpy", "run_path"),
        ("bdb", "Bdb.run"),
        ("pdb", "run"),
        ("logging", "FileHandler"),
        ("logging.config", "dictConfig"),
        ("torch.hub", "load"),
        ("torch.serialization", "load"),
        ("torch.utils.bottleneck.__main__", "run_cprofile"),
        ("numpy.f2py.crackfortran", "getlincoef"),
        ("importlib", "import_module"),
        ("ctypes", "CDLL"),
        ("pty", "spawn"),
        ("shutil", "rmtree"),
        ("socket", "create_connection"),
        ("webbrowser", "open"),
        ("timeit", "timeit"),
        ("cProfile", "run"),
        ("trace", "Trace.run"),
        ("doctest", "debug_script"),
        ("imaplib", "IMAP4_stream"),
        ("uuid", "_get_command_stdout"),
        ("_pyrepl.pager", "pipe_pager"),
        ("_osx_support", "_read_output"),
        ("idlelib.pyshell", "ModifiedInterpreter.runcommand"),
        ("lib2to3.pgen2.grammar", "Grammar.loads"),
        ("code", "InteractiveInterpreter.runcode"),
        ("pkgutil", "resolve_name"),
        ("marshal", "loads"),
        ("pydoc", "pipepager"),
        ("sys", "modules"),
        ("_io", "FileIO"),
        ("urllib.request", "urlopen"),
        ("copyreg", "add_extension"),
        ("pandas", "read_pickle"),
        ("joblib", "load"),
        ("builtins", "exec"),
        ("nt", "system"),
        ("_posixsubprocess", "fork_exec"),
    ];

    private static byte[] Call(string module, string name) =>
        Proto(4).StackGlobal(module, name).Text("id").Raw(0x85).Op('R').Stop();

    private static Family Pickle(string name, byte[] content, string? import, string path = "model.pkl") =>
        new(name, path, content, import);

    private static Family Text(string name, string path, string content, string? import) =>
        new(name, path, Encoding.UTF8.GetBytes(content), import);

    public static PickleAssembler Wrapper(string descr, Action<PickleAssembler>? state = null)
    {
        var pickle = Proto(4).StackGlobal("joblib.numpy_pickle", "NumpyArrayWrapper").Op(')').Raw(0x81).Op('}').Op('(');
        pickle.Text("shape").Int(2).Raw(0x85).Text("dtype").StackGlobal("numpy", "dtype").Text(descr).Raw(0x85).Op('R');
        pickle.Text("numpy_array_alignment_bytes").Int(16).Op('u').Op('b');
        state?.Invoke(pickle);
        return pickle;
    }

    public static byte[] JoblibArray(byte[] rest) =>
        Wrapper("f8").Raw(3, 0xff, 0xff, 0xff).Raw(new byte[16]).Raw(rest).ToArray();

    private static byte[] JoblibObjects() => Wrapper("O8").Raw(OsSystem).Stop();

    private static string YamlBomb()
    {
        var text = new StringBuilder("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for (var i = 1; i < 10; i++)
        {
            text.Append($"a{i}: &a{i} [{string.Join(',', Enumerable.Repeat($"*a{i - 1}", 9))}]\n");
        }

        return text.ToString();
    }

    private static byte[] Gguf(string template)
    {
        var key = Encoding.ASCII.GetBytes("tokenizer.chat_template");
        var value = Encoding.ASCII.GetBytes(template);
        return
        [
            .. "GGUF"u8,
            .. Length(3, 4),
            .. Length(0, 8),
            .. Length(1, 8),
            .. Length(key.Length, 8),
            .. key,
            .. Length(8, 4),
            .. Length(value.Length, 8),
            .. value,
        ];
    }
}
