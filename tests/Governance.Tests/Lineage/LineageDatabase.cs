using System.Data.Common;
using Governance.Lineage;
using Governance.Lineage.Contracts;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Tests.Platform;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Tests.Lineage;

/// <summary>The lineage tables alone, on a private database, with a count of the queries that were sent.</summary>
internal sealed class LineageDatabase : IAsyncDisposable
{
    public static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private readonly string _root;
    private readonly SqliteConnection _connection = new("Data Source=:memory:");
    private readonly ServiceProvider _services;

    private LineageDatabase(string root, DatabaseOptions postgres)
    {
        _root = root;
        _connection.Open();
        _services = new ServiceCollection()
            .AddLineage()
            .AddDbContextFactory<GovernanceDb>(options =>
                (
                    TestServer.IsPostgreSql
                        ? options.UseNpgsql(postgres.ConnectionString)
                        : options.UseSqlite(_connection)
                )
                    .AddInterceptors(Queries)
                    .EnableServiceProviderCaching(false)
            )
            .BuildServiceProvider();
    }

    public QueryCounter Queries { get; } = new();

    public ILineage Lineage => _services.GetRequiredService<ILineage>();

    public static async Task<LineageDatabase> CreateAsync()
    {
        var root = Directory.CreateTempSubdirectory("governance-lineage-").FullName;
        var database = new LineageDatabase(root, await TestServer.OptionsAsync(root));
        await using var db = await database.OpenAsync();
        await db.Database.EnsureCreatedAsync();
        return database;
    }

    public static GraphNode Node(string urn) => new(urn, GraphNodeKind.Run, urn);

    public static GraphEdge Edge(string from, string to) =>
        new(Node(from), Node(to), GraphVerb.Derived, GraphGrade.Observed);

    public Task<GovernanceDb> OpenAsync() =>
        _services.GetRequiredService<IDbContextFactory<GovernanceDb>>().CreateDbContextAsync();

    public async Task LinkAsync(params IEnumerable<GraphEdge> edges)
    {
        await using var db = await OpenAsync();
        await using var transaction = await db.Database.BeginTransactionAsync(TestContext.Current.CancellationToken);
        foreach (var edge in edges)
        {
            await _services
                .GetRequiredService<IGraphWriter>()
                .LinkAsync(db, edge, Guid.CreateVersion7(Now), Now, TestContext.Current.CancellationToken);
        }

        await transaction.CommitAsync(TestContext.Current.CancellationToken);
    }

    public Task<Subgraph?> WalkAsync(
        string start,
        Direction direction = Direction.Down,
        int depth = 64,
        int maxNodes = 5_000,
        Func<GraphNode, bool>? visible = null
    ) =>
        Lineage.WalkAsync(
            start,
            direction,
            depth,
            maxNodes,
            visible ?? (_ => true),
            TestContext.Current.CancellationToken
        );

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await _connection.DisposeAsync();
        await TestServer.DropAsync(_root);
        Directory.Delete(_root, recursive: true);
    }

    internal sealed class QueryCounter : DbCommandInterceptor
    {
        public int Count { get; set; }

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command,
            CommandEventData eventData,
            InterceptionResult<DbDataReader> result,
            CancellationToken cancellationToken = default
        )
        {
            Count++;
            return ValueTask.FromResult(result);
        }
    }
}
