using System.Diagnostics;
using System.IO.Compression;
using CsCheck;
using Governance.Scanning;
using Governance.Scanning.Contracts;

namespace Governance.Tests.Scanning;

public sealed class ScanBudgetTests
{
    [Fact]
    public async Task Random_bytes_never_throw_or_hang()
    {
        await Gen.Byte.Array[0, 400].SampleAsync(async bytes => await ScanWithin("model.pkl", bytes), iter: 3000);
    }

    [Fact]
    public async Task Random_opcodes_never_throw_or_hang()
    {
        var opcodes = "(.012FIJKLMNPQRSTUVXabcdeghijlopqrstu]})GBC\n"u8
            .ToArray()
            .Concat(Enumerable.Range(0x80, 0x19).Select(code => (byte)code))
            .ToArray();
        await Gen.Int[0, opcodes.Length - 1]
            .Select(i => opcodes[i])
            .Array[0, 200]
            .SampleAsync(async bytes => await ScanWithin("model.pkl", [0x80, 4, .. bytes]), iter: 5000);
    }

    [Fact]
    public async Task Mutations_of_hostile_and_ordinary_files_never_throw_or_hang()
    {
        var seeds = MaliciousPickles
            .All()
            .Select(family => (family.Path, family.Content))
            .Where(seed => seed.Content.Length > 0)
            .ToArray();
        await Gen.Select(
                Gen.Int[0, seeds.Length - 1].Select(i => seeds[i]),
                Gen.Int[0, 1 << 20],
                Gen.Byte,
                Gen.Int[0, 2]
            )
            .SampleAsync(
                async (seed, at, value, kind) =>
                {
                    var bytes = (byte[])seed.Content.Clone();
                    at %= bytes.Length;
                    bytes = kind switch
                    {
                        0 => [.. bytes[..at], value, .. bytes[(at + 1)..]],
                        1 => bytes[..at],
                        _ => [.. bytes[..at], value, .. bytes[at..]],
                    };
                    await ScanWithin(seed.Path, bytes);
                },
                iter: 5000
            );
    }

    [Theory]
    [InlineData("stack", "(")]
    [InlineData("values", "N")]
    public async Task An_endless_push_hits_the_stack_budget(string name, string opcode)
    {
        var bytes = new byte[200_000];
        Array.Fill(bytes, (byte)opcode[0]);

        var report = await MemoryArtifacts.ScanAsync(
            "model.pkl",
            [0x80, 4, .. bytes],
            new ScanningOptions { MaxStack = 1000 }
        );

        Assert.True(report.Class == ScanClass.TimedOut, name);
    }

    [Fact]
    public async Task A_compression_bomb_is_refused_by_ratio()
    {
        var bomb = Archives.Zip(CompressionLevel.Optimal, ("a", new byte[40 << 20]));

        var report = await MemoryArtifacts.ScanAsync("a.zip", bomb);

        Assert.Equal(ScanClass.TimedOut, report.Class);
    }

    [Fact]
    public async Task Expanded_bytes_are_bounded_in_all()
    {
        var archive = Archives.Zip(
            CompressionLevel.Optimal,
            [.. Enumerable.Range(0, 20).Select(i => ($"{i}", new byte[100_000]))]
        );

        var report = await MemoryArtifacts.ScanAsync(
            "a.zip",
            archive,
            new ScanningOptions { MaxExpandedBytes = 500_000 }
        );

        Assert.Equal(ScanClass.TimedOut, report.Class);
    }

    [Fact]
    public async Task Archives_inside_archives_end_at_the_nesting_limit()
    {
        var bytes = MaliciousPickles.OsSystem;
        for (var i = 0; i < 8; i++)
        {
            bytes = Archives.Zip(("a", bytes));
        }

        var report = await MemoryArtifacts.ScanAsync("a.zip", bytes);

        Assert.Contains(report.Findings, finding => finding.Rule == "archive.nested-too-deep");
    }

    [Fact]
    public async Task Members_are_counted()
    {
        var archive = Archives.Zip([.. Enumerable.Range(0, 50).Select(i => ($"{i}.txt", "x"u8.ToArray()))]);

        var report = await MemoryArtifacts.ScanAsync("a.zip", archive, new ScanningOptions { MaxMembers = 10 });

        Assert.Equal(ScanClass.TimedOut, report.Class);
    }

    [Fact]
    public async Task A_file_over_the_byte_budget_is_not_clean()
    {
        var report = await MemoryArtifacts.ScanAsync("a.txt", new byte[1000], new ScanningOptions { MaxBytes = 100 });

        Assert.Equal(ScanClass.TimedOut, report.Class);
    }

    [Fact]
    public async Task A_file_too_large_for_memory_is_scanned_from_a_temporary_file()
    {
        var pickle = PickleAssembler.Proto(4).Bytes(new byte[300_000]).Op('0').StackGlobal("os", "system").Stop();

        var report = await MemoryArtifacts.ScanAsync(
            "model.pkl",
            pickle,
            new ScanningOptions { MaxMemoryBytes = 1000 }
        );

        Assert.Equal(ScanClass.Malicious, report.Class);
    }

    [Fact]
    public async Task Opcode_dense_pickles_are_walked_quickly()
    {
        var pickle = PickleAssembler.Proto(4).Op(']').Raw(0x94).Op('(');
        for (var i = 0; i < 250_000; i++)
        {
            pickle
                .Op('}')
                .Raw(0x94)
                .Op('(')
                .Text("ab")
                .Raw(0x94)
                .Int(1)
                .Text("cd")
                .Raw(0x94)
                .Op('N')
                .Text("ef")
                .Raw(0x94)
                .Text("val")
                .Raw(0x94)
                .Op('u');
        }

        var bytes = pickle.Op('e').Stop();
        await MemoryArtifacts.ScanAsync("model.pkl", bytes);

        var watch = Stopwatch.StartNew();
        var report = await MemoryArtifacts.ScanAsync("model.pkl", bytes);

        Assert.Equal(ScanClass.Clean, report.Class);
        var rate = bytes.Length / 1e6 / watch.Elapsed.TotalSeconds;
        TestContext.Current.TestOutputHelper?.WriteLine($"{rate:F1} MB/s");
        Assert.True(rate > 0.3, $"{rate:F1} MB/s"); // catches quadratic walks; speed is for benchmarks
    }

    [Fact]
    public void The_rules_version_carries_the_hash_of_the_rules() =>
        Assert.Matches("^[0-9]{4}\\.[0-9]+\\.[0-9]+\\+[0-9a-f]{8}$", ScanningModule.CreateScanner().RulesVersion);

    [Fact]
    public async Task Findings_are_printable_and_short()
    {
        var pickle = PickleAssembler.Proto(4).StackGlobal("os\u202e\u001b[31m", new string('x', 500)).Stop();

        var report = await MemoryArtifacts.ScanAsync("model.pkl", pickle);

        Assert.All(
            report.Findings,
            finding =>
                Assert.True(
                    finding.Detail.Length <= 200
                        && !finding.Detail.Any(char.IsControl)
                        && !finding.Detail.Contains('\u202e', StringComparison.Ordinal)
                )
        );
    }

    private static async Task ScanWithin(string path, byte[] bytes)
    {
        var watch = Stopwatch.StartNew();
        await MemoryArtifacts.ScanAsync(path, bytes);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10));
    }
}
