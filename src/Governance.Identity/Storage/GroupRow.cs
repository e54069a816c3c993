using Governance.Identity.Contracts;

namespace Governance.Identity.Storage;

/// <summary>A group of subjects: local, or bound for good to one value of one claim of one issuer.</summary>
internal sealed class GroupRow
{
    /// <summary>Random pseudonym, 32 hex characters.</summary>
    public string Id { get; set; } = "";
    public string Name { get; set; } = "";

    /// <summary>Null for a local group, like the next two.</summary>
    public string? Issuer { get; set; }
    public string? Claim { get; set; }
    public string? Value { get; set; }
    public DateTimeOffset CreatedAt { get; set; }

    public ExternalClaim? External => Issuer is null ? null : new ExternalClaim(Issuer, Claim!, Value!);
}

/// <summary>A subject in a group.</summary>
internal sealed class MemberRow
{
    public string SubjectId { get; set; } = "";
    public string GroupId { get; set; } = "";

    /// <summary>Actor id of who added it; the subject itself for an external group, whose members a token names.</summary>
    public string AddedBy { get; set; } = "";

    /// <summary>It counts for nothing until a second administrator confirms it.</summary>
    public bool Pending { get; set; }

    /// <summary>When the token that named the group was issued; null for a local group.</summary>
    public DateTimeOffset? SeenAt { get; set; }
    public DateTimeOffset AddedAt { get; set; }
}
