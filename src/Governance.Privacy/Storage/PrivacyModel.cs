using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Privacy.Storage;

/// <summary>The module's tables.</summary>
internal sealed class PrivacyModel : IModelContribution
{
    public void Configure(ModelBuilder model)
    {
        model.Entity<DatasetRow>(dataset =>
        {
            dataset.ToTable("privacy_dataset");
            dataset.HasKey(row => row.Id);
            dataset.Property(row => row.Sha256).HasMaxLength(64);
            dataset.Property(row => row.OwnerId).HasMaxLength(100);
            dataset.Property(row => row.Name).HasMaxLength(200);
            dataset.Property(row => row.Revision).IsConcurrencyToken();
            dataset.HasIndex(row => new { row.Sha256, row.OwnerId }).IsUnique();
            dataset.HasIndex(row => new { row.Name, row.Id });
        });
        model.Entity<ColumnRow>(column =>
        {
            column.ToTable("privacy_column");
            column.HasKey(row => new { row.DatasetId, row.Ordinal });
        });
        model.Entity<MeasureRow>(measure =>
        {
            measure.ToTable("privacy_measure");
            measure.HasKey(row => row.DatasetId);
            measure.Property(row => row.DatasetId).ValueGeneratedNever();
        });
        model.Entity<DeclarationRow>(declaration =>
        {
            declaration.ToTable("privacy_declaration");
            declaration.HasKey(row => row.Id);
            declaration.HasIndex(row => row.DatasetId);
        });
        model.Entity<DerivationRow>(derivation =>
        {
            derivation.ToTable("privacy_derivation");
            derivation.HasKey(row => row.Id);
            derivation.Property(row => row.Output).HasMaxLength(64);
            derivation.HasIndex(row => row.Output);
        });
    }
}
