using System.Diagnostics;
using System.Text;
using Governance.Gateway.Hosting;

namespace Governance.Gateway.Tests.Live;

/// <summary>Another program, run to its end.</summary>
internal sealed record ChildProcess(int ExitCode, string Output, string Errors)
{
    /// <summary>A script below tests/peers, with the packages that test.sh installs beside it.</summary>
    public static Task<ChildProcess> NodeAsync(string script, params string[] args)
    {
        var path = Path.Combine(Paths.Base, "tests", "peers", script);
        Assert.True(
            Directory.Exists(Path.Combine(Path.GetDirectoryName(path)!, "node_modules")),
            $"The packages of {script} are not installed: run ./test.sh once."
        );
        return RunAsync("node", [path, .. args], TimeSpan.FromMinutes(2));
    }

    /// <summary>Runs it; each line that it says on the way is handed on.</summary>
    public static async Task<ChildProcess> RunAsync(
        string program,
        IEnumerable<string> args,
        TimeSpan limit,
        string input = "",
        IReadOnlyDictionary<string, string?>? environment = null,
        Func<string, Task>? said = null
    )
    {
        var start = new ProcessStartInfo(program, args)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        timeout.CancelAfter(limit);
        try
        {
            await process.StandardInput.WriteAsync(input.AsMemory(), timeout.Token);
            process.StandardInput.Close();
            var output = ReadAsync(process.StandardOutput, said, timeout.Token);
            var errors = process.StandardError.ReadToEndAsync(timeout.Token);
            await process.WaitForExitAsync(timeout.Token);
            return new ChildProcess(process.ExitCode, await output, await errors);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private static async Task<string> ReadAsync(
        StreamReader output,
        Func<string, Task>? said,
        CancellationToken cancellationToken
    )
    {
        if (said is null)
        {
            return await output.ReadToEndAsync(cancellationToken);
        }

        var all = new StringBuilder();
        while (await output.ReadLineAsync(cancellationToken) is { } line)
        {
            all.AppendLine(line);
            await said(line);
        }

        return all.ToString();
    }
}
