using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Governance.Platform.Database;

/// <summary>
/// Keeps statements prepared beside their open SQLite connection: EF Core makes a new command for every execution, which
/// SQLite would parse and plan each time. Only the statement is kept; the values are bound anew.
/// </summary>
internal sealed class PreparedCommands : DbCommandInterceptor
{
    public static readonly PreparedCommands Instance = new();

    // Texts differ by the shape of a query only; a search with many conditions must not push memory up for good.
    private const int MostPerConnection = 512;
    private readonly ConditionalWeakTable<DbConnection, Kept> _kept = [];

    public override InterceptionResult<DbDataReader> ReaderExecuting(
        DbCommand command,
        CommandEventData eventData,
        InterceptionResult<DbDataReader> result
    ) => Read(command) is { } reader ? InterceptionResult<DbDataReader>.SuppressWithResult(reader) : result;

    // SQLite answers synchronously: there is nothing to wait for.
    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command,
        CommandEventData eventData,
        InterceptionResult<DbDataReader> result,
        CancellationToken cancellationToken = default
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(ReaderExecuting(command, eventData, result));
    }

    public override InterceptionResult<int> NonQueryExecuting(
        DbCommand command,
        CommandEventData eventData,
        InterceptionResult<int> result
    ) => Take(command) is { } kept ? InterceptionResult<int>.SuppressWithResult(kept.ExecuteNonQuery()) : result;

    public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command,
        CommandEventData eventData,
        InterceptionResult<int> result,
        CancellationToken cancellationToken = default
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(NonQueryExecuting(command, eventData, result));
    }

    public override InterceptionResult DataReaderDisposing(
        DbCommand command,
        DataReaderDisposingEventData eventData,
        InterceptionResult result
    )
    {
        if (
            command.Connection is { } connection
            && _kept.TryGetValue(connection, out var kept)
            && kept.Reading.TryGetValue(command.CommandText, out var reader)
            && ReferenceEquals(reader, eventData.DataReader)
        )
        {
            kept.Reading.Remove(command.CommandText);
        }

        return result;
    }

    private DbDataReader? Read(DbCommand command)
    {
        if (Take(command) is not { } kept)
        {
            return null;
        }

        var reader = kept.ExecuteReader();
        _kept.GetOrCreateValue(command.Connection!).Reading[command.CommandText] = reader;
        return reader;
    }

    /// <summary>The kept command with this one's values, or null while a reader of the same text is still open.</summary>
    [SuppressMessage("Security", "CA2100", Justification = "The text is EF Core's own; values are parameters.")]
    private SqliteCommand? Take(DbCommand command)
    {
        var connection = (SqliteConnection)command.Connection!;
        var kept = _kept.GetOrCreateValue(connection);
        var text = command.CommandText;
        if (kept.Reading.ContainsKey(text))
        {
            return null;
        }

        if (!kept.Commands.TryGetValue(text, out var prepared))
        {
            kept.MakeRoom();
            prepared = connection.CreateCommand();
            prepared.CommandText = text;
            kept.Commands.Add(text, prepared);
        }

        prepared.Transaction = (SqliteTransaction?)command.Transaction;
        prepared.CommandTimeout = command.CommandTimeout;
        prepared.Parameters.Clear();
        foreach (SqliteParameter parameter in command.Parameters)
        {
            prepared.Parameters.Add(parameter);
        }

        return prepared;
    }

    private sealed class Kept
    {
        public Dictionary<string, SqliteCommand> Commands { get; } = [];

        public Dictionary<string, DbDataReader> Reading { get; } = [];

        public void MakeRoom()
        {
            if (Commands.Count < MostPerConnection || Reading.Count > 0)
            {
                return;
            }

            foreach (var command in Commands.Values)
            {
                command.Dispose();
            }

            Commands.Clear();
        }
    }
}
