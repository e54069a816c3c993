using System.Text;
using CsCheck;
using Governance.Kernel;
using Governance.Sbom;

namespace Governance.Tests.Sbom;

public sealed class SbomGarbageTests
{
    private static readonly string[] Paths = ["MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt"];

    private static readonly string[] Pieces =
    [
        "numpy",
        "==",
        "1.0",
        ";",
        "python_version",
        "<",
        "'3'",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\n",
        "  ",
        "- ",
        ": ",
        "&a ",
        "*a",
        "!!x ",
        "|",
        ">",
        "\"",
        "'",
        "#",
        "\\",
        "\\u",
        "-r ",
        "-e ",
        "--hash=",
        "https://",
        "@",
        "git+",
        "#egg=",
        "\t",
        "\0",
        "é",
        "\uFEFF",
        "${X}",
        "%",
        "?",
        ",",
        "---",
        "...",
        "<<",
        "~",
        "signature:\n  inputs: ",
        "dependencies:\n",
        "flavors:\n",
        "pip:\n",
        "\"\\uD800\"",
        "\r",
        "\u2028",
        "=",
    ];

    [Fact]
    public void Mixed_up_grammar_never_throws() =>
        Gen.Select(Any(Paths), Any(Pieces).Array[0, 40])
            .Sample((path, pieces) => Run(path, Encoding.UTF8.GetBytes(string.Concat(pieces))), iter: 5_000);

    [Fact]
    public void Random_bytes_never_throw() => Gen.Select(Any(Paths), Gen.Byte.Array[0, 200]).Sample(Run, iter: 2_000);

    [Fact]
    public void Broken_copies_of_real_files_never_throw()
    {
        var source = BomGeneratorTests.IncomeModel();
        var files = source.Manifest.Files.Where(file => Paths.Contains(file.Path)).ToList();
        var folder = Path.Combine(Golden.Repository, "tests/Governance.Tests/Sbom/Data/income-logreg");

        Gen.Select(Gen.Int[0, files.Count - 1], Gen.Int[0, 5_000], Gen.Byte.Array[1, 4])
            .Sample(
                (index, at, patch) =>
                {
                    var bytes = File.ReadAllBytes(Path.Combine(folder, files[index].Path));
                    patch.CopyTo(bytes, at % (bytes.Length - patch.Length));
                    Run(files[index].Path, bytes);
                },
                iter: 2_000
            );
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{")]
    [InlineData("- ")]
    [InlineData("? ")]
    [InlineData("a: ")]
    [InlineData("\\\n")]
    [InlineData("'")]
    [InlineData("(os_name=='x' or ")]
    [InlineData("&a ")]
    [InlineData("#")]
    [InlineData(" ")]
    [InlineData("a,")]
    [InlineData("--hash ")]
    public void Endless_repetition_is_answered_in_time(string piece)
    {
        var bytes = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(piece, 1_000_000 / piece.Length)));
        var started = TimeProvider.System.GetTimestamp();

        foreach (var path in Paths)
        {
            Run(path, bytes);
        }

        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }

    private static Gen<string> Any(string[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    private static void Run(string path, byte[] content)
    {
        var source = new MemorySource(new Dictionary<string, byte[]> { [path] = content });

        var result = SbomModule
            .GenerateAsync(BomGeneratorTests.Subject, source, CancellationToken.None)
            .GetAwaiter()
            .GetResult();

        if (result.Ok)
        {
            Assert.NotNull(CanonicalJson.TryParse(result.Value.Json));
        }
        else
        {
            Assert.StartsWith("sbom.", result.Failure.Code, StringComparison.Ordinal);
        }
    }
}
