using System.IO.Compression;
using System.Runtime.CompilerServices;
using Governance.Scanning;
using Governance.Scanning.Contracts;
using static Governance.Tests.Scanning.PickleAssembler;

namespace Governance.Tests.Scanning;

public sealed class BenignModelTests
{
    [Theory]
    [InlineData("demo/models/income-logreg")]
    [InlineData("tests/Governance.Tests/Scanning/Data/income-forest")]
    public async Task A_model_as_MLflow_saves_it_is_clean(string folder)
    {
        var report = await ScanningModule
            .CreateScanner()
            .ScanAsync(MemoryArtifacts.OfFolder(FindUp(folder)), TestContext.Current.CancellationToken);

        Assert.Empty(report.Findings);
        Assert.Equal(ScanClass.Clean, report.Class);
        Assert.Equal(7, report.FilesScanned);
    }

    [Theory]
    [InlineData("pyfunc-class")]
    [InlineData("pyfunc-function")]
    [InlineData("cloudpickle-annotations")]
    public async Task A_Python_model_as_MLflow_saves_it_contains_code_and_nothing_worse(string folder)
    {
        var report = await ScanningModule
            .CreateScanner()
            .ScanAsync(
                MemoryArtifacts.OfFolder(FindUp($"tests/Governance.Tests/Scanning/Data/{folder}")),
                TestContext.Current.CancellationToken
            );

        Assert.Equal(ScanClass.ContainsCode, report.Class);
        Assert.All(report.Findings, finding => Assert.Equal("pickle.code-by-design", finding.Rule));
    }

    public static TheoryData<string, string, byte[]> Files =>
        new()
        {
            { "dict", "a.pkl", Proto(4).Frame(10).Op('}').Raw(0x94).Text("a").Raw(0x94).Int(1).Op('s').Stop() },
            { "protocol 0 list", "a.pkl", "(lp0\nI1\naF2.5\naV\\u00e9\np1\na."u8.ToArray() },
            {
                "ordered dict",
                "a.pkl",
                Proto(2).Global("collections", "OrderedDict").Op(')').Op('R').Text("a").Int(1).Op('s').Stop()
            },
            {
                "datetime",
                "a.pkl",
                Proto(4).StackGlobal("datetime", "datetime").Bytes(new byte[10]).Raw(0x85).Op('R').Stop()
            },
            { "numpy array", "a.pkl", Numpy() },
            {
                "pandas frame",
                "a.pkl",
                Proto(4)
                    .StackGlobal("pandas.core.frame", "DataFrame")
                    .Op(')')
                    .Raw(0x81)
                    .Op('}')
                    .Text("_mgr")
                    .StackGlobal("pandas.core.internals.managers", "BlockManager")
                    .Op(')')
                    .Op('R')
                    .Op('s')
                    .Op('b')
                    .Stop()
            },
            {
                "estimator",
                "a.pkl",
                Proto(4)
                    .StackGlobal("sklearn.svm._classes", "SVC")
                    .Op(')')
                    .Raw(0x81)
                    .Op('}')
                    .Text("C")
                    .Int(1)
                    .Op('s')
                    .Op('b')
                    .Stop()
            },
            { "NoneType", "a.pkl", Proto(2).Global("__builtin__", "type").Op('N').Raw(0x85).Op('R').Stop() },
            {
                "Python 2 bytes",
                "a.pkl",
                Proto(2).Global("_codecs", "encode").Text("x").Text("latin1").Raw(0x86).Op('R').Stop()
            },
            {
                "ufunc",
                "a.pkl",
                Proto(2)
                    .Global("numpy.core", "_ufunc_reconstruct")
                    .Text("numpy.core._multiarray_umath")
                    .Text("log1p")
                    .Raw(0x86)
                    .Op('R')
                    .Stop()
            },
            {
                "partial of a metric",
                "a.pkl",
                Proto(4)
                    .StackGlobal("functools", "partial")
                    .StackGlobal("sklearn.metrics._classification", "f1_score")
                    .Raw(0x85)
                    .Op('R')
                    .Stop()
            },
            { "two pickles", "a.pkl", [.. Numpy(), .. Numpy()] },
            {
                "torch zip",
                "a.pt",
                Archives.Zip(
                    ("m/data.pkl", Torch()),
                    ("m/byteorder", "little"u8.ToArray()),
                    ("m/data/0", [0x80, 2, 0x1f, 0x8b, 7]),
                    ("m/version", "3\n"u8.ToArray())
                )
            },
            { "legacy torch", "a.pt", LegacyTorch() },
            { "npy", "a.npy", Archives.Npy("'<f8'", new byte[8]) },
            { "npz", "a.npz", Archives.Zip(CompressionLevel.Optimal, ("a.npy", Archives.Npy("'<f8'", new byte[8]))) },
            { "joblib", "a.joblib", MaliciousPickles.JoblibArray([(byte)'.']) },
            { "joblib gzip", "a.joblib", Archives.Gzip(Numpy()) },
            {
                "keras config",
                "config.json",
                """{"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}}"""u8.ToArray()
            },
            {
                "requirements",
                "requirements.txt",
                "mlflow==3.5.1\nnumpy>=1.2,<2  # why\nfoo[a,b]~=1.0; python_version < \"3.9\"\n-r other.txt\nx==1 --hash=sha256:ab\n"u8.ToArray()
            },
            {
                "conda",
                "conda.yaml",
                "channels:\n- conda-forge\ndependencies:\n- python=3.11.2\n- pip<=23.0\n- pip:\n  - mlflow==3.5.1\n"u8.ToArray()
            },
            {
                "chat template",
                "tokenizer_config.json",
                """{"chat_template": "{% for m in messages %}{{ m['role'] }}: {{ m.content | trim }}{% endfor %}"}"""u8.ToArray()
            },
            { "readme", "README.md", "come here\nand there\n# A model\n"u8.ToArray() },
            { "empty", "empty.txt", [] },
        };

    [Theory]
    [MemberData(nameof(Files))]
    public async Task An_ordinary_file_is_clean(string name, string path, byte[] content)
    {
        var report = await MemoryArtifacts.ScanAsync(path, content);

        Assert.True(report.Findings.Count == 0, name + ": " + string.Join("; ", report.Findings));
    }

    [Fact]
    public async Task Cloudpickle_functions_are_code_by_design_and_not_malware()
    {
        var pickle = Proto(4)
            .StackGlobal("cloudpickle.cloudpickle", "_make_function")
            .StackGlobal("types", "CodeType")
            .Op(')')
            .Op('R')
            .Raw(0x85)
            .Op('R')
            .Stop();

        var report = await MemoryArtifacts.ScanAsync("python_model.pkl", pickle);

        Assert.Equal(ScanClass.ContainsCode, report.Class);
    }

    private static byte[] Numpy() =>
        Proto(4)
            .StackGlobal("numpy._core.multiarray", "_reconstruct")
            .StackGlobal("numpy", "ndarray")
            .Int(0)
            .Raw(0x85)
            .Bytes("b"u8.ToArray())
            .Raw(0x87)
            .Op('R')
            .Op('(')
            .Int(1)
            .Int(1)
            .Raw(0x85)
            .StackGlobal("numpy", "dtype")
            .Text("f8")
            .Raw(0x89, 0x88, 0x87)
            .Op('R')
            .Raw(0x89)
            .Bytes(new byte[8])
            .Op('t')
            .Op('b')
            .Stop();

    private static byte[] Torch() =>
        Proto(2)
            .Global("torch._utils", "_rebuild_tensor_v2")
            .Op('(')
            .Op('(')
            .Text("storage")
            .Global("torch", "FloatStorage")
            .Text("0")
            .Text("cpu")
            .Int(1)
            .Op('t')
            .Op('Q')
            .Int(0)
            .Int(1)
            .Raw(0x85)
            .Int(1)
            .Raw(0x85, 0x89)
            .Global("collections", "OrderedDict")
            .Op(')')
            .Op('R')
            .Op('t')
            .Op('R')
            .Stop();

    private static byte[] LegacyTorch() =>
        [
            .. Proto(2).Raw(0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19).Stop(),
            .. Proto(2).Op('M').Raw(0xe9, 3).Stop(),
            .. Proto(2).Op('}').Stop(),
            .. Torch(),
            .. Proto(2).Op(']').Text("0").Op('a').Stop(),
            1,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            9,
            9,
            9,
            9,
        ];

    private static string FindUp(string relative, [CallerFilePath] string here = "")
    {
        foreach (var start in new[] { AppContext.BaseDirectory, Path.GetDirectoryName(here)! })
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                var candidate = Path.Combine(folder.FullName, relative);
                if (Directory.Exists(candidate))
                {
                    return candidate;
                }
            }
        }

        throw new DirectoryNotFoundException(relative);
    }
}
