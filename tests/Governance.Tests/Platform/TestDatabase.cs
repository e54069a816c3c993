using System.Collections.Concurrent;
using Governance.Platform;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Governance.Tests.Platform;

/// <summary>A real database (<see cref="TestServer"/>), blob store, writer and jobs in a directory of its own, with the modules a test asks for.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly IReadOnlyList<IHostedService> _hosted;

    private TestDatabase(ServiceProvider services, string directory, bool startHosted)
    {
        _services = services;
        Directory = directory;
        _hosted = startHosted ? [.. services.GetServices<IHostedService>()] : [];
    }

    public string Directory { get; }

    public IServiceProvider Services => _services;

    public IWriter Writer => Get<IWriter>();

    public IBlobStore Blobs => Get<IBlobStore>();

    /// <summary>Entries appended, when the test uses the recording log.</summary>
    public RecordingLog Log => Get<RecordingLog>();

    public RecordingGraph Graph => Get<RecordingGraph>();

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    public GovernanceDb Read() => Get<IDbContextFactory<GovernanceDb>>().CreateDbContext();

    /// <summary>
    /// Starts a database; <paramref name="add"/> adds modules; real log and graph modules replace the recording ones. What is
    /// in <paramref name="root"/> already is gone on with. The store of subjects' keys is <paramref name="marked"/>, as a start does.
    /// </summary>
    public static async Task<TestDatabase> StartAsync(
        Action<IServiceCollection>? add = null,
        bool startHosted = false,
        TimeProvider? clock = null,
        string? root = null,
        bool marked = true
    )
    {
        root ??= System.IO.Directory.CreateTempSubdirectory("governance-test-").FullName;
        var data = Path.Combine(root, "data");
        System.IO.Directory.CreateDirectory(data);
        var services = new ServiceCollection();
        services.AddSingleton(
            new PlatformOptions
            {
                DataDirectory = data,
                PoliciesDirectory = PoliciesDirectory(),
                KeyFile = Path.Combine(root, "kek"),
            }
        );
        services.AddSingleton(await TestServer.OptionsAsync(root, make: false));
        services.AddSingleton(clock ?? TimeProvider.System);
        services.AddSingleton(typeof(Microsoft.Extensions.Logging.ILogger<>), typeof(NullLogger<>));
        services.AddSingleton<Microsoft.Extensions.Logging.ILoggerFactory>(NullLoggerFactory.Instance);
        services.AddPlatform();
        add?.Invoke(services);
        services.TryAddSingleton<RecordingLog>();
        services.TryAddSingleton<RecordingGraph>();
        services.TryAddSingleton<ILogAppender>(provider => provider.GetRequiredService<RecordingLog>());
        services.TryAddSingleton<IGraphWriter>(provider => provider.GetRequiredService<RecordingGraph>());
        var database = new TestDatabase(services.BuildServiceProvider(), root, startHosted);
        await using (var db = database.Read())
        {
            await TestServer.MakeTablesAsync(db);
        }

        if (marked)
        {
            await database.Get<ISubjectKeyStore>().CreateAsync(SubjectKeyHome.Nobody, CancellationToken.None);
        }

        foreach (var hosted in database._hosted)
        {
            await hosted.StartAsync(CancellationToken.None);
        }

        return database;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var hosted in _hosted.Reverse())
        {
            await hosted.StopAsync(CancellationToken.None);
        }

        await _services.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        await TestServer.DropAsync(Directory);
        // Another one on the same directory may have ended first.
        if (System.IO.Directory.Exists(Directory))
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
    }

    /// <summary>The repository's policies directory, found upwards from the test binary.</summary>
    public static string PoliciesDirectory()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Governance.sln")))
        {
            directory = directory.Parent;
        }

        return Path.Combine(
            directory?.FullName ?? throw new InvalidOperationException("Run from the repository."),
            "policies"
        );
    }
}

/// <summary>A log that only remembers; for tests of modules below or beside Audit.</summary>
public sealed class RecordingLog : ILogAppender
{
    private readonly ConcurrentQueue<LogEntry> _entries = new();

    public IReadOnlyList<LogEntry> Entries => [.. _entries];

    public Task<IReadOnlyList<Guid>> AppendAsync(
        GovernanceDb db,
        IReadOnlyCollection<LogEntry> entries,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        foreach (var entry in entries)
        {
            _entries.Enqueue(entry);
        }

        return Task.FromResult<IReadOnlyList<Guid>>([.. entries.Select(_ => Guid.CreateVersion7(now))]);
    }

    public Task<IReadOnlyList<string>> LastSealedAsync(GovernanceDb db, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<string>>([]);
}

/// <summary>A graph that only remembers.</summary>
public sealed class RecordingGraph : IGraphWriter
{
    private readonly ConcurrentQueue<GraphEdge> _edges = new();

    public IReadOnlyList<GraphEdge> Edges => [.. _edges];

    public Task LinkAsync(
        GovernanceDb db,
        GraphEdge edge,
        Guid entryId,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        _edges.Enqueue(edge);
        return Task.CompletedTask;
    }
}
