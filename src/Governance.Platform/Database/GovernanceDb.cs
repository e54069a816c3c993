using Governance.Kernel;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Microsoft.Extensions.DependencyInjection;

namespace Governance.Platform.Database;

/// <summary>What one module adds to the one database model: its own entities, configured for its own tables only.</summary>
public interface IModelContribution
{
    /// <summary>Adds entities. Table names start with the module's name, snake_case.</summary>
    void Configure(ModelBuilder model);
}

/// <summary>The one database session, composed of every module's contribution. A module touches only its own tables.</summary>
/// <param name="options">Provider and connection.</param>
public class GovernanceDb(DbContextOptions options) : DbContext(options)
{
    private SqliteContexts? _lender;
    private bool? _isPostgreSql;

    // Asked for every statement, and EF Core reads the provider's name by reflection each time.
    internal bool IsPostgreSql => _isPostgreSql ??= Database.IsNpgsql();

    /// <summary>Until it is disposed, this context belongs to its caller; then it goes back.</summary>
    internal void LendFrom(SqliteContexts lender) => _lender = lender;

    /// <inheritdoc />
    public override void Dispose()
    {
        if (!GoesBack())
        {
            base.Dispose();
        }

        GC.SuppressFinalize(this);
    }

    /// <inheritdoc />
    public override async ValueTask DisposeAsync()
    {
        if (!GoesBack())
        {
            await base.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    /// <inheritdoc />
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        // One representation on every database, comparable and sortable: UTC milliseconds; digests as their hex text.
        configurationBuilder.Properties<DateTimeOffset>().HaveConversion<UtcMilliseconds>();
        configurationBuilder.Properties<Digest>().HaveConversion<DigestText>().HaveMaxLength(64);
    }

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        foreach (var contribution in ContributionsOf(this))
        {
            contribution.Configure(modelBuilder);
        }

        if (IsPostgreSql)
        {
            CompareBytes(modelBuilder);
        }
    }

    // Text compares and sorts by its bytes, as in SQLite, whatever the locale of the server's databases.
    private static void CompareBytes(ModelBuilder model)
    {
        var texts = model
            .Model.GetEntityTypes()
            .SelectMany(entity => entity.GetProperties())
            .Where(property =>
                (property.GetProviderClrType() ?? property.GetValueConverter()?.ProviderClrType ?? property.ClrType)
                == typeof(string)
            );
        foreach (var text in texts)
        {
            text.SetCollation("C");
        }
    }

    private bool GoesBack() => Interlocked.Exchange(ref _lender, null) is { } lender && lender.TryTakeBack(this);

    // EF's own provider answers any IEnumerable with an empty one, so the application's is asked by name.
    internal static IEnumerable<IModelContribution> ContributionsOf(DbContext context) =>
        context
            .GetService<IDbContextOptions>()
            .FindExtension<CoreOptionsExtension>()!
            .ApplicationServiceProvider!.GetServices<IModelContribution>();
}

/// <summary>Times as whole UTC milliseconds since 1970.</summary>
internal sealed class UtcMilliseconds()
    : ValueConverter<DateTimeOffset, long>(
        time => time.ToUnixTimeMilliseconds(),
        milliseconds => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds)
    );

/// <summary>Digests as 64 lower-case hex characters.</summary>
internal sealed class DigestText() : ValueConverter<Digest, string>(digest => digest.Hex, text => Digest.Parse(text));
