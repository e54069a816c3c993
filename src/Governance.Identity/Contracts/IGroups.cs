using Governance.Kernel;

namespace Governance.Identity.Contracts;

/// <summary>A group with its members.</summary>
/// <param name="Id">Random id, 32 hex characters.</param>
/// <param name="Name">Its name.</param>
/// <param name="External">What binds it to an identity provider; null for a local group.</param>
/// <param name="Members">At most 1000 of its members.</param>
public sealed record GroupView(string Id, string Name, ExternalClaim? External, IReadOnlyList<GroupMember> Members);

/// <summary>Somebody in a group.</summary>
/// <param name="Subject">Pseudonym.</param>
/// <param name="Pending">Whether it waits for a second administrator and counts for nothing yet.</param>
/// <param name="SeenAt">When the token that named the group was issued; null for a local group.</param>
public sealed record GroupMember(string Subject, bool Pending, DateTimeOffset? SeenAt);

/// <summary>
/// Groups at run time, for every interface. Authorises by itself, inside the transaction that changes something. Refusals are
/// logged before they are answered. Codes <c>identity.*</c>.
/// </summary>
public interface IGroups
{
    /// <summary>Makes a group, local or bound for good to a value of a claim; global administrators only.</summary>
    Task<Result<GroupView>> CreateAsync(
        Actor by,
        string name,
        ExternalClaim? external,
        CancellationToken cancellationToken
    );

    /// <summary>Groups in order of their ids; global administrators only.</summary>
    Task<Result<Page<GroupView>>> ListAsync(Actor by, int first, string? after, CancellationToken cancellationToken);

    /// <summary>
    /// Puts a subject into a local group; needs the right to grant everything that the group is granted. Waits for a second
    /// administrator when that is privileged.
    /// </summary>
    Task<Result<GroupView>> AddMemberAsync(Actor by, string group, string subject, CancellationToken cancellationToken);

    /// <summary>Takes a subject out of a group, at once.</summary>
    Task<Result<GroupView>> RemoveMemberAsync(
        Actor by,
        string group,
        string subject,
        CancellationToken cancellationToken
    );
}
