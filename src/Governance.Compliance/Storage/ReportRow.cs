using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Compliance.Storage;

/// <summary>A report that exists; its forms are blobs.</summary>
internal sealed class ReportRow
{
    /// <summary>Report id in hex: a version 7 id, so that its text sorts by time.</summary>
    public string Id { get; set; } = "";

    public string Regulation { get; set; } = "";

    public string Model { get; set; } = "";

    public int Version { get; set; }

    /// <summary>Owner of the model when the report was made: rights are asked on that model, not on a later one of its name.</summary>
    public string OwnerId { get; set; } = "";

    public DateTimeOffset CreatedAt { get; set; }

    public string CreatedBy { get; set; } = "";

    public Digest Json { get; set; }

    public Digest Csv { get; set; }

    public Digest Pdf { get; set; }

    public Digest Bundle { get; set; }

    public AccessTarget Target => AccessTarget.Model(Model, OwnerId);
}

/// <summary>The module's table.</summary>
internal sealed class ComplianceModel : IModelContribution
{
    public void Configure(ModelBuilder model) =>
        model.Entity<ReportRow>(report =>
        {
            report.ToTable("compliance_report");
            report.HasKey(row => row.Id);
            report.Property(row => row.Id).HasMaxLength(32);
            report.Property(row => row.Regulation).HasMaxLength(32);
            report.Property(row => row.Model).HasMaxLength(512);
            report.Property(row => row.OwnerId).HasMaxLength(128);
            report.Property(row => row.CreatedBy).HasMaxLength(128);
            report.Ignore(row => row.Target);
        });
}
