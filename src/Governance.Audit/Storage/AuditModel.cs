using Governance.Audit.Signatures;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Audit.Storage;

/// <summary>The tables of the log.</summary>
internal sealed class AuditModel : IModelContribution
{
    public void Configure(ModelBuilder model)
    {
        model.Entity<EntryRow>(entry =>
        {
            entry.ToTable("audit_entry");
            entry.HasKey(row => row.Serial);
            entry.Property(row => row.Serial).ValueGeneratedOnAdd();
            entry.HasIndex(row => row.Id).IsUnique();
            entry.HasIndex(row => new { row.Subject, row.Serial });
            entry.HasIndex(row => new { row.ActorId, row.Serial });
            entry.HasIndex(row => new { row.Kind, row.Serial });
        });
        model.Entity<LeafRow>(leaf =>
        {
            leaf.ToTable("audit_leaf");
            leaf.HasKey(row => row.Index);
            leaf.Property(row => row.Index).ValueGeneratedNever();
            leaf.HasIndex(row => row.Serial).IsUnique();
            leaf.HasIndex(row => row.EntryId).IsUnique();
        });
        model.Entity<NodeRow>(node =>
        {
            node.ToTable("audit_node");
            node.HasKey(row => new { row.Level, row.Index });
        });
        model.Entity<CheckpointRow>(checkpoint =>
        {
            checkpoint.ToTable("audit_checkpoint");
            checkpoint.HasKey(row => row.Size);
            checkpoint.Property(row => row.Size).ValueGeneratedNever();
        });
        model.Entity<CosignatureRow>(cosignature =>
        {
            cosignature.ToTable("audit_cosignature");
            cosignature.HasKey(row => new { row.Size, row.Witness });
            cosignature.HasIndex(row => new { row.Witness, row.Size });
        });
        model.Entity<SignatureRow>(signature =>
        {
            signature.ToTable("audit_signature");
            signature.HasKey(row => row.Index);
            signature.Property(row => row.Index).ValueGeneratedNever();
        });
    }
}
