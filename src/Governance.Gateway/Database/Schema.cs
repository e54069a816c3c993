using System.Diagnostics.CodeAnalysis;
using Governance.Gateway.Database.PostgreSql;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;

namespace Governance.Gateway.Database;

/// <summary>Brings the database to the schema of this version, with the migrations of its kind.</summary>
internal static class Schema
{
    /// <summary>Applies what is missing. Gateways that start at once on one database wait for each other.</summary>
    public static async Task MigrateAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        await using var db = Open(services);
        await (
            db.IsShared() ? MigratePostgreSqlAsync(db, cancellationToken) : MigrateSqliteAsync(db, cancellationToken)
        );
        await services.GetRequiredService<MonthPartitions>().MakeAheadAsync(cancellationToken);
    }

    // EF Core looks for its table of migrations by reading it, and a first start logged that as a failed command.
    private static async Task MigratePostgreSqlAsync(GovernanceDb db, CancellationToken cancellationToken)
    {
        await db.GetService<IHistoryRepository>().CreateIfNotExistsAsync(cancellationToken);
        await db.Database.MigrateAsync(cancellationToken);
    }

    /// <summary>
    /// Everything that is missing in one transaction: a gateway that dies on the way leaves the database as it was. Migrations that
    /// make a table anew switch foreign keys off, which SQLite does outside of a transaction only; EF ends its own for that, and
    /// takes a lock that a killed process never gives back. Here they are off around the whole, and checked before the commit.
    /// </summary>
    [SuppressMessage(
        "Security",
        "CA2100",
        Justification = "Constants, and the script that EF Core makes of the migrations."
    )]
    internal static async Task MigrateSqliteAsync(GovernanceDb db, CancellationToken cancellationToken)
    {
        if (!(await db.Database.GetPendingMigrationsAsync(cancellationToken)).Any())
        {
            return;
        }

        var applied = (await db.Database.GetAppliedMigrationsAsync(cancellationToken)).LastOrDefault();
        var script = db.GetService<IMigrator>()
            .GenerateScript(applied, null, MigrationsSqlGenerationOptions.NoTransactions);
        await db.Database.OpenConnectionAsync(cancellationToken);
        await using var command = db.Database.GetDbConnection().CreateCommand();
        await RunAsync("PRAGMA foreign_keys = OFF");
        await using (var transaction = await db.Database.BeginTransactionAsync(cancellationToken))
        {
            command.Transaction = transaction.GetDbTransaction();
            await RunAsync(script);
            command.CommandText = "PRAGMA foreign_key_check";
            if (await command.ExecuteScalarAsync(cancellationToken) is { } table)
            {
                throw new InvalidOperationException($"After the migration a row of {table} refers to nothing.");
            }

            if ((await db.Database.GetPendingMigrationsAsync(cancellationToken)).FirstOrDefault() is { } left)
            {
                throw new InvalidOperationException($"The migration {left} was not applied.");
            }

            await transaction.CommitAsync(cancellationToken);
        }

        command.Transaction = null;
        await RunAsync("PRAGMA foreign_keys = ON");

        // To the last statement: what is left of a command when its reader is closed runs too, but says nothing of errors.
        async Task RunAsync(string sql)
        {
            command.CommandText = sql;
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.NextResultAsync(cancellationToken))
            {
                // Nothing of what they return is wanted.
            }
        }
    }

    /// <summary>A context that knows the migrations of the configured database.</summary>
    public static GovernanceDb Open(IServiceProvider services)
    {
        var db = services.GetRequiredService<IDbContextFactory<GovernanceDb>>().CreateDbContext();
        if (!db.IsShared())
        {
            return db;
        }

        using (db)
        {
            return new PostgresGovernanceDb((DbContextOptions<GovernanceDb>)db.GetService<IDbContextOptions>());
        }
    }
}
