using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace Governance.Platform.Database;

/// <summary>
/// Hand-written statements on the connection and transaction of a unit, for what every request writes: tracking a change
/// costs several times what the database does with it. Values are <c>@0</c>, <c>@1</c>, … in order. Nothing written here is
/// tracked. SQLite keeps the statements prepared beside their connection; texts are constants or made from the model, so few.
/// </summary>
public static class Statements
{
    private static readonly ConditionalWeakTable<DbConnection, Dictionary<string, DbCommand>> Kept = [];
    private static readonly ConditionalWeakTable<IEntityType, Insertion> Insertions = [];

    // To begin a copy takes a round trip more.
    private const int CopyFrom = 8;

    /// <summary>Runs a statement; returns how many rows it changed.</summary>
    public static async Task<int> ExecuteAsync(
        this GovernanceDb db,
        string text,
        object[] values,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(db);
        return await Command(db, text, values).ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Runs a statement and reads all its rows.</summary>
    public static async Task<List<T>> ReadAsync<T>(
        this GovernanceDb db,
        string text,
        object[] values,
        Func<DbDataReader, T> row,
        CancellationToken cancellationToken
    )
    {
        ArgumentNullException.ThrowIfNull(db);
        ArgumentNullException.ThrowIfNull(row);
        // A reading context of PostgreSQL has a connection for as long as somebody uses it.
        await db.Database.OpenConnectionAsync(cancellationToken);
        try
        {
            var rows = new List<T>();
            await using var reader = await Command(db, text, values).ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken))
            {
                rows.Add(row(reader));
            }

            return rows;
        }
        finally
        {
            await db.Database.CloseConnectionAsync();
        }
    }

    /// <summary>Inserts rows as the model maps them. A whole-number key that the database gives is left to it.</summary>
    public static async Task InsertAsync<TRow>(
        this GovernanceDb db,
        IReadOnlyCollection<TRow> rows,
        CancellationToken cancellationToken
    )
        where TRow : class
    {
        ArgumentNullException.ThrowIfNull(db);
        ArgumentNullException.ThrowIfNull(rows);
        var insertion = Insertions.GetValue(
            db.Model.FindEntityType(typeof(TRow))!,
            type => new Insertion(type, db.GetService<ISqlGenerationHelper>())
        );
        if (db.IsShared() && rows.Count >= CopyFrom)
        {
            await CopyAsync(db, insertion, rows, cancellationToken);
            return;
        }

        if (db.IsShared())
        {
            // One round trip for all of them.
            await using var batch = db.Database.GetDbConnection().CreateBatch();
            await using var parameters = db.Database.GetDbConnection().CreateCommand();
            batch.Transaction = db.Database.CurrentTransaction?.GetDbTransaction();
            foreach (var row in rows)
            {
                var one = batch.CreateBatchCommand();
                one.CommandText = insertion.Text;
                insertion.Bind(parameters, one.Parameters, row);
                batch.BatchCommands.Add(one);
            }

            await (batch.BatchCommands.Count == 0 ? Task.CompletedTask : batch.ExecuteNonQueryAsync(cancellationToken));
            return;
        }

        foreach (var row in rows)
        {
            var command = Command(db, insertion.Text, []);
            insertion.Bind(command, command.Parameters, row);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    // A server parses and plans each statement of a batch; what is copied, it only reads.
    private static async Task CopyAsync(
        GovernanceDb db,
        Insertion insertion,
        IEnumerable<object> rows,
        CancellationToken cancellationToken
    )
    {
        var connection = (NpgsqlConnection)db.Database.GetDbConnection();
        await using var copy = await connection.BeginBinaryImportAsync(insertion.CopyText, cancellationToken);
        foreach (var row in rows)
        {
            await copy.StartRowAsync(cancellationToken);
            foreach (var (value, type) in insertion.Values(row))
            {
                await (
                    value is null
                        ? copy.WriteNullAsync(cancellationToken)
                        : copy.WriteAsync(value, type, cancellationToken)
                );
            }
        }

        await copy.CompleteAsync(cancellationToken);
    }

    [SuppressMessage("Security", "CA2100", Justification = "Constants, or made from the model; values are parameters.")]
    private static DbCommand Command(GovernanceDb db, string text, object[] values)
    {
        var connection = db.Database.GetDbConnection();
        var commands = Kept.GetOrCreateValue(connection);
        if (!commands.TryGetValue(text, out var command))
        {
            command = connection.CreateCommand();
            command.CommandText = text;
            commands.Add(text, command);
        }

        command.Transaction = db.Database.CurrentTransaction?.GetDbTransaction();
        command.Parameters.Clear();
        for (var i = 0; i < values.Length; i++)
        {
            var parameter = command.CreateParameter();
            parameter.ParameterName = Insertion.Name(i);
            parameter.Value = values[i];
            command.Parameters.Add(parameter);
        }

        return command;
    }

    /// <summary>The statement that inserts one row of an entity.</summary>
    private sealed class Insertion
    {
        private readonly (Func<object, object?> Read, RelationalTypeMapping Mapping)[] _columns;

        public Insertion(IEntityType type, ISqlGenerationHelper sql)
        {
            var table = StoreObjectIdentifier.Create(type, StoreObjectType.Table)!.Value;
            var properties = type.GetProperties().Where(property => !IsGiven(property)).ToList();
            var names = properties.Select(property => sql.DelimitIdentifier(property.GetColumnName(table)!));
            var columns = $"{sql.DelimitIdentifier(table.Name)} ({string.Join(", ", names)})";
            CopyText = $"COPY {columns} FROM STDIN (FORMAT BINARY)";
            Text = $"INSERT INTO {columns} " + $"VALUES ({string.Join(", ", properties.Select((_, i) => Name(i)))})";
            _columns =
            [
                .. properties.Select(property =>
                    ((Func<object, object?>)property.GetGetter().GetClrValue, property.GetRelationalTypeMapping())
                ),
            ];
        }

        public string Text { get; }

        /// <summary>The statement that PostgreSQL copies many rows by.</summary>
        public string CopyText { get; }

        public static string Name(int number) => $"@{number}";

        public void Bind(DbCommand maker, DbParameterCollection parameters, object row)
        {
            for (var i = 0; i < _columns.Length; i++)
            {
                var (read, mapping) = _columns[i];
                parameters.Add(mapping.CreateParameter(maker, Name(i), read(row)));
            }
        }

        /// <summary>The values of a row as the database takes them, each with the name of its type there.</summary>
        public IEnumerable<(object? Value, string Type)> Values(object row) =>
            _columns.Select(column =>
                (
                    column.Mapping.Converter is { } converter
                        ? converter.ConvertToProvider(column.Read(row))
                        : column.Read(row),
                    column.Mapping.StoreTypeNameBase
                )
            );

        private static bool IsGiven(IProperty property) =>
            property.ValueGenerated == ValueGenerated.OnAdd && property.ClrType == typeof(long);
    }
}
