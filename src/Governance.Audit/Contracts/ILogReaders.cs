using Governance.Kernel;

namespace Governance.Audit.Contracts;

/// <summary>
/// Who may read log entries: the whole log or nothing, so a grant on some models does not suffice. Implemented by the host
/// over <c>IAccess</c> (<see cref="Permissions.AuditRead"/> on <see cref="AccessTarget.Global"/>); without it nobody may.
/// </summary>
public interface ILogReaders
{
    /// <summary>Whether the actor may read every entry.</summary>
    ValueTask<bool> MayReadAsync(Actor actor, CancellationToken cancellationToken);
}

/// <summary>Nobody may read: what stands until the host says otherwise.</summary>
internal sealed class NoLogReaders : ILogReaders
{
    public ValueTask<bool> MayReadAsync(Actor actor, CancellationToken cancellationToken) => new(false);
}
