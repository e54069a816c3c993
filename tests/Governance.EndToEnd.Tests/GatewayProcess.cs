using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Platform.Database;
using Governance.Tests;
using Governance.Tests.Platform;
using Npgsql;

namespace Governance.EndToEnd.Tests;

/// <summary>What a dead process left unfinished.</summary>
/// <param name="Running">Kinds of jobs that were at work.</param>
/// <param name="Waiting">Kinds of jobs that waited.</param>
/// <param name="Unsequenced">Log entries that are committed and in no checkpoint yet.</param>
/// <param name="HalfWritten">Files of uploads under way that hold some bytes.</param>
/// <param name="Orphans">Files under their digest that no committed row knows.</param>
/// <param name="Unmade">Changes and new things that the server behind the gateway does not have yet, as far as is known.</param>
/// <param name="Import">The phase of an import that goes on; empty when none does.</param>
internal sealed record Remains(
    IReadOnlyList<string> Running,
    IReadOnlyList<string> Waiting,
    int Unsequenced,
    int HalfWritten,
    int Orphans,
    int Unmade,
    string Import
)
{
    public override string ToString() =>
        $"running {string.Join(", ", Running)}; waiting {string.Join(", ", Waiting)}; {Unsequenced} entries to sequence; "
        + $"{HalfWritten} half-written files; {Orphans} orphans; {Unmade} to make upstream";
}

/// <summary>The real gateway as a child process on loopback, with its own data directory and key file, which outlive kills.</summary>
/// <param name="settings">Settings beside the usual ones.</param>
/// <param name="postgres">On a database of its own of the PostgreSQL server that <c>GOVERNANCE_TEST_POSTGRES</c> names.</param>
internal sealed class GatewayProcess(IReadOnlyDictionary<string, string>? settings = null, bool postgres = false)
    : IAsyncDisposable
{
    private const int KeptLines = 60;
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(90);
    private readonly string _root = Directory.CreateTempSubdirectory("governance-crash-").FullName;
    private readonly int _port = FreePort.Find();
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly HashSet<string> _wholeBlobs = [];
    private DatabaseOptions _database = new();
    private Process? _process;
    private SocketsHttpHandler? _handler;

    /// <summary>Whether other gateways may use the same data: what a dead one left may be another's.</summary>
    public bool IsShared => postgres;

    public string Url => $"https://localhost:{_port}";

    /// <summary>The one-time code that the first start of an empty data directory prints.</summary>
    public string SetupCode { get; private set; } = "";

    /// <summary>Pins the CA of this installation; anew after each start, so that no connection outlives a process.</summary>
    public SocketsHttpHandler Handler => _handler ?? throw new InvalidOperationException("The gateway does not run.");

    /// <summary>The jobs that this process and those before it ran, as their log tells.</summary>
    public JobLog Jobs { get; } = new();

    /// <summary>The last lines that the gateway wrote.</summary>
    public string Output => string.Join('\n', _lines);

    /// <summary>Starts on the same data as before and waits until it is ready; gives back how long that took.</summary>
    public async Task<TimeSpan> StartAsync(CancellationToken cancellationToken)
    {
        _handler?.Dispose();
        _handler = null;
        _database = postgres ? await TestServer.OptionsAsync(_root) : _database;
        var clock = Stopwatch.StartNew();
        var executable = Executable("Governance.Gateway", "Governance.Gateway");
        var start = new ProcessStartInfo(executable)
        {
            WorkingDirectory = Path.GetDirectoryName(executable),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["Governance__Urls"] = Url;
        start.Environment["Governance__PublicUrl"] = Url;
        start.Environment["Governance__DataDirectory"] = Data;
        start.Environment["Governance__KeyFile"] = Path.Combine(_root, "gateway.kek");
        start.Environment["Governance__Database__Provider"] = _database.Provider;
        start.Environment["Governance__Database__ConnectionString"] = _database.ConnectionString;
        start.Environment["Governance__Identity__AccessTokenMinutes"] = "720";
        start.Environment["Governance__Identity__RecentSignInMinutes"] = "480";
        start.Environment["Governance__Identity__SignInPerMinute"] = "600";
        start.Environment["Governance__Identity__TokensPerMinute"] = "600";
        start.Environment["Governance__Signing__RotationLeadSeconds"] = "0"; // keys are replaced one right after another
        start.Environment["Governance__Blobs__Compression"] = "None"; // so that a file on disk is what its name says
        start.Environment["Logging__LogLevel__Governance.Platform.Jobs"] = "Debug"; // tells when a job begins and ends
        start.Environment["DOTNET_TieredPGO"] = "0"; // most of a short life is start-up
        start.Environment["DOTNET_TC_CallCounting"] = "0";
        foreach (var (name, value) in settings ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.Start();
        _process = process;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        while (!await IsReadyAsync(cancellationToken))
        {
            if (process.HasExited || clock.Elapsed > ReadyWithin)
            {
                throw new InvalidOperationException(
                    $"The gateway did not become ready ({(process.HasExited ? $"exit code {process.ExitCode}" : "timeout")}):\n{Output}"
                );
            }

            await Task.Delay(20, cancellationToken);
        }

        return clock.Elapsed;
    }

    /// <summary>SIGKILL, and waits until the process is gone.</summary>
    public void Kill()
    {
        if (_process is { } process)
        {
            _process = null;
            process.Kill();
            process.WaitForExit(TimeSpan.FromSeconds(30));
            process.Dispose();
        }
    }

    /// <summary>What the dead process left unfinished.</summary>
    public Remains Remains()
    {
        using var rows = OpenDead();
        var named = rows.Read("""select "Digest" from platform_blob""").ToHashSet();
        return new Remains(
            [.. rows.Read("""select "Kind" from platform_job where "State" = 1""")],
            [.. rows.Read("""select "Kind" from platform_job where "State" = 0""")],
            rows.Count(
                """select count(*) from audit_entry where "Serial" > (select coalesce(max("Serial"), 0) from audit_leaf)"""
            ),
            HalfWritten().Count(file => file.Length > 0),
            BlobFiles().Count(file => !named.Contains(file.Name)),
            rows.Unmade(),
            rows.Read("""select "Phase" from registry_imports where "State" = 'Running'""").SingleOrDefault() ?? ""
        );
    }

    /// <summary>The rows of the running process. To be closed before it dies: who closes the files last repairs them.</summary>
    public Rows OpenLive() => Rows.OfFile(Path.Combine(Data, "governance.db"));

    // A copy of the files: opening them would repair them before the gateway has to.
    private Rows OpenDead()
    {
        if (postgres)
        {
            return new Rows(new NpgsqlConnection(_database.ConnectionString));
        }

        var copy = Directory.CreateDirectory(Path.Combine(_root, "copy")).FullName;
        foreach (var suffix in new[] { "", "-wal" })
        {
            var file = Path.Combine(Data, $"governance.db{suffix}");
            File.Delete(Path.Combine(copy, $"governance.db{suffix}"));
            if (File.Exists(file))
            {
                File.Copy(file, Path.Combine(copy, $"governance.db{suffix}"));
            }
        }

        return Rows.OfFile(Path.Combine(copy, "governance.db"));
    }

    /// <summary>Files of uploads under way: of artifacts, of datasets, of keys.</summary>
    public IEnumerable<FileInfo> HalfWritten() =>
        new DirectoryInfo(Path.Combine(Data, "blobs", "incoming"))
            .EnumerateFiles()
            .Concat(new DirectoryInfo(Data).EnumerateFiles("*.tmp", SearchOption.AllDirectories));

    /// <summary>Files that lie where blobs lie and are not what their name says; files seen whole before are not read again.</summary>
    public IReadOnlyList<string> BrokenBlobs()
    {
        var broken = new List<string>();
        foreach (var file in BlobFiles().Where(file => !_wholeBlobs.Contains(file.Name)))
        {
            using var content = file.OpenRead();
            if (Convert.ToHexStringLower(SHA256.HashData(content)) == file.Name)
            {
                _wholeBlobs.Add(file.Name);
            }
            else
            {
                broken.Add($"the file of blob {file.Name} has {file.Length} other bytes");
            }
        }

        return broken;
    }

    public HttpClient Client() =>
        new(Handler, disposeHandler: false) { BaseAddress = new Uri(Url), Timeout = TimeSpan.FromSeconds(60) };

    public async ValueTask DisposeAsync()
    {
        Kill();
        _handler?.Dispose();
        if (postgres)
        {
            NpgsqlConnection.ClearAllPools();
            await TestServer.DropAsync(_root);
        }

        Directory.Delete(_root, recursive: true);
    }

    /// <summary>A handler that trusts the CA of this installation and nothing else.</summary>
    public SocketsHttpHandler NewHandler() =>
        new()
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = true,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            SslOptions = new SslClientAuthenticationOptions
            {
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore =
                    {
                        X509CertificateLoader.LoadCertificateFromFile(Path.Combine(Data, "tls", "ca.pem")),
                    },
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            },
        };

    public string Data => Path.Combine(_root, "data");

    private IEnumerable<FileInfo> BlobFiles() =>
        new DirectoryInfo(Path.Combine(Data, "blobs"))
            .EnumerateFiles("*", SearchOption.AllDirectories)
            .Where(file => file.Directory!.Name != "incoming");

    private async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(Path.Combine(Data, "tls", "ca.pem")))
        {
            return false;
        }

        _handler ??= NewHandler();
        try
        {
            using var client = Client();
            using var answer = await client.GetAsync(new Uri("/health/ready", UriKind.Relative), cancellationToken);
            return answer.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        if (line.StartsWith("Set-up code", StringComparison.Ordinal))
        {
            SetupCode = line[(line.LastIndexOf(' ') + 1)..];
        }

        if (Jobs.Takes(line))
        {
            return;
        }

        _lines.Enqueue(line);
        while (_lines.Count > KeptLines)
        {
            _lines.TryDequeue(out _);
        }
    }

    /// <summary>A program of another project: the build puts its output beside that of this one.</summary>
    public static string Executable(string project, string program)
    {
        var own = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        return Path.Combine(own.Parent!.Parent!.FullName, project, own.Name, program);
    }
}
