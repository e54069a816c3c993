using System.Diagnostics;
using System.Globalization;
using Governance.Platform.Blobs;

namespace Governance.Tests.Platform;

/// <summary>A real S3 API server in a process of its own, with one bucket in a directory that goes with it.</summary>
internal sealed class S3Server : IAsyncDisposable
{
    public const string Bucket = "governance";
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
            AccessKey = "S3RVER",
            SecretKey = "S3RVER",
            Retries = 0,
            TimeoutSeconds = 20,
        };

    public static async Task<S3Server> StartAsync()
    {
        var root = Path.GetDirectoryName(TestDatabase.PoliciesDirectory())!;
        var directory = Directory.CreateTempSubdirectory("governance-s3-").FullName;
        var process = Process.Start(
            new ProcessStartInfo("node", [Path.Combine(root, "tests", "peers", "s3", "serve.mjs"), directory])
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
                port ?? throw new InvalidOperationException("npm ci in tests/peers/s3"),
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
