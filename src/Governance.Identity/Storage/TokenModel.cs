using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Storage;

/// <summary>Something that counts once: a DPoP proof, a client assertion. Kept until it would be too old anyway.</summary>
internal sealed class UsedOnceRow
{
    /// <summary>SHA-256 of what it is and its id, hex.</summary>
    public string Hash { get; set; } = "";

    /// <summary>Seconds since 1970 from when on it may be forgotten.</summary>
    public long Until { get; set; }
}

/// <summary>One generation of the issuer's keys, wrapped.</summary>
internal sealed class IssuerKeyRow
{
    /// <summary>The <c>kid</c> of the signing key.</summary>
    public string Id { get; set; } = "";

    /// <summary>ECDSA P-256 private key, PKCS #8, wrapped.</summary>
    public byte[] Signing { get; set; } = [];

    /// <summary>AES-256 key for codes and refresh tokens, wrapped.</summary>
    public byte[] Encryption { get; set; } = [];

    /// <summary>From when on it signs; it is published before.</summary>
    public DateTimeOffset ActiveFrom { get; set; }
    public DateTimeOffset CreatedAt { get; set; }
}

/// <summary>The tables behind tokens.</summary>
internal sealed class TokenModel : IModelContribution
{
    public void Configure(ModelBuilder model)
    {
        model.Entity<UsedOnceRow>(used =>
        {
            used.ToTable("identity_used_once");
            used.HasKey(row => row.Hash);
            used.Property(row => row.Hash).HasMaxLength(64);
            used.HasIndex(row => row.Until);
        });
        model.Entity<IssuerKeyRow>(key =>
        {
            key.ToTable("identity_issuer_keys");
            key.HasKey(row => row.Id);
            key.Property(row => row.Id).HasMaxLength(64);
        });
    }
}
