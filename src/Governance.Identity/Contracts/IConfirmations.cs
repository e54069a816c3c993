using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Identity.Contracts;

/// <summary>A privileged change that waits for a second administrator.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Change"><c>person</c>, <c>credentials</c>, <c>enabled</c>, <c>login</c>, <c>grant</c>, <c>membership</c> or <c>erasure</c>.</param>
/// <param name="Subject">Pseudonym of whom it is about; null for a grant to a group.</param>
/// <param name="Group">Id of the group of a grant or membership, else null.</param>
/// <param name="Details">What exactly; names no person.</param>
/// <param name="RequestedBy">Pseudonym of who asked and can't confirm.</param>
/// <param name="RequestedAt">UTC.</param>
/// <param name="ExpiresAt">UTC; afterwards it has to be asked for again.</param>
public sealed record ConfirmationView(
    Guid Id,
    string Change,
    string? Subject,
    string? Group,
    JsonObject Details,
    string RequestedBy,
    DateTimeOffset RequestedAt,
    DateTimeOffset ExpiresAt
);

/// <summary>
/// Four eyes on privileged changes, for every interface. Authorises by itself, inside the transaction that decides: another
/// global administrator, a person, neither who asked nor who gains by it, nor held by such a change. Refusals are logged
/// before they are answered. Codes <c>identity.*</c>.
/// </summary>
public interface IConfirmations
{
    /// <summary>What waits, oldest first, expired ones included.</summary>
    Task<Result<Page<ConfirmationView>>> ListAsync(
        Actor by,
        int first,
        Guid? after,
        CancellationToken cancellationToken
    );

    /// <summary>Confirms a change, which counts from then on.</summary>
    Task<Result<Unit>> ConfirmAsync(Actor by, Guid id, CancellationToken cancellationToken);

    /// <summary>Rejects a change, which is undone. Who asked may take it back by this.</summary>
    Task<Result<Unit>> RejectAsync(Actor by, Guid id, CancellationToken cancellationToken);

    /// <summary>Asks again for one that nobody answered in time; whoever asks is the requester from then on.</summary>
    Task<Result<Unit>> RenewAsync(Actor by, Guid id, CancellationToken cancellationToken);
}
