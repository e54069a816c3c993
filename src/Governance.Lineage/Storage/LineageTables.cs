using Governance.Platform.Database;
using Governance.Platform.Graph;
using Microsoft.EntityFrameworkCore;

namespace Governance.Lineage.Storage;

/// <summary>A node. Never deleted.</summary>
internal sealed class NodeRow
{
    public long Id { get; set; }

    public required string Urn { get; set; }

    public GraphNodeKind Kind { get; set; }

    public required string Label { get; set; }
}

/// <summary>An edge with its life: open while <see cref="ClosedAt"/> is null. Opening it again later is a new row.</summary>
internal sealed class EdgeRow
{
    public long Id { get; set; }

    public long FromId { get; set; }

    public NodeRow? From { get; set; }

    public long ToId { get; set; }

    public NodeRow? To { get; set; }

    public GraphVerb Verb { get; set; }

    public GraphGrade Grade { get; set; }

    public Guid EntryId { get; set; }

    public DateTimeOffset OpenedAt { get; set; }

    public Guid? ClosingEntryId { get; set; }

    public DateTimeOffset? ClosedAt { get; set; }
}

/// <summary>The two tables.</summary>
internal sealed class LineageTables : IModelContribution
{
    public const int MaxUrn = 1_024;
    public const int MaxLabel = 512;

    public void Configure(ModelBuilder model)
    {
        model.Entity<NodeRow>(node =>
        {
            node.ToTable("lineage_node");
            node.Property(row => row.Urn).HasMaxLength(MaxUrn);
            node.Property(row => row.Label).HasMaxLength(MaxLabel);
            node.HasIndex(row => row.Urn).IsUnique();
        });
        model.Entity<EdgeRow>(edge =>
        {
            edge.ToTable("lineage_edge");
            edge.HasOne(row => row.From).WithMany().HasForeignKey(row => row.FromId).OnDelete(DeleteBehavior.Restrict);
            edge.HasOne(row => row.To).WithMany().HasForeignKey(row => row.ToId).OnDelete(DeleteBehavior.Restrict);
            edge.HasIndex(row => new
                {
                    row.FromId,
                    row.ToId,
                    row.Verb,
                    row.Grade,
                })
                .IsUnique()
                .HasFilter("\"ClosedAt\" IS NULL");
            edge.HasIndex(row => new { row.ToId, row.Id });
            edge.HasIndex(row => new { row.FromId, row.Id });
        });
    }
}
