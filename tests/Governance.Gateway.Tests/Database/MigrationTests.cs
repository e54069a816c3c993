using Governance.Gateway.Database;
using Governance.Gateway.Hosting;
using Governance.Platform;
using Governance.Platform.Database;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.DependencyInjection;
using SQLitePCL;

namespace Governance.Gateway.Tests.Database;

/// <summary>A gateway that dies while it brings an SQLite database to its schema.</summary>
public sealed class MigrationTests : IDisposable
{
    // What came before a table with rows was first made anew.
    private const string Before = "AddImports";

    private const string Rows = """
        INSERT INTO identity_subjects ("Id", "Kind", "Name", "DisplayName", "Enabled", "FailedAttempts", "CreatedAt")
        VALUES ('s1', 0, 'one', 'One', 1, 3, 1), ('s2', 0, 'two', 'Two', 1, 0, 1);
        INSERT INTO identity_grants ("Id", "SubjectId", "Role", "Kind", "Pattern", "CreatedAt")
        VALUES ('11111111-1111-1111-1111-111111111111', 's1', 'viewer', 0, '', 1),
               ('22222222-2222-2222-2222-222222222222', 's2', 'admin', 0, '', 1);
        """;

    private readonly string _root = Directory.CreateTempSubdirectory("governance-migrate-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_gateway_that_dies_before_any_statement_of_a_migration_leaves_the_schema_as_it_was()
    {
        var token = TestContext.Current.CancellationToken;
        await using (var opened = Open("live"))
        {
            await opened.Db.GetService<IMigrator>().MigrateAsync(Before, token);
            await opened.Db.Database.ExecuteSqlRawAsync(Rows, token);
        }

        var old = await SchemaOfAsync("live");
        var dead = new List<string>();
        await using (var opened = Open("live"))
        {
            var db = opened.Db;
            await db.Database.OpenConnectionAsync(token);
            raw.sqlite3_trace(
                ((SqliteConnection)db.Database.GetDbConnection()).Handle,
                (object _, string _) => dead.Add(Copy("live", $"dead-{dead.Count}")),
                null
            );

            await Schema.MigrateSqliteAsync(db, token);
        }

        Assert.True(dead.Count > 50, $"{dead.Count} statements");
        var whole = await SchemaOfAsync("live");
        var left = new List<List<string>>();
        foreach (var name in dead)
        {
            left.Add(await SchemaOfAsync(name));
        }

        // All of it or nothing: the last statement comes after the commit.
        Assert.NotEqual(old, whole);
        Assert.All(left.SkipLast(1), schema => Assert.Equal(old, schema));
        Assert.Equal(whole, left[^1]);
        foreach (var name in dead.Where((_, i) => i % 16 == 0 || i >= dead.Count - 2))
        {
            await using var again = Open(name);
            await Schema.MigrateSqliteAsync(again.Db, token);
            await WholeAsync(again.Db);
            Assert.Equal(whole, await SchemaOfAsync(name));
        }
    }

    [Fact]
    public async Task Names_that_the_database_cannot_fold_are_left_to_the_start_and_messages_get_their_size_and_one_job()
    {
        var token = TestContext.Current.CancellationToken;
        await using var opened = Open("names");
        var db = opened.Db;
        await db.GetService<IMigrator>().MigrateAsync("IndexNamesAndVersions", token);
        await db.Database.ExecuteSqlRawAsync(
            """
            INSERT INTO registry_model_names ("Name", "FoldedName", "ModelId", "NextVersion")
            VALUES ('plain', 'PLAIN', '11111111-1111-1111-1111-111111111111', 1),
                   ('modèle', 'MODèLE', '22222222-2222-2222-2222-222222222222', 1);
            INSERT INTO registry_webhook_deliveries ("Id", "WebhookId", "EventKey", "Body", "CreatedMs") VALUES ('d', 'w', 'e', 'é', 1);
            INSERT INTO platform_job
                ("Id", "Kind", "Key", "Outbound", "Payload", "State", "Attempts", "Crashes", "DueAt", "CreatedAt")
            VALUES ('33333333-3333-3333-3333-333333333333', 'registry.deliver_webhook', 'd', true, 'd', 0, 0, 0, 1, 1),
                   ('44444444-4444-4444-4444-444444444444', 'test.other', 'd', false, 'd', 0, 0, 0, 1, 1);
            """,
            token
        );

        await Schema.MigrateSqliteAsync(db, token);

        var names = db.Database.SqlQueryRaw<string>(
            """SELECT "Name" || ' ' || "FoldedName" AS "Value" FROM registry_model_names ORDER BY 1"""
        );
        Assert.Equal(["modèle ", "plain PLAIN"], await names.ToListAsync(token));
        var sizes = db.Database.SqlQueryRaw<int>("""SELECT "Size" AS "Value" FROM registry_webhook_deliveries""");
        Assert.Equal([2], await sizes.ToListAsync(token));
        var jobs = db.Database.SqlQueryRaw<string>(
            """SELECT "Kind" || ' ' || "Key" || ' ' || "Payload" AS "Value" FROM platform_job ORDER BY 1"""
        );
        Assert.Equal(["registry.deliver_webhook w w", "test.other d d"], await jobs.ToListAsync(token));
    }

    [Fact]
    public async Task An_empty_database_gets_every_migration()
    {
        await using var opened = Open("new");

        await Schema.MigrateSqliteAsync(opened.Db, TestContext.Current.CancellationToken);

        Assert.Empty(await opened.Db.Database.GetPendingMigrationsAsync(TestContext.Current.CancellationToken));
    }

    private static async Task WholeAsync(GovernanceDb db)
    {
        var token = TestContext.Current.CancellationToken;
        Assert.Empty(await db.Database.GetPendingMigrationsAsync(token));
        var grants = db.Database.SqlQueryRaw<string>(
            """
            SELECT s."Name" || ' ' || g."Role" || ' ' || g."Pending" AS "Value" FROM identity_grants AS g
            JOIN identity_subjects AS s ON s."Id" = g."SubjectId" ORDER BY 1
            """
        );
        Assert.Equal(["one viewer 0", "two admin 0"], await grants.ToListAsync(token));
        await Assert.ThrowsAsync<SqliteException>(() =>
            db.Database.ExecuteSqlRawAsync("""UPDATE identity_grants SET "SubjectId" = 'nobody'""", token)
        );
    }

    private async Task<List<string>> SchemaOfAsync(string name)
    {
        await using var connection = new SqliteConnection(
            $"Data Source={Path.Combine(_root, name, "governance.db")};Pooling=False"
        );
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT name || coalesce(sql, '') FROM sqlite_schema ORDER BY 1";
        await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        var lines = new List<string>();
        while (await reader.ReadAsync(TestContext.Current.CancellationToken))
        {
            lines.Add(reader.GetString(0));
        }

        return lines;
    }

    // What a killed process leaves is what the files hold at that moment.
    private string Copy(string from, string to)
    {
        Directory.CreateDirectory(Path.Combine(_root, to));
        foreach (var file in new[] { "governance.db", "governance.db-wal" })
        {
            if (File.Exists(Path.Combine(_root, from, file)))
            {
                File.Copy(Path.Combine(_root, from, file), Path.Combine(_root, to, file));
            }
        }

        return to;
    }

    private Opened Open(string name)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(
            new PlatformOptions
            {
                DataDirectory = Directory.CreateDirectory(Path.Combine(_root, name)).FullName,
                KeyFile = Path.Combine(_root, "kek"),
                MigrationsAssembly = typeof(GatewayHost).Assembly.GetName().Name!,
            }
        );
        services.AddSingleton(new DatabaseOptions());
        GatewayHost.AddModules(services);
        return new Opened(services.BuildServiceProvider());
    }

    private sealed class Opened(ServiceProvider services) : IAsyncDisposable
    {
        public GovernanceDb Db { get; } = Schema.Open(services);

        public async ValueTask DisposeAsync()
        {
            await Db.DisposeAsync();
            await services.DisposeAsync();
        }
    }
}
