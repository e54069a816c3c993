using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Governance.Identity.Storage;

/// <summary>The tables about persons: confirmations, enrolment, sessions and credentials.</summary>
internal static class PersonModel
{
    public static void Configure(ModelBuilder model)
    {
        model.Entity<ConfirmationRow>(confirmation =>
        {
            confirmation.ToTable("identity_confirmations");
            confirmation.HasKey(row => row.Id);
            confirmation.Property(row => row.Id).ValueGeneratedNever();
            confirmation.Property(row => row.Kind).HasMaxLength(32);
            confirmation.Property(row => row.ObjectId).HasMaxLength(64);
            confirmation.Property(row => row.RequestedBy).HasMaxLength(32);
            confirmation.Property(row => row.DecidedBy).HasMaxLength(32);
            confirmation.HasIndex(row => new { row.State, row.Id });
            OfSubject(confirmation, nameof(ConfirmationRow.SubjectId));
            confirmation
                .HasOne<GroupRow>()
                .WithMany()
                .HasForeignKey(row => row.GroupId)
                .OnDelete(DeleteBehavior.Restrict);
        });
        model.Entity<EnrolmentRow>(enrolment =>
        {
            enrolment.ToTable("identity_enrolments");
            enrolment.HasKey(row => row.SubjectId);
            enrolment.Property(row => row.CodeHash).HasMaxLength(64);
            enrolment.HasIndex(row => row.CodeHash).IsUnique();
            OfSubject(enrolment, nameof(EnrolmentRow.SubjectId));
        });
        model.Entity<SessionRow>(session =>
        {
            session.ToTable("identity_sessions");
            session.HasKey(row => row.Id);
            session.Property(row => row.Id).HasMaxLength(32);
            session.Property(row => row.Methods).HasMaxLength(64);
            session.Property(row => row.Device).HasMaxLength(64);
            session.HasIndex(row => row.ExpiresAt);
            OfSubject(session, nameof(SessionRow.SubjectId));
        });
        model.Entity<PasskeyRow>(passkey =>
        {
            passkey.ToTable("identity_passkeys");
            passkey.HasKey(row => row.Id);
            passkey.Property(row => row.Id).HasMaxLength(1400);
            passkey.Property(row => row.Name).HasMaxLength(64);
            passkey.Property(row => row.Transports).HasMaxLength(128);
            OfSubject(passkey, nameof(PasskeyRow.SubjectId));
        });
        model.Entity<RecoveryCodeRow>(code =>
        {
            code.ToTable("identity_recovery_codes");
            code.HasKey(row => row.Hash);
            code.Property(row => row.Hash).HasMaxLength(64);
            OfSubject(code, nameof(RecoveryCodeRow.SubjectId));
        });
        model.Entity<AttemptRow>(attempt =>
        {
            attempt.ToTable("identity_attempts");
            attempt.HasKey(row => row.Id);
            attempt.Property(row => row.Id).HasMaxLength(64);
            attempt.HasIndex(row => row.ResetsAt);
        });
        model.Entity<AnsweredRow>(answered =>
        {
            answered.ToTable("identity_answered");
            answered.HasKey(row => row.Id);
            answered.Property(row => row.Id).HasMaxLength(64);
            answered.HasIndex(row => row.ExpiresAt);
        });
        model.Entity<LoginRow>(login =>
        {
            login.ToTable("identity_logins");
            login.HasKey(row => row.Id);
            login.Property(row => row.Id).ValueGeneratedNever();
            login.Property(row => row.Issuer).HasMaxLength(512);
            login.Property(row => row.ExternalId).HasMaxLength(255);
            login.HasIndex(row => new { row.Issuer, row.ExternalId }).IsUnique().HasFilter("\"UnlinkedAt\" IS NULL");
            OfSubject(login, nameof(LoginRow.SubjectId));
        });
        model.Entity<ErasureRow>(erasure =>
        {
            erasure.ToTable("identity_erasures");
            erasure.HasKey(row => row.SubjectId);
            erasure.HasIndex(row => row.State);
            OfSubject(erasure, nameof(ErasureRow.SubjectId));
        });
        model.Entity<HoldRow>(hold =>
        {
            hold.ToTable("identity_holds");
            hold.HasKey(row => row.Id);
            hold.Property(row => row.Id).ValueGeneratedNever();
            hold.Property(row => row.SetBy).HasMaxLength(32);
            OfSubject(hold, nameof(HoldRow.SubjectId));
        });
    }

    private static void OfSubject<TRow>(EntityTypeBuilder<TRow> entity, string property)
        where TRow : class
    {
        entity.Property(property).HasMaxLength(32);
        entity.HasOne<SubjectRow>().WithMany().HasForeignKey(property).OnDelete(DeleteBehavior.Restrict);
    }
}
