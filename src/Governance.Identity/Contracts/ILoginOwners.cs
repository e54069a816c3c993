namespace Governance.Identity.Contracts;

/// <summary>
/// Who is whom, for rules that tell two persons apart. Before it was linked, a login at an external issuer acted under a
/// pseudonym of its own, and what it did then is its owner's too.
/// </summary>
public interface ILoginOwners
{
    /// <summary>
    /// The subjects, and whoever owns the logins among them, or owned them before they were unlinked; a link that waits for a
    /// second administrator counts here.
    /// </summary>
    Task<IReadOnlyList<string>> WithOwnersAsync(
        IReadOnlyCollection<string> subjects,
        CancellationToken cancellationToken
    );
}
