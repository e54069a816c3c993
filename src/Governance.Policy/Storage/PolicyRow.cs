using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Policy.Storage;

/// <summary>One approved text of one policy. Never changed.</summary>
internal sealed class PolicyRow
{
    public long Id { get; set; }

    public string Name { get; set; } = "";

    public string Text { get; set; } = "";

    public Digest Digest { get; set; }

    public string Editor { get; set; } = "";

    public DateTimeOffset ActiveFrom { get; set; }

    /// <summary>Whether it was approved before its time. One that was in force at once stays so when a clock goes back.</summary>
    public bool Scheduled { get; set; }

    /// <summary>The proposal that was approved; null for the genesis.</summary>
    public Guid? ProposalId { get; set; }
}

/// <summary>Which text is in force.</summary>
internal static class PolicyRows
{
    /// <summary>Those whose time has come.</summary>
    public static IQueryable<PolicyRow> Arrived(this IQueryable<PolicyRow> rows, DateTimeOffset now) =>
        rows.Where(row => !row.Scheduled || row.ActiveFrom <= now);

    /// <summary>Of one policy, the one approved last first.</summary>
    public static IQueryable<PolicyRow> Newest(this IQueryable<PolicyRow> rows, string name) =>
        rows.Where(row => row.Name == name).OrderByDescending(row => row.Id);

    /// <summary>Of one policy the text in force first: of those whose time has come, the one approved last.</summary>
    public static IQueryable<PolicyRow> InForce(this IQueryable<PolicyRow> rows, string name, DateTimeOffset now) =>
        rows.Arrived(now).Newest(name);
}

/// <summary>The policy module's tables.</summary>
internal sealed class PolicyModel : IModelContribution
{
    public void Configure(ModelBuilder model)
    {
        model.Entity<PolicyRow>(policy =>
        {
            policy.ToTable("policy_version");
            policy.HasKey(row => row.Id);
            policy.Property(row => row.Name).HasMaxLength(100);
            policy.HasIndex(row => new { row.Name, row.Id });
            policy.HasIndex(row => row.Digest);
        });
        model.Entity<ProposalRow>(proposal =>
        {
            proposal.ToTable("policy_proposal");
            proposal.HasKey(row => row.Id);
            proposal.Property(row => row.Name).HasMaxLength(100);
            proposal.Property(row => row.Reason).HasMaxLength(ProposalRow.MaxReason);
            proposal.Property(row => row.ProposedBy).HasMaxLength(32);
            proposal.Property(row => row.DecidedBy).HasMaxLength(32);
            proposal.HasIndex(row => new { row.Name, row.Id });
        });
    }
}
