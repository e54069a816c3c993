using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Benchmarks;

/// <summary>
/// Hashing beside <c>openssl dgst -sha256</c> on the same files in the same run: <c>govern verify</c> as a program of its own, its
/// CPU time and the most memory it held; and how long a bundle takes from digests that are known.
/// </summary>
internal static class Hashing
{
    private const int Rounds = 5;
    private const int Files = 5_000;
    private const double Mega = 1 << 20;

    public static async Task<int> RunAsync(int megabytes)
    {
        var directory = Directory.CreateTempSubdirectory("governance-hash-").FullName;
        try
        {
            var key = Path.Combine(directory, "key.pem");
            using (var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256))
            {
                await File.WriteAllTextAsync(key, pair.ExportPkcs8PrivateKeyPem());
            }

            // What a program costs that hashes next to nothing: start, reading bundle and key, the checks.
            var small = await FillAsync(Path.Combine(directory, "small"), 1, 1);
            var signed = Path.Combine(directory, "small.json");
            await RunAsync(Govern, ["sign", small, "--key", key, "--out", signed, "--public-key", $"{key}.pub"]);
            var idle = await BestAsync(Govern, ["verify", small, "--bundle", signed, "--key", $"{key}.pub"]);
            Say(
                "| what | MB | s | CPU s | less start-up | MB per CPU s | of openssl | cores | peak MB beyond start-up | load |"
            );
            Say("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
            foreach (var (name, count) in new[] { ("one file", 1), ("eight files", 8) })
            {
                var folder = await FillAsync(Path.Combine(directory, name), count, megabytes / count);
                var (bundle, pem) = (Path.Combine(directory, $"{count}.json"), Path.Combine(directory, $"{count}.pem"));
                await RunAsync(Govern, ["sign", folder, "--key", key, "--out", bundle, "--public-key", pem]);
                var paths = Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).ToArray();
                var openssl = await BestAsync("openssl", ["dgst", "-sha256", .. paths]);
                var govern = await BestAsync(Govern, ["verify", folder, "--bundle", bundle, "--key", pem]);
                Row($"openssl dgst, {name}", openssl, openssl, new Usage(0, 0, openssl.Peak));
                Row($"govern verify, {name}", govern, openssl, idle);
            }

            Bundle();
            return 0;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }

        void Row(string name, Usage usage, Usage openssl, Usage idle) =>
            Say(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"| {name} | {megabytes} | {usage.Seconds:F2} | {usage.Cpu:F2} | {usage.Cpu - idle.Cpu:F2} | {megabytes / (usage.Cpu - idle.Cpu):F0} | {openssl.Cpu / (usage.Cpu - idle.Cpu):P0} | {usage.Cpu / usage.Seconds:F2} | {usage.Peak - idle.Peak} | {Load.MachineLoad()} |"
                )
            );
    }

    private static string Govern
    {
        get
        {
            var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
            return Path.Combine(own.Parent!.Parent!.FullName, "Governance.Cli", own.Name, "govern");
        }
    }

    private static void Bundle()
    {
        using var pair = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var signer = ModelSigner.FromPem(new Secret(pair.ExportPkcs8PrivateKeyPem())).Value;
        var manifest = Manifest
            .Create(Enumerable.Range(0, Files).Select(i => new ManifestFile($"layer/{i:D5}.bin", i, Digest.Of($"{i}"))))
            .Value;
        var times = new List<double>();
        for (var i = 0; i < 50; i++)
        {
            var started = Stopwatch.GetTimestamp();
            var bundle = signer.SignModel("model", manifest);
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            GC.KeepAlive(bundle);
        }

        Say("");
        Say(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Bundle from {Files} known digests: first {times[0]:F1} ms, median {times.Order().ElementAt(times.Count / 2):F1} ms, longest of the last 40 {times.Skip(10).Max():F1} ms."
            )
        );
    }

    private static async Task<string> FillAsync(string folder, int count, int megabytes)
    {
        Directory.CreateDirectory(folder);
        var block = RandomNumberGenerator.GetBytes((int)Mega);
        for (var i = 0; i < count; i++)
        {
            await using var file = File.Create(Path.Combine(folder, $"{i}.bin"));
            for (var at = 0; at < megabytes; at++)
            {
                await file.WriteAsync(block);
            }
        }

        return folder;
    }

    private sealed record Usage(double Seconds, double Cpu, long Peak);

    // The least CPU time of some rounds: what is more than that is the machine's, not the program's.
    private static async Task<Usage> BestAsync(string program, string[] args)
    {
        var all = new List<Usage>();
        for (var round = 0; round < Rounds; round++)
        {
            all.Add(await RunAsync(program, args));
        }

        return all.MinBy(usage => usage.Cpu)! with
        {
            Peak = all.Max(usage => usage.Peak),
        };
    }

    private static async Task<Usage> RunAsync(string program, string[] args)
    {
        var start = new ProcessStartInfo(
            "bash",
            ["-c", "TIMEFORMAT='%R %U %S'; time \"$@\" >/dev/null", "time", program, .. args]
        )
        {
            RedirectStandardError = true,
        };
        using var shell = Process.Start(start)!;
        var said = shell.StandardError.ReadToEndAsync();
        var peak = 0L;
        while (!shell.HasExited)
        {
            peak = Math.Max(peak, Peak(shell.Id));
            await Task.Delay(2);
        }

        if (shell.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} ended with {shell.ExitCode}: {await said}");
        }

        var figures = (await said)
            .TrimEnd()
            .Split('\n')[^1]
            .Split(' ')
            .Select(figure => double.Parse(figure, CultureInfo.InvariantCulture))
            .ToArray();
        return new Usage(figures[0], figures[1] + figures[2], peak);
    }

    /// <summary>Megabytes of memory that the shell's child held at most so far; 0 when it has none.</summary>
    private static long Peak(int shell)
    {
        try
        {
            var child = File.ReadAllText($"/proc/{shell}/task/{shell}/children").Trim();
            var line = File.ReadLines($"/proc/{child}/status")
                .FirstOrDefault(text => text.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line is null
                ? 0
                : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)
                    / 1024;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static void Say(string line) => System.Console.WriteLine(line);
}
