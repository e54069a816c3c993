using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;

namespace Governance.Platform.Database;

/// <summary>Connections to PostgreSQL. The password is read once and never shown: the data source keeps it out of texts.</summary>
internal sealed class PostgresConnections : IConnections, IAsyncDisposable
{
    private readonly PlatformOptions _platform;
    private readonly IServiceProvider _services;
    private readonly NpgsqlDataSource _source;

    public PostgresConnections(DatabaseOptions options, PlatformOptions platform, IServiceProvider services)
    {
        _platform = platform;
        _services = services;
        var text = options.Parse() ?? throw new InvalidOperationException("The connection string is malformed.");
        text.ApplicationName ??= "governance";
        text.MaxPoolSize = options.MaxConnections;
        text.PersistSecurityInfo = false;
        if (options.PasswordFile.Length > 0)
        {
            text.Password = File.ReadLines(options.PasswordFile).FirstOrDefault() ?? "";
        }

        _source = new NpgsqlDataSourceBuilder(text.ConnectionString).Build();
    }

    /// <inheritdoc />
    public void Configure(DbContextOptionsBuilder builder)
    {
        builder.UseNpgsql(_source, Migrations);
        builder.Compose(_services);
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private void Migrations(NpgsqlDbContextOptionsBuilder postgres)
    {
        if (_platform.MigrationsAssembly.Length > 0)
        {
            postgres.MigrationsAssembly(_platform.MigrationsAssembly);
        }
    }
}
