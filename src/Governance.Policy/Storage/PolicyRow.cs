using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Policy.Storage;

/// <summary>One version of one policy file; the active one of a name is the newest. Never changed.</summary>
internal sealed class PolicyRow
{
    public long Id { get; set; }

    public string Name { get; set; } = "";

    public string Text { get; set; } = "";

    public Digest Digest { get; set; }

    public string Editor { get; set; } = "";

    public DateTimeOffset ActiveFrom { get; set; }
}

/// <summary>The policy module's table.</summary>
internal sealed class PolicyModel : IModelContribution
{
    public void Configure(ModelBuilder model) =>
        model.Entity<PolicyRow>(policy =>
        {
            policy.ToTable("policy_version");
            policy.HasKey(row => row.Id);
            policy.Property(row => row.Name).HasMaxLength(100);
            policy.HasIndex(row => new { row.Name, row.Id });
            policy.HasIndex(row => row.Digest);
        });
}
