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
internal sealed class SqliteConnections(PlatformOptions options, IServiceProvider services)
{
    private readonly SqliteConnectionStringBuilder _text = new()
    {
        DataSource = Path.Combine(options.DataDirectory, "governance.db"),
        ForeignKeys = true,
        DefaultTimeout = 30,
        Pooling = false,
    };

    /// <summary>A connection of one's own.</summary>
    public SqliteConnection Open()
    {
        var connection = new SqliteConnection(_text.ToString());
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;";
        command.ExecuteNonQuery();
        return connection;
    }

    /// <summary>
    /// The writer's connection: it keeps the pages that every change touches (32 MB at most), and lets the log of changes
    /// grow to 16 MB before they are copied into the database, once however often they changed.
    /// </summary>
    public SqliteConnection OpenForWriting()
    {
        var connection = Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=4096;";
        command.ExecuteNonQuery();
        return connection;
    }

    /// <summary>Options of contexts over one given connection; an owned one is closed with its context.</summary>
    public DbContextOptions<GovernanceDb> OptionsFor(SqliteConnection connection, bool owned) =>
        new DbContextOptionsBuilder<GovernanceDb>()
            .UseSqlite(connection, owned, Migrations)
            .AddInterceptors(PreparedCommands.Instance)
            // The host runs all migrations in one transaction of its own, with foreign keys off around it.
            .ConfigureWarnings(warnings => warnings.Ignore(RelationalEventId.NonTransactionalMigrationOperationWarning))
            .Composed(services)
            .Options;

    private void Migrations(SqliteDbContextOptionsBuilder sqlite)
    {
        if (options.MigrationsAssembly.Length > 0)
        {
            sqlite.MigrationsAssembly(options.MigrationsAssembly);
        }
    }
}
