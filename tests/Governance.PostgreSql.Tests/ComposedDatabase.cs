using Governance.Gateway.Database;
using Governance.Gateway.Hosting;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Tests.Platform;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Governance.PostgreSql.Tests;

/// <summary>All modules of the gateway on a migrated database of their own, without server and workers.</summary>
internal sealed class ComposedDatabase : IAsyncDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("governance-composed-").FullName;
    private ServiceProvider? _services;

    public IWriter Writer => Get<IWriter>();

    /// <summary>On PostgreSQL, or on SQLite to compare with.</summary>
    public static async Task<ComposedDatabase> StartAsync(bool sqlite = false, TimeProvider? clock = null)
    {
        Assert.True(TestServer.IsPostgreSql, "Set GOVERNANCE_TEST_POSTGRES; test.sh does.");
        var database = new ComposedDatabase();
        var services = new ServiceCollection();
        services.AddSingleton(typeof(Microsoft.Extensions.Logging.ILogger<>), typeof(NullLogger<>));
        services.AddSingleton<Microsoft.Extensions.Logging.ILoggerFactory>(NullLoggerFactory.Instance);
        services.AddSingleton(
            new PlatformOptions
            {
                DataDirectory = Directory.CreateDirectory(Path.Combine(database._root, "data")).FullName,
                PoliciesDirectory = Path.Combine(Paths.Base, "policies"),
                KeyFile = Path.Combine(database._root, "kek"),
                MigrationsAssembly = typeof(GatewayHost).Assembly.GetName().Name!,
            }
        );
        services.AddSingleton(sqlite ? new DatabaseOptions() : await TestServer.OptionsAsync(database._root));
        services.AddSingleton(clock ?? TimeProvider.System);
        GatewayHost.AddModules(services);
        database._services = services.BuildServiceProvider();
        await Schema.MigrateAsync(database._services, CancellationToken.None);
        await database.Get<ISubjectKeyStore>().CreateAsync(SubjectKeyHome.Nobody, CancellationToken.None);
        return database;
    }

    public T Get<T>()
        where T : notnull => _services!.GetRequiredService<T>();

    public GovernanceDb Open() => Get<IDbContextFactory<GovernanceDb>>().CreateDbContext();

    public async Task<List<T>> QueryAsync<T>(string sql)
    {
        await using var db = Open();
        return await db.Database.SqlQueryRaw<T>(sql).ToListAsync(TestContext.Current.CancellationToken);
    }

    public async Task SqlAsync(string sql)
    {
        await using var db = Open();
        await db.Database.ExecuteSqlRawAsync(sql, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        await TestServer.DropAsync(_root);
        Directory.Delete(_root, recursive: true);
    }
}

/// <summary>A clock that a test sets.</summary>
internal sealed class SetClock(DateTimeOffset now) : TimeProvider
{
    public DateTimeOffset Now { get; set; } = now;

    public override DateTimeOffset GetUtcNow() => Now;
}
