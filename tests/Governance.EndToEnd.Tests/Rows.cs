using System.Data.Common;
using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Governance.EndToEnd.Tests;

/// <summary>Reads the rows of a gateway past the gateway.</summary>
internal sealed class Rows : IDisposable
{
    private readonly DbConnection _connection;

    public Rows(DbConnection connection)
    {
        _connection = connection;
        _connection.Open();
    }

    public static Rows OfFile(string path) => new(new SqliteConnection($"Data Source={path};Pooling=False"));

    /// <summary>The first column as text.</summary>
    public IEnumerable<string> Read(string query)
    {
        using var command = _connection.CreateCommand();
        command.CommandText = query;
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            yield return Convert.ToString(reader.GetValue(0), CultureInfo.InvariantCulture)!;
        }
    }

    public int Count(string query) => int.Parse(Read(query).Single(), CultureInfo.InvariantCulture);

    /// <summary>Changes and new things that the server behind the gateway does not have yet, as far as the gateway knows.</summary>
    public int Unmade() =>
        Count(
            "select (select count(*) from registry_upstream_work) + (select count(*) from registry_upstream_intents)"
        );

    public void Dispose() => _connection.Dispose();
}
