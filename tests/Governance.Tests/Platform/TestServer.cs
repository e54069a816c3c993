using Governance.Platform.Database;
using Npgsql;

namespace Governance.Tests.Platform;

/// <summary>
/// Which database the tests run on: SQLite, or the PostgreSQL server that <c>GOVERNANCE_TEST_POSTGRES</c> names (a connection
/// string of a user who may create databases). Every directory of a test has a database of its own there.
/// </summary>
public static class TestServer
{
    private static readonly string? Server = Environment.GetEnvironmentVariable("GOVERNANCE_TEST_POSTGRES");

    public static bool IsPostgreSql => !string.IsNullOrEmpty(Server);

    /// <summary>Settings for the test whose files lie in <paramref name="root"/>; its database is made when it is not there.</summary>
    public static async Task<DatabaseOptions> OptionsAsync(string root)
    {
        if (!IsPostgreSql)
        {
            return new DatabaseOptions();
        }

        var name = NameOf(root);
        if (await ScalarAsync("SELECT count(*) FROM pg_database WHERE datname = $1", name) is 0L)
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

    /// <summary>Removes the database of a test that is over.</summary>
    public static async Task DropAsync(string root)
    {
        if (IsPostgreSql)
        {
            await ScalarAsync($"DROP DATABASE IF EXISTS \"{NameOf(root)}\" WITH (FORCE)");
        }
    }

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
