using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Governance.Platform.Database;

/// <summary>
/// Opens SQLite connections the one way: WAL, <c>synchronous=FULL</c> (a commit survives power loss), <c>secure_delete</c>
/// (deleted content does not linger in free pages), foreign keys on, 30 s of patience for the write lock.
/// </summary>
/// <param name="options">Where the data directory is.</param>
/// <param name="services">Where model contributions come from.</param>
internal sealed class SqliteConnections(PlatformOptions options, IServiceProvider services) : IConnections
{
    private readonly SqliteConnectionStringBuilder _text = new()
    {
        DataSource = Path.Combine(options.DataDirectory, "governance.db"),
        ForeignKeys = true,
        DefaultTimeout = 30,
    };

    /// <summary>A connection of one's own, outside the pool.</summary>
    public SqliteConnection Open()
    {
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder(_text.ToString()) { Pooling = false }.ToString()
        );
        connection.Open();
        Pragmas.Apply(connection);
        return connection;
    }

    /// <summary>Options of contexts over one given connection.</summary>
    public DbContextOptions<GovernanceDb> OptionsFor(SqliteConnection connection)
    {
        var builder = new DbContextOptionsBuilder<GovernanceDb>();
        builder.UseSqlite(connection);
        builder.Compose(services);
        return builder.Options;
    }

    /// <inheritdoc />
    public void Configure(DbContextOptionsBuilder builder)
    {
        builder.UseSqlite(_text.ToString(), Migrations).AddInterceptors(Pragmas.Instance);
        builder.Compose(services);
    }

    private void Migrations(SqliteDbContextOptionsBuilder sqlite)
    {
        if (options.MigrationsAssembly.Length > 0)
        {
            sqlite.MigrationsAssembly(options.MigrationsAssembly);
        }
    }

    private sealed class Pragmas : DbConnectionInterceptor
    {
        public static readonly Pragmas Instance = new();

        public static void Apply(DbConnection connection)
        {
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;";
            command.ExecuteNonQuery();
        }

        public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) =>
            Apply(connection);

        public override Task ConnectionOpenedAsync(
            DbConnection connection,
            ConnectionEndEventData eventData,
            CancellationToken cancellationToken = default
        )
        {
            Apply(connection);
            return Task.CompletedTask;
        }
    }
}
