using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Promotion.Storage;

/// <summary>Where a request is in its life. A request whose bindings no longer hold is void without being rewritten.</summary>
internal enum RequestState
{
    Open,
    CarriedOut,
    Rejected,
    Withdrawn,
}

/// <summary>A request to move something, bound to what it was made on.</summary>
internal sealed class RequestRow
{
    public Guid Id { get; set; }

    public Guid ModelId { get; set; }

    public string Model { get; set; } = "";

    public int Version { get; set; }

    public MoveKind Kind { get; set; }

    public string Target { get; set; } = "";

    public bool ArchiveExisting { get; set; }

    public RequestState State { get; set; }

    public string RequestedBy { get; set; } = "";

    public string OwnerId { get; set; } = "";

    public string Reason { get; set; } = "";

    public Digest EvidenceSubject { get; set; }

    public Digest PolicyDigest { get; set; }

    public Digest EvidenceDigest { get; set; }

    public DateTimeOffset CreatedAt { get; set; }

    public Guid? ReceiptId { get; set; }

    public Move Move => new(new ModelVersionRef(Model, Version), Kind, Target, ArchiveExisting);
}

/// <summary>One person's answer to a request; bound to the request's bindings, expires, used once.</summary>
internal sealed class ApprovalRow
{
    public Guid Id { get; set; }

    public Guid RequestId { get; set; }

    public string PersonId { get; set; } = "";

    public bool Approves { get; set; }

    public string Comment { get; set; } = "";

    public DateTimeOffset At { get; set; }

    public DateTimeOffset ExpiresAt { get; set; }

    public Guid EntryId { get; set; }

    /// <summary>The decision that spent it.</summary>
    public Guid? UsedBy { get; set; }
}

/// <summary>A decision with everything it was made on.</summary>
internal sealed class DecisionRow
{
    public Guid Id { get; set; }

    public Guid ModelId { get; set; }

    public string Model { get; set; } = "";

    public int Version { get; set; }

    public MoveKind Kind { get; set; }

    public string Target { get; set; } = "";

    public bool ArchiveExisting { get; set; }

    public string Verdict { get; set; } = "";

    /// <summary>JSON array of sentences.</summary>
    public string Unmet { get; set; } = "[]";

    public Digest EvidenceSubject { get; set; }

    public Digest EvidenceDigest { get; set; }

    public Digest PolicyDigest { get; set; }

    public string Facts { get; set; } = "";

    public DateTimeOffset At { get; set; }

    public string ActorId { get; set; } = "";

    public Guid EntryId { get; set; }

    public bool Used { get; set; }
}

/// <summary>A receipt: the signed statement and the entry that proves it.</summary>
internal sealed class ReceiptRow
{
    public Guid Id { get; set; }

    public Guid ModelId { get; set; }

    public int Version { get; set; }

    public Guid DecisionId { get; set; }

    public byte[] Statement { get; set; } = [];

    public Guid EntryId { get; set; }

    public DateTimeOffset At { get; set; }
}

/// <summary>The promotion module's tables.</summary>
internal sealed class PromotionModel : IModelContribution
{
    public void Configure(ModelBuilder model)
    {
        model.Entity<RequestRow>(request =>
        {
            request.ToTable("promotion_request");
            request.HasKey(row => row.Id);
            request.Property(row => row.Kind).HasConversion<string>().HasMaxLength(20);
            request.Property(row => row.State).HasConversion<string>().HasMaxLength(20);
            request.Ignore(row => row.Move);
            request.HasIndex(row => new
            {
                row.ModelId,
                row.Version,
                row.State,
            });
            request.HasIndex(row => new { row.State, row.Id });
        });
        model.Entity<ApprovalRow>(approval =>
        {
            approval.ToTable("promotion_approval");
            approval.HasKey(row => row.Id);
            // One answer a person and request.
            approval.HasIndex(row => new { row.RequestId, row.PersonId }).IsUnique();
        });
        model.Entity<DecisionRow>(decision =>
        {
            decision.ToTable("promotion_decision");
            decision.HasKey(row => row.Id);
            decision.Property(row => row.Kind).HasConversion<string>().HasMaxLength(20);
            decision.HasIndex(row => new
            {
                row.ModelId,
                row.Version,
                row.Id,
            });
        });
        model.Entity<ReceiptRow>(receipt =>
        {
            receipt.ToTable("promotion_receipt");
            receipt.HasKey(row => row.Id);
            receipt.HasIndex(row => new
            {
                row.ModelId,
                row.Version,
                row.Id,
            });
        });
    }
}
