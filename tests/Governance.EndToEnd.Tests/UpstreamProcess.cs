using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Registry.Contracts;
using Governance.Tests;
using Governance.Tests.Registry;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.EndToEnd.Tests;

/// <summary>
/// A server that speaks MLflow and governs nothing, in a process of its own that can be killed: the Registry module with a gate
/// that allows everything. What it acknowledged outlives it.
/// </summary>
internal sealed class UpstreamProcess : IDisposable
{
    public const string Verb = "upstream";
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(60);
    private readonly string _root = Directory.CreateTempSubdirectory("governance-upstream-").FullName;
    private readonly HttpClient _client = new();
    private Process? _process;

    public string Url { get; } = $"http://127.0.0.1:{FreePort.Find()}";

    /// <summary>How long each request rests, from the next start on.</summary>
    public TimeSpan Pause { get; set; }

    /// <summary>Puts a gateway before it, whose looks at everything come often.</summary>
    public IReadOnlyDictionary<string, string> Settings =>
        new Dictionary<string, string>
        {
            ["Governance__Registry__Upstream__Server__Url"] = Url,
            ["Governance__Registry__Upstream__Server__AllowHttp"] = "true",
            ["Governance__Registry__Upstream__DriftMilliseconds"] = "200",
            ["Governance__Registry__Upstream__SweepSeconds"] = "1",
        };

    /// <summary>What the process does: serves until nobody holds its input any more. Each request rests for a while first.</summary>
    public static async Task<int> ServeAsync(string url, string root, string pause)
    {
        var rest = TimeSpan.FromMilliseconds(int.Parse(pause, CultureInfo.InvariantCulture));
        await using var host = await RegistryHost.StartAsync(
            services => services.AddSingleton<IInputDatasets, AnyDataset>(),
            around: async (context, next) =>
            {
                await Task.Delay(rest);
                await next(context);
            },
            url: url,
            root: root
        );
        await System.Console.In.ReadToEndAsync();
        return 0;
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "Governance.EndToEnd.Tests"))
        {
            ArgumentList = { Verb, Url, _root, Pause.TotalMilliseconds.ToString(CultureInfo.InvariantCulture) },
            RedirectStandardInput = true,
            UseShellExecute = false,
        };
        start.Environment.Remove("GOVERNANCE_TEST_POSTGRES");
        _process = Process.Start(start)!;
        var clock = Stopwatch.StartNew();
        while (!await IsReadyAsync(cancellationToken))
        {
            Assert.True(
                !_process.HasExited && clock.Elapsed < ReadyWithin,
                "The server behind the gateway did not start."
            );
            await Task.Delay(20, cancellationToken);
        }
    }

    /// <summary>SIGKILL, and waits until the process is gone.</summary>
    public void Kill()
    {
        _process?.Kill();
        _process?.WaitForExit(TimeSpan.FromSeconds(30));
        _process?.Dispose();
        _process = null;
    }

    /// <summary>Asks it past the gateway.</summary>
    public async Task<JsonNode> AskAsync(
        string route,
        JsonObject? body,
        CancellationToken cancellationToken,
        HttpMethod? method = null
    )
    {
        using var request = new HttpRequestMessage(
            method ?? (body is null ? HttpMethod.Get : HttpMethod.Post),
            $"{Url}/api/2.0/mlflow/{route}"
        )
        {
            Content = body is null ? null : JsonContent.Create(body),
        };
        using var answer = await _client.SendAsync(request, cancellationToken);
        var text = await answer.Content.ReadAsStringAsync(cancellationToken);
        return answer.IsSuccessStatusCode
            ? JsonNode.Parse(text)!
            : throw new InvalidOperationException($"{route}: {answer.StatusCode} {text}");
    }

    /// <summary>Its bytes of a file; null when it has none.</summary>
    public async Task<byte[]?> FileAsync(string path, CancellationToken cancellationToken)
    {
        using var answer = await _client.GetAsync(FileUri(path), cancellationToken);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsByteArrayAsync(cancellationToken) : null;
    }

    public async Task PutFileAsync(string path, byte[] bytes, CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(bytes);
        using var answer = await _client.PutAsync(FileUri(path), content, cancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    public void Dispose()
    {
        Kill();
        _client.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    // To whoever knows no gateway, a gateway's name of a dataset is a text like another.
    private sealed class AnyDataset : IInputDatasets
    {
        public Task<bool> MayUseAsync(Actor actor, Digest sha256, CancellationToken cancellationToken) =>
            Task.FromResult(true);
    }

    private Uri FileUri(string path) => new($"{Url}/api/2.0/mlflow-artifacts/artifacts/{path}");

    private async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await AskAsync("registered-models/search?max_results=1", null, cancellationToken) is not null;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
