using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Tests;
using Microsoft.Data.Sqlite;

namespace Governance.Benchmarks;

/// <summary>The server that is measured: a gateway started here, or one that runs already.</summary>
internal sealed class Target : IAsyncDisposable, IDisposable
{
    private readonly Process? _child;
    private readonly string _directory;

    private Target(HttpClient http, int? processId, Process? child, string directory)
    {
        Http = http;
        ProcessId = processId;
        _child = child;
        _directory = directory;
    }

    public HttpClient Http { get; }

    public int? ProcessId { get; }

    /// <summary>Credentials of the account whose token is used, as HTTP Basic; null for a server that was not started here.</summary>
    public AuthenticationHeaderValue? Credentials { get; private init; }

    /// <summary>Path of the CA certificate of a gateway of its own.</summary>
    public string Authority { get; private init; } = "";

    /// <summary>Token of <see cref="ServedGateway.Prober"/>.</summary>
    public string ProberToken { get; private init; } = "";

    /// <summary>Whether the job workers can be held back.</summary>
    public bool HoldsJobs => _child is not null;

    public static async Task<Target> OpenAsync(Settings settings)
    {
        if (settings.Url is { } url)
        {
            return new Target(
                Client(url, settings.Authority, settings.Connections, settings.Token),
                settings.ProcessId,
                null,
                ""
            );
        }

        return await OwnAsync(settings);
    }

    /// <summary>The server beside it, if one is.</summary>
    public static Target? Beside(Settings settings) =>
        settings.Beside is { } url
            ? new Target(Client(url, "", settings.Connections, ""), settings.BesideProcessId, null, "")
            : null;

    private static async Task<Target> OwnAsync(Settings settings)
    {
        var directory = Directory.CreateTempSubdirectory("governance-benchmark-").FullName;
        var address = new Uri($"https://localhost:{FreePort.Find()}");
        var child = Process.Start(
            new ProcessStartInfo(
                Environment.ProcessPath!,
                [
                    "serve",
                    $"--Governance:Urls={address.GetLeftPart(UriPartial.Authority)}",
                    $"--Governance:DataDirectory={directory}/data",
                    $"--Governance:KeyFile={directory}/key",
                    "--Governance:Identity:AccessTokenMinutes=60",
                    "--Governance:Identity:TokensPerMinute=100000",
                    "--Governance:Limits:PointsPerMinute=100000000",
                    "--Governance:Limits:AnonymousPointsPerMinute=100000000",
                ]
            )
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            }
        )!;
        var target = new Target(new HttpClient(), child.Id, child, directory);
        try
        {
            var words = (await target.HearAsync()).Split(' ', 2);
            using var anonymous = Client(address, words[1], 1, "");
            var token = await TokenAsync(anonymous, ServedGateway.Account, words[0]);
            var credentials = Encoding.ASCII.GetBytes($"{ServedGateway.Account}:{words[0]}");
            return new Target(Client(address, words[1], settings.Connections, token), child.Id, child, directory)
            {
                Credentials = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(credentials)),
                Authority = words[1],
                ProberToken = await TokenAsync(anonymous, ServedGateway.Prober, words[0]),
            };
        }
        catch
        {
            await target.DisposeAsync();
            throw;
        }
    }

    private static async Task<string> TokenAsync(HttpClient anonymous, string account, string secret)
    {
        using var form = new FormUrlEncodedContent(
            new Dictionary<string, string>
            {
                ["grant_type"] = "client_credentials",
                ["client_id"] = account,
                ["client_secret"] = secret,
            }
        );
        using var answer = await anonymous.PostAsync(new Uri("/connect/token", UriKind.Relative), form);
        var body = JsonNode.Parse(await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync())!;
        return body["access_token"]!.GetValue<string>();
    }

    /// <summary>Starts or stops the job workers of the child.</summary>
    public Task JobsAsync(bool on) => OrderAsync(on ? "jobs on" : "jobs off");

    /// <summary>Adds models like one that was made over the API; their names are <see cref="Seeding.Name"/>.</summary>
    public Task SeedAsync(string template, int models, int versions) =>
        OrderAsync(string.Create(CultureInfo.InvariantCulture, $"seed {template} {models} {versions}"));

    /// <summary>Commits log entries, so many at once; nothing else.</summary>
    public Task LogAsync(int entries, int atOnce) =>
        OrderAsync(string.Create(CultureInfo.InvariantCulture, $"log {entries} {atOnce}"));

    private async Task OrderAsync(string order)
    {
        await _child!.StandardInput.WriteLineAsync(order);
        await _child.StandardInput.FlushAsync();
        await HearAsync();
    }

    /// <summary>Waits until the child has no job waiting or running; at most ten minutes.</summary>
    public async Task DrainAsync()
    {
        await using var db = new SqliteConnection($"Data Source={_directory}/data/governance.db;Mode=ReadOnly");
        await db.OpenAsync();
        await using var command = db.CreateCommand();
        command.CommandText = "SELECT count(*) FROM platform_job WHERE State < 2";
        for (var i = 0; i < 6000; i++)
        {
            if ((long)(await command.ExecuteScalarAsync())! == 0)
            {
                return;
            }

            await Task.Delay(100);
        }

        throw new TimeoutException("The jobs did not finish in ten minutes.");
    }

    /// <summary>CPU time of the server so far, user and system, in milliseconds, with the processes that it started; null when it is not known.</summary>
    public double? Cpu() => ProcessId is { } id ? Family(id).Sum(CpuOf) : null;

    private static IEnumerable<int> Family(int id) =>
        Directory
            .EnumerateDirectories($"/proc/{id}/task")
            .SelectMany(thread =>
                File.ReadAllText($"{thread}/children")
                    .Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            )
            .SelectMany(child => Family(int.Parse(child, CultureInfo.InvariantCulture)))
            .Prepend(id);

    private static double CpuOf(int id)
    {
        // The name in parentheses may hold spaces; user and system time are the 14th and 15th field, in hundredths.
        var text = File.ReadAllText($"/proc/{id}/stat");
        var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return 10.0
            * (
                long.Parse(fields[11], CultureInfo.InvariantCulture)
                + long.Parse(fields[12], CultureInfo.InvariantCulture)
            );
    }

    /// <summary>Resident memory of the server process in MB, now or (<c>VmHWM:</c>) at most so far; null when it is not known.</summary>
    public long? Memory(string field = "VmRSS:")
    {
        if (ProcessId is not { } id)
        {
            return null;
        }

        var line = File.ReadLines($"/proc/{id}/status").First(text => text.StartsWith(field, StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)
            / 1024;
    }

    public void Dispose() => Http.Dispose();

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (_child is not null)
        {
            _child.StandardInput.Close();
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            try
            {
                _ = await _child.StandardOutput.ReadToEndAsync(limit.Token);
                await _child.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                _child.Kill();
            }

            _child.Dispose();
            Directory.Delete(_directory, recursive: true);
        }
    }

    private async Task<string> HearAsync()
    {
        while (await _child!.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith(ServedGateway.Mark, StringComparison.Ordinal))
            {
                return line[ServedGateway.Mark.Length..];
            }

            await System.Console.Error.WriteLineAsync(line);
        }

        throw new InvalidOperationException("The gateway ended.");
    }

    private static HttpClient Client(Uri url, string authority, int connections, string token)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            MaxConnectionsPerServer = connections,
        };
        if (authority.Length > 0)
        {
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                CustomTrustStore = { X509CertificateLoader.LoadCertificateFromFile(authority) },
                RevocationMode = X509RevocationMode.NoCheck,
            };
        }

        var client = new HttpClient(handler) { BaseAddress = url, Timeout = TimeSpan.FromMinutes(30) };
        if (token.Length > 0)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        return client;
    }
}
