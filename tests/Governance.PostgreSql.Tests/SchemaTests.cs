using Governance.Gateway.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.PostgreSql.Tests;

/// <summary>Both migration sets make the schema of the one model. Read from the catalogs of both databases, not from the model.</summary>
public sealed class SchemaTests : IAsyncLifetime
{
    private ComposedDatabase? _postgres;
    private ComposedDatabase? _sqlite;

    private ComposedDatabase Postgres => _postgres!;

    private ComposedDatabase Sqlite => _sqlite!;

    public async ValueTask InitializeAsync()
    {
        _postgres = await ComposedDatabase.StartAsync();
        _sqlite = await ComposedDatabase.StartAsync(sqlite: true);
    }

    public async ValueTask DisposeAsync()
    {
        await Postgres.DisposeAsync();
        await Sqlite.DisposeAsync();
    }

    [Fact]
    public async Task Both_databases_have_the_same_tables_and_columns_with_the_same_nullability()
    {
        var onPostgres = await Postgres.QueryAsync<string>(
            """
            SELECT tables.relname || '.' || attname || CASE WHEN attnotnull THEN ' not null' ELSE '' END AS "Value"
            FROM pg_class AS tables JOIN pg_attribute ON attrelid = tables.oid AND attnum > 0 AND NOT attisdropped
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
            """
        );
        var onSqlite = await Sqlite.QueryAsync<string>(
            """
            SELECT tables.name || '.' || columns.name || CASE WHEN "notnull" THEN ' not null' ELSE '' END AS "Value"
            FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
            WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%' AND tables.name <> '__EFMigrationsLock'
            """
        );

        Assert.True(onSqlite.Count > 250, $"{onSqlite.Count}");
        Assert.Equal(onSqlite.Order(StringComparer.Ordinal), onPostgres.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Both_databases_have_the_same_keys_and_indexes()
    {
        var onPostgres = await Postgres.QueryAsync<string>(
            """
            SELECT tables.relname || CASE WHEN indisunique THEN ' unique' ELSE '' END
                || CASE WHEN indpred IS NULL THEN '' ELSE ' partial' END || ' ('
                || (SELECT string_agg(attname, ', ' ORDER BY place) FROM unnest(indkey) WITH ORDINALITY AS keys (number, place)
                    JOIN pg_attribute ON attrelid = tables.oid AND attnum = number
                    -- The key of the partitions, which every unique index has to end with.
                    WHERE NOT (relkind = 'p' AND indisunique AND place = indnatts AND attname IN ('At', 'WrittenMs'))) || ')' AS "Value"
            FROM pg_index JOIN pg_class AS tables ON tables.oid = indrelid
            WHERE relnamespace = 'public'::regnamespace AND NOT relispartition
            """
        );
        var onSqlite = await Sqlite.QueryAsync<string>(
            """
            SELECT tables.name || CASE WHEN "unique" THEN ' unique' ELSE '' END
                || CASE WHEN partial THEN ' partial' ELSE '' END || ' ('
                || (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(indexes.name) ORDER BY seqno)) || ')' AS "Value"
            FROM sqlite_schema AS tables JOIN pragma_index_list(tables.name) AS indexes
            WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'
            UNION ALL
            SELECT tables.name || ' unique (' || columns.name || ')' -- the key that is the row id has no index of its own
            FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
            WHERE tables.type = 'table' AND columns.pk = 1 AND tables.name NOT IN ('sqlite_sequence', '__EFMigrationsLock')
            AND NOT EXISTS (SELECT 1 FROM pragma_index_list(tables.name) WHERE origin = 'pk')
            """
        );

        Assert.True(onSqlite.Count > 80, $"{onSqlite.Count}");
        Assert.Equal(onSqlite.Order(StringComparer.Ordinal), onPostgres.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Both_databases_refuse_changes_of_the_same_tables()
    {
        var onPostgres = await Postgres.QueryAsync<string>(
            """
            SELECT tgname::text AS "Value" FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
            WHERE NOT tgisinternal AND tgparentid = 0 AND tgname NOT LIKE '%no_truncate'
            """
        );
        var onSqlite = await Sqlite.QueryAsync<string>(
            "SELECT name AS \"Value\" FROM sqlite_schema WHERE type = 'trigger'"
        );

        Assert.Equal(8, onSqlite.Count);
        Assert.Equal(onSqlite.Order(StringComparer.Ordinal), onPostgres.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_migrations_of_both_databases_lack_nothing_of_the_model()
    {
        foreach (var database in new[] { Postgres, Sqlite })
        {
            await using var db = Schema.Open(database.Get<IServiceProvider>());

            Assert.False(db.Database.HasPendingModelChanges(), db.Database.ProviderName);
        }
    }

    [Fact]
    public async Task Text_compares_by_its_bytes_whatever_the_locale_of_the_server()
    {
        var others = await Postgres.QueryAsync<string>(
            """
            SELECT tables.relname || '.' || attname AS "Value" FROM pg_class AS tables
            JOIN pg_attribute ON attrelid = tables.oid AND attnum > 0 JOIN pg_collation ON pg_collation.oid = attcollation
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND collname <> 'C'
            AND tables.relname <> '__EFMigrationsHistory'
            """
        );

        Assert.Empty(others);
    }

    [Theory]
    [InlineData("UPDATE audit_entry SET \"Kind\" = 'x'")]
    [InlineData("DELETE FROM audit_entry")]
    [InlineData("TRUNCATE audit_entry")]
    [InlineData("TRUNCATE audit_leaf")]
    public async Task The_partitions_of_the_log_refuse_changes_too(string sql)
    {
        await Log.AppendAsync(Postgres);

        var refusal = await Assert.ThrowsAnyAsync<Exception>(() => Postgres.SqlAsync(sql));

        Assert.Contains("append-only", refusal.Message, StringComparison.Ordinal);
    }
}
