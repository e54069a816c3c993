using System.Collections.Concurrent;
using Governance.Platform.Database;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Governance.Tests.Platform;

/// <summary>
/// Which database the tests run on: SQLite, or the PostgreSQL server that <c>GOVERNANCE_TEST_POSTGRES</c> names (a connection
/// string of a user who may create databases). Every directory of a test has a database of its own there.
/// </summary>
public static class TestServer
{
    // By model, the database to copy: its name, or the connection string of its file. They are removed when the process ends.
    private static readonly ConcurrentDictionary<IModel, Lazy<Task<string>>> Templates = new();
    private static readonly string? Server = Environment.GetEnvironmentVariable("GOVERNANCE_TEST_POSTGRES");

    public static bool IsPostgreSql => !string.IsNullOrEmpty(Server);

    /// <summary>
    /// Settings for the test whose files lie in <paramref name="root"/>; its database is made when it is not there, unless
    /// <see cref="MakeTablesAsync"/> is to do so.
    /// </summary>
    public static async Task<DatabaseOptions> OptionsAsync(string root, bool make = true)
    {
        if (!IsPostgreSql)
        {
            return new DatabaseOptions();
        }

        var name = NameOf(root);
        if (make && !await IsThereAsync(name))
        {
            await ScalarAsync($"CREATE DATABASE \"{name}\" TEMPLATE template0");
        }

        return new DatabaseOptions
        {
            Provider = DatabaseOptions.PostgreSql,
            ConnectionString = new NpgsqlConnectionStringBuilder(Server) { Database = name }.ConnectionString,
            MaxConnections = 20,
        };
    }

    /// <summary>
    /// Makes the tables that <paramref name="db"/> knows, unless there are some. What EF Core makes for the first test of a model is
    /// copied for all others.
    /// </summary>
    public static async Task MakeTablesAsync(DbContext db)
    {
        var name = db.Database.GetDbConnection().Database;
        if (
            IsPostgreSql
                ? await IsThereAsync(name)
                : await ((RelationalDatabaseCreator)db.GetService<IRelationalDatabaseCreator>()).HasTablesAsync()
        )
        {
            return;
        }

        var template = await Templates
            .GetOrAdd(db.Model, _ => new Lazy<Task<string>>(() => TemplateAsync(db.Database.GenerateCreateScript())))
            .Value;
        if (db.Database.GetDbConnection() is SqliteConnection target)
        {
            await using var source = new SqliteConnection(template);
            await source.OpenAsync();
            await db.Database.OpenConnectionAsync();
            source.BackupDatabase(target);
            return;
        }

        await ScalarAsync($"CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"");
    }

    /// <summary>Backs up the database of a directory, which nobody has open.</summary>
    public static async Task BackUpAsync(string root)
    {
        if (!IsPostgreSql)
        {
            File.Copy(Path.Combine(root, "data", "governance.db"), Path.Combine(root, "backup.db"));
            return;
        }

        NpgsqlConnection.ClearAllPools();
        await ScalarAsync($"CREATE DATABASE \"{NameOf(root)}-backup\" TEMPLATE \"{NameOf(root)}\"");
    }

    /// <summary>Puts the backup in the place of the database, which nobody has open.</summary>
    public static async Task RestoreAsync(string root)
    {
        if (!IsPostgreSql)
        {
            var file = Path.Combine(root, "data", "governance.db");
            File.Delete($"{file}-wal");
            File.Delete($"{file}-shm");
            File.Move(Path.Combine(root, "backup.db"), file, overwrite: true);
            return;
        }

        NpgsqlConnection.ClearAllPools();
        await DropAsync(root);
        await ScalarAsync($"CREATE DATABASE \"{NameOf(root)}\" TEMPLATE \"{NameOf(root)}-backup\"");
        await DropAsync($"{root}-backup");
    }

    /// <summary>Removes the database of a test that is over.</summary>
    public static async Task DropAsync(string root)
    {
        if (IsPostgreSql)
        {
            await ScalarAsync($"DROP DATABASE IF EXISTS \"{NameOf(root)}\" WITH (FORCE)");
        }
    }

    private static async Task<string> TemplateAsync(string script)
    {
        var name = $"governance-template-{Guid.NewGuid():N}";
        if (IsPostgreSql)
        {
            await ScalarAsync($"CREATE DATABASE \"{name}\" TEMPLATE template0");
            AppDomain.CurrentDomain.ProcessExit += (_, _) => DropAsync(name).GetAwaiter().GetResult();
            await using var connection = new NpgsqlConnection(
                new NpgsqlConnectionStringBuilder(Server) { Database = name, Pooling = false }.ConnectionString
            );
            await ExecuteAsync(connection);
            return name;
        }

        var file = Path.Combine(Path.GetTempPath(), name);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => File.Delete(file);
        var text = $"Data Source={file};Pooling=false";
        await using var opened = new SqliteConnection(text);
        await ExecuteAsync(opened);
        return text;

        async Task ExecuteAsync(System.Data.Common.DbConnection connection)
        {
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // EF Core's script of the model
            command.CommandText = script;
#pragma warning restore CA2100
            await command.ExecuteNonQueryAsync();
        }
    }

    private static async Task<bool> IsThereAsync(string name) =>
        await ScalarAsync("SELECT count(*) FROM pg_database WHERE datname = $1", name) is 1L;

    private static string NameOf(string root) => Path.GetFileName(root).ToLowerInvariant();

    private static async Task<object?> ScalarAsync(string sql, params string[] values)
    {
        await using var connection = new NpgsqlConnection(Server);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var value in values)
        {
            command.Parameters.AddWithValue(value);
        }

        return await command.ExecuteScalarAsync();
    }
}
