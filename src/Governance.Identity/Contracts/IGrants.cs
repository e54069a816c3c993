using Governance.Kernel;

namespace Governance.Identity.Contracts;

/// <summary>A grant as administrators see it.</summary>
/// <param name="Grant">What is granted; its id is set.</param>
/// <param name="Subject">Pseudonym of the person or service, or null.</param>
/// <param name="Group">Id of the group, or null.</param>
/// <param name="Pending">Whether it waits for a second administrator and counts for nothing yet.</param>
/// <param name="GrantedBy">Pseudonym of who granted it.</param>
/// <param name="CreatedAt">UTC.</param>
public sealed record GrantView(
    RoleGrant Grant,
    string? Subject,
    string? Group,
    bool Pending,
    string GrantedBy,
    DateTimeOffset CreatedAt
)
{
    /// <summary>What the second administrator confirms; told to who asked, else null.</summary>
    public Guid? Confirmation { get; init; }
}

/// <summary>
/// Grants at run time, for every interface. Authorises by itself, inside the transaction that changes something:
/// <c>identity:manage</c> on the whole scope of what is granted. Nobody widens their own rights, directly or through a group.
/// Refusals are logged before they are answered. Codes <c>identity.*</c>.
/// </summary>
public interface IGrants
{
    /// <summary>
    /// Grants a role to exactly one of a subject and a group. A privileged grant, and any to an external group, counts
    /// only once a second administrator has confirmed it; only persons may ask for one.
    /// </summary>
    Task<Result<GrantView>> GrantAsync(
        Actor by,
        string? subject,
        string? group,
        RoleGrant grant,
        CancellationToken cancellationToken
    );

    /// <summary>Takes a grant away, at once; one administrator suffices, so that a compromise can be stopped.</summary>
    Task<Result<Unit>> RevokeAsync(Actor by, Guid id, CancellationToken cancellationToken);

    /// <summary>Grants that the actor manages, in order of their ids; of one subject or group if named.</summary>
    Task<Result<Page<GrantView>>> ListAsync(
        Actor by,
        string? holder,
        int first,
        Guid? after,
        CancellationToken cancellationToken
    );
}
