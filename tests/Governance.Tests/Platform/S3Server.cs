using System.Diagnostics;
using System.Globalization;
using Governance.Platform.Blobs;

namespace Governance.Tests.Platform;

/// <summary>OpenStack Swift with its S3 API in a process of its own, with one bucket in a directory that goes with it.</summary>
internal sealed class S3Server : IAsyncDisposable
{
    public const string Bucket = "governance";
    public const string AccessKey = "test:tester";
    public const string SecretKey = "testing";
    private readonly Process _process;
    private readonly string _directory;
    private readonly int _port;

    private S3Server(Process process, string directory, int port) =>
        (_process, _directory, _port) = (process, directory, port);

    public S3Options Options =>
        new()
        {
            Endpoint = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_port}"),
            Bucket = Bucket,
            AccessKey = AccessKey,
            SecretKey = SecretKey,
            Retries = 0,
            TimeoutSeconds = 20,
        };

    public static async Task<S3Server> StartAsync()
    {
        var root = Path.GetDirectoryName(TestDatabase.PoliciesDirectory())!;
        var directory = Directory.CreateTempSubdirectory("governance-s3-").FullName;
        var process = Process.Start(
            // Debian's own Python: Swift is a package of the distribution.
            new ProcessStartInfo(
                "/usr/bin/python3",
                [Path.Combine(root, "tests", "peers", "s3", "serve.py"), directory]
            )
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            }
        )!;
        var port = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
        return new S3Server(
            process,
            directory,
            int.Parse(
                port ?? throw new InvalidOperationException("Swift did not start; is python3-swift installed?"),
                CultureInfo.InvariantCulture
            )
        );
    }

    /// <summary>The server is gone; what it keeps stays.</summary>
    public async Task StopAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _process.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
