using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Governance.Platform.Database;

/// <summary>What one module adds to the one database model: its own entities, configured for its own tables only.</summary>
public interface IModelContribution
{
    /// <summary>Adds entities. Table names start with the module's name, snake_case.</summary>
    void Configure(ModelBuilder model);
}

/// <summary>The one database session, composed of every module's contribution. A module touches only its own tables.</summary>
/// <param name="options">Provider and connection.</param>
public sealed class GovernanceDb(DbContextOptions<GovernanceDb> options) : DbContext(options)
{
    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        foreach (var contribution in this.GetService<IEnumerable<IModelContribution>>())
        {
            contribution.Configure(modelBuilder);
        }
    }
}
