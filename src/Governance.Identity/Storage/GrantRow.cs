using Governance.Identity.Contracts;
using Governance.Kernel;

namespace Governance.Identity.Storage;

/// <summary>A role granted to a subject, or to a group.</summary>
internal sealed class GrantRow
{
    public Guid Id { get; set; }

    /// <summary>Either this or <see cref="GroupId"/>.</summary>
    public string? SubjectId { get; set; }
    public string? GroupId { get; set; }
    public string Role { get; set; } = "";
    public ObjectKind Kind { get; set; }
    public string Pattern { get; set; } = "";

    /// <summary>Entries of <see cref="TargetScope.Only"/>, one a line.</summary>
    public string Targets { get; set; } = "";

    /// <summary>Entries of <see cref="TargetScope.Except"/>, one a line.</summary>
    public string ExceptTargets { get; set; } = "";
    public DateTimeOffset? ExpiresAt { get; set; }

    /// <summary>It counts for nothing until a second administrator confirms it.</summary>
    public bool Pending { get; set; }

    /// <summary>Actor id of who granted it.</summary>
    public string GrantedBy { get; set; } = "";
    public DateTimeOffset CreatedAt { get; set; }

    public RoleGrant ToGrant() =>
        new(Role, Kind, Pattern)
        {
            Id = Id,
            Group = GroupId,
            ExpiresAt = ExpiresAt,
            Targets =
                Targets.Length + ExceptTargets.Length == 0
                    ? TargetScope.All
                    : new TargetScope(Lines(Targets), Lines(ExceptTargets)),
        };

    public static GrantRow Of(RoleGrant grant, Actor by, DateTimeOffset now) =>
        new()
        {
            Id = Guid.CreateVersion7(now),
            Role = grant.Role,
            Kind = grant.Kind,
            Pattern = grant.Pattern,
            Targets = string.Join('\n', grant.Targets.Only),
            ExceptTargets = string.Join('\n', grant.Targets.Except),
            ExpiresAt = grant.ExpiresAt,
            GrantedBy = by.Id,
            CreatedAt = now,
        };

    private static string[] Lines(string text) => text.Length == 0 ? [] : text.Split('\n');
}
