using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Signing.Storage;

/// <summary>The part that one key had in one signature; only inserted.</summary>
internal sealed class SignatureUseRow
{
    public long Id { get; set; }

    /// <summary>Lower-case hex SHA-256 of the key's PEM text.</summary>
    public string KeyId { get; set; } = "";

    /// <summary>The key's task: its name in the ring.</summary>
    public string Role { get; set; } = "";

    /// <summary>When it signed: by the timestamp or the log, UTC.</summary>
    public DateTimeOffset At { get; set; }

    /// <summary>URN of what the signature is about.</summary>
    public string Subject { get; set; } = "";

    /// <summary>Whom the certificate names; empty when a key signed.</summary>
    public string Identity { get; set; } = "";

    /// <summary>SHA-256 of the bundle as it is kept.</summary>
    public Digest Bundle { get; set; }
}

/// <summary>The signing module's table.</summary>
internal sealed class SigningModel : IModelContribution
{
    public void Configure(ModelBuilder model) =>
        model.Entity<SignatureUseRow>(use =>
        {
            use.ToTable("signing_use");
            use.HasKey(row => row.Id);
            use.Property(row => row.KeyId).HasMaxLength(64);
            use.Property(row => row.Role).HasMaxLength(40);
            use.Property(row => row.Subject).HasMaxLength(600);
            use.Property(row => row.Identity).HasMaxLength(600);
            use.HasIndex(row => new { row.KeyId, row.Id });
            use.HasIndex(row => new { row.Identity, row.Id });
            use.HasIndex(row => row.Bundle);
        });
}
