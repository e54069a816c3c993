using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;

namespace Governance.Platform.Database;

/// <summary>Contexts on PostgreSQL, pooled as their connections are. The password is read once and never shown: the data source keeps it out of texts.</summary>
internal sealed class PostgresConnections : IDbContextFactory<GovernanceDb>, IAsyncDisposable
{
    private readonly PlatformOptions _platform;
    private readonly NpgsqlDataSource _source;
    private readonly PooledDbContextFactory<GovernanceDb> _contexts;

    public PostgresConnections(DatabaseOptions options, PlatformOptions platform, IServiceProvider services)
    {
        _platform = platform;
        var text = options.Parse() ?? throw new InvalidOperationException("The connection string is malformed.");
        text.ApplicationName ??= "governance";
        text.MaxPoolSize = options.MaxConnections;
        text.PersistSecurityInfo = false;
        if (options.PasswordFile.Length > 0)
        {
            text.Password = File.ReadLines(options.PasswordFile).FirstOrDefault() ?? "";
        }

        _source = new NpgsqlDataSourceBuilder(text.ConnectionString).Build();
        Options = new DbContextOptionsBuilder<GovernanceDb>().UseNpgsql(_source, Migrations).Composed(services).Options;
        _contexts = new PooledDbContextFactory<GovernanceDb>(Options);
    }

    /// <summary>Options of a context that opens its own connection.</summary>
    public DbContextOptions<GovernanceDb> Options { get; }

    public GovernanceDb CreateDbContext() => _contexts.CreateDbContext();

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private void Migrations(NpgsqlDbContextOptionsBuilder postgres)
    {
        if (_platform.MigrationsAssembly.Length > 0)
        {
            postgres.MigrationsAssembly(_platform.MigrationsAssembly);
        }
    }
}
