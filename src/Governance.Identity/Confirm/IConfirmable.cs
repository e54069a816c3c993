using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Identity.Confirm;

/// <summary>What follows from the second administrator's word. Runs inside the unit that records it.</summary>
internal interface IConfirmable
{
    /// <summary>Whether confirmations of this kind are its own. Exactly one part handles a kind.</summary>
    bool Handles(string kind);

    /// <summary>What else speaks against confirming the change now, beside who asked and who gains by it; null for nothing.</summary>
    Task<Failure?> ObjectionAsync(
        WriteSession session,
        Actor by,
        ConfirmationRow row,
        CancellationToken cancellationToken
    ) => Task.FromResult<Failure?>(null);

    /// <summary>The change was confirmed: makes it count, if it does not yet.</summary>
    Task ConfirmedAsync(WriteSession session, Actor by, ConfirmationRow row, CancellationToken cancellationToken);

    /// <summary>The change was rejected: undoes it.</summary>
    Task RejectedAsync(WriteSession session, ConfirmationRow row, CancellationToken cancellationToken);
}
