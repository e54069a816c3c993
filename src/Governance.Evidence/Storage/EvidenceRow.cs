using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Evidence.Storage;

/// <summary>One piece of evidence as produced. Rows are added, never rewritten; only <see cref="Stale"/> changes.</summary>
internal sealed class EvidenceRow
{
    public long Id { get; set; }

    public Guid ModelId { get; set; }

    public int Version { get; set; }

    public EvidenceKind Kind { get; set; }

    /// <summary>What was examined: the manifest digest for scan and signature, the evidence subject for the others.</summary>
    public Digest Subject { get; set; }

    public EvidenceOutcome Outcome { get; set; }

    public string RulesVersion { get; set; } = "";

    public string Class { get; set; } = "";

    public string Summary { get; set; } = "";

    /// <summary>JSON array of sentences.</summary>
    public string Reasons { get; set; } = "[]";

    public Digest? Document { get; set; }

    /// <summary>The signed statement of it.</summary>
    public Digest? Attestation { get; set; }

    public DateTimeOffset ProducedAt { get; set; }

    public Guid EntryId { get; set; }

    /// <summary>What it examined has changed since, e.g. the verdict of an input dataset: it counts no more.</summary>
    public bool Stale { get; set; }
}

/// <summary>The evidence module's table.</summary>
internal sealed class EvidenceModel : IModelContribution
{
    public void Configure(ModelBuilder model) =>
        model.Entity<EvidenceRow>(evidence =>
        {
            evidence.ToTable("evidence_item");
            evidence.HasKey(row => row.Id);
            evidence.Property(row => row.Kind).HasConversion<string>().HasMaxLength(20);
            evidence.Property(row => row.Outcome).HasConversion<string>().HasMaxLength(20);
            evidence.HasIndex(row => new
            {
                row.ModelId,
                row.Version,
                row.Kind,
            });
            evidence.HasIndex(row => new { row.Subject, row.Kind });
            evidence.HasIndex(row => row.Document);
            evidence.HasIndex(row => row.Attestation);
        });
}
