using Governance.Gateway.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

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
    public async Task Names_that_the_database_cannot_fold_are_left_to_the_start_and_messages_get_their_size_and_one_job()
    {
        var token = TestContext.Current.CancellationToken;
        await using var db = Schema.Open(Postgres.Get<IServiceProvider>());
        var migrator = db.GetService<IMigrator>();
        await migrator.MigrateAsync("IndexNamesAndVersions", token);
        await Postgres.SqlAsync(
            """
            INSERT INTO registry_model_names ("Name", "FoldedName", "ModelId", "NextVersion")
            VALUES ('plain', 'PLAIN', '11111111-1111-1111-1111-111111111111', 1),
                   ('modèle', 'MODèLE', '22222222-2222-2222-2222-222222222222', 1);
            INSERT INTO registry_webhook_deliveries ("Id", "WebhookId", "EventKey", "Body", "CreatedMs") VALUES ('d', 'w', 'e', 'é', 1);
            INSERT INTO platform_job
                ("Id", "Kind", "Key", "Outbound", "Payload", "State", "Attempts", "Crashes", "DueAt", "CreatedAt")
            VALUES ('33333333-3333-3333-3333-333333333333', 'registry.deliver_webhook', 'd', true, 'd', 0, 0, 0, 1, 1),
                   ('44444444-4444-4444-4444-444444444444', 'test.other', 'd', false, 'd', 0, 0, 0, 1, 1);
            """
        );

        await migrator.MigrateAsync(cancellationToken: token);

        Assert.Equal(
            ["modèle ", "plain PLAIN"],
            await Postgres.QueryAsync<string>(
                """SELECT "Name" || ' ' || "FoldedName" AS "Value" FROM registry_model_names ORDER BY 1"""
            )
        );
        Assert.Equal(
            [2],
            await Postgres.QueryAsync<int>("""SELECT "Size" AS "Value" FROM registry_webhook_deliveries""")
        );
        Assert.Equal(
            ["registry.deliver_webhook w w", "test.other d d"],
            await Postgres.QueryAsync<string>(
                """SELECT "Kind" || ' ' || "Key" || ' ' || "Payload" AS "Value" FROM platform_job ORDER BY 1"""
            )
        );
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

        Assert.Equal(12, onSqlite.Count);
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
