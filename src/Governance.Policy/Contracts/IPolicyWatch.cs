using Governance.Platform.Database;

namespace Governance.Policy.Contracts;

/// <summary>Port: who has something to do when another text of a policy comes into force.</summary>
public interface IPolicyWatch
{
    /// <summary>
    /// Called once per approved text, inside the unit that approves it; <paramref name="wait"/> after it the text is in force.
    /// </summary>
    Task OnApprovedAsync(
        WriteSession session,
        string name,
        Guid proposal,
        TimeSpan wait,
        CancellationToken cancellationToken
    );
}
