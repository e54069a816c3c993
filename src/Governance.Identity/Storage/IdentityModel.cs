using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using OpenIddict.EntityFrameworkCore.Models;

namespace Governance.Identity.Storage;

/// <summary>A person or a service.</summary>
internal sealed class SubjectRow
{
    /// <summary>Random pseudonym, 32 hex characters.</summary>
    public string Id { get; set; } = "";
    public ActorKind Kind { get; set; }

    /// <summary>User name or client id.</summary>
    public string Name { get; set; } = "";
    public string DisplayName { get; set; } = "";

    /// <summary>PBKDF2 of the password; null without one. The secret of a service is hashed by the authorization server.</summary>
    public string? PasswordHash { get; set; }
    public bool Enabled { get; set; }
    public DateTimeOffset CreatedAt { get; set; }

    /// <summary>One of the two administrators whom nobody needed to confirm: made by the set-up code, or by that one alone.</summary>
    public bool Bootstrapped { get; set; }

    /// <summary>Key of the authenticator app (RFC 6238), wrapped; null without one.</summary>
    public byte[]? TotpKey { get; set; }

    /// <summary>The newest time step whose code was taken; that one and older ones count no more.</summary>
    public long TotpStep { get; set; }
}

/// <summary>The role definitions in force: the newest row.</summary>
internal sealed class RoleTextRow
{
    public Guid Id { get; set; }
    public string Text { get; set; } = "";

    /// <summary>SHA-256 of the text, hex.</summary>
    public string Digest { get; set; } = "";
    public DateTimeOffset CreatedAt { get; set; }
}

/// <summary>The tables of this module, those of the authorization server included.</summary>
internal sealed class IdentityModel : IModelContribution
{
    public void Configure(ModelBuilder model)
    {
        model.Entity<SubjectRow>(subject =>
        {
            subject.ToTable("identity_subjects");
            subject.HasKey(row => row.Id);
            subject.Property(row => row.Id).HasMaxLength(32);
            subject.Property(row => row.Name).HasMaxLength(64);
            subject.Property(row => row.DisplayName).HasMaxLength(128);
            subject.HasIndex(row => row.Name).IsUnique();
        });
        model.Entity<GrantRow>(grant =>
        {
            grant.ToTable("identity_grants");
            grant.HasKey(row => row.Id);
            grant.Property(row => row.Id).ValueGeneratedNever();
            grant.Property(row => row.Role).HasMaxLength(32);
            grant.Property(row => row.Pattern).HasMaxLength(256);
            grant.Property(row => row.GrantedBy).HasMaxLength(32);
            grant
                .HasIndex(row => new
                {
                    row.SubjectId,
                    row.Role,
                    row.Kind,
                    row.Pattern,
                })
                .IsUnique();
            grant
                .HasIndex(row => new
                {
                    row.GroupId,
                    row.Role,
                    row.Kind,
                    row.Pattern,
                })
                .IsUnique();
            grant.HasIndex(row => row.Role);
            grant.HasOne<SubjectRow>().WithMany().HasForeignKey(row => row.SubjectId).OnDelete(DeleteBehavior.Restrict);
            grant.HasOne<GroupRow>().WithMany().HasForeignKey(row => row.GroupId).OnDelete(DeleteBehavior.Restrict);
        });
        model.Entity<GroupRow>(group =>
        {
            group.ToTable("identity_groups");
            group.HasKey(row => row.Id);
            group.Property(row => row.Id).HasMaxLength(32);
            group.Property(row => row.Name).HasMaxLength(64);
            group.Property(row => row.Issuer).HasMaxLength(256);
            group.Property(row => row.Claim).HasMaxLength(64);
            group.Property(row => row.Value).HasMaxLength(256);
            group.HasIndex(row => row.Name).IsUnique();
            group
                .HasIndex(row => new
                {
                    row.Issuer,
                    row.Claim,
                    row.Value,
                })
                .IsUnique();
        });
        model.Entity<MemberRow>(member =>
        {
            member.ToTable("identity_group_members");
            member.HasKey(row => new { row.SubjectId, row.GroupId });
            member.Property(row => row.AddedBy).HasMaxLength(32);
            member.HasIndex(row => row.GroupId);
            member
                .HasOne<SubjectRow>()
                .WithMany()
                .HasForeignKey(row => row.SubjectId)
                .OnDelete(DeleteBehavior.Restrict);
            member.HasOne<GroupRow>().WithMany().HasForeignKey(row => row.GroupId).OnDelete(DeleteBehavior.Restrict);
        });
        model.Entity<RoleTextRow>(roles =>
        {
            roles.ToTable("identity_roles");
            roles.HasKey(row => row.Id);
            roles.Property(row => row.Id).ValueGeneratedNever();
            roles.Property(row => row.Digest).HasMaxLength(64);
        });

        PersonModel.Configure(model);
        model.UseOpenIddict();
        model.Entity<OpenIddictEntityFrameworkCoreApplication>().ToTable("identity_oauth_applications");
        model.Entity<OpenIddictEntityFrameworkCoreAuthorization>().ToTable("identity_oauth_authorizations");
        model.Entity<OpenIddictEntityFrameworkCoreScope>().ToTable("identity_oauth_scopes");
        model.Entity<OpenIddictEntityFrameworkCoreToken>().ToTable("identity_oauth_tokens");
    }
}
