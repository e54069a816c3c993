using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Identity.Contracts;

/// <summary>Who may make changes that another module puts under an administrative permission, asked inside the unit of the change.</summary>
public interface IAdministration
{
    /// <summary>
    /// Null for a person who holds the permission on everything now, is not held by a change of their account and signed in
    /// recently. Else <c>identity.denied</c>, or what <see cref="IStepUp.Check(Actor)"/> says.
    /// </summary>
    Task<Failure?> ObjectionAsync(
        WriteSession session,
        Actor by,
        Permission permission,
        CancellationToken cancellationToken
    );

    /// <summary>Whether a person, by pseudonym, holds the permission on everything now and is not held.</summary>
    Task<bool> HoldsAsync(
        WriteSession session,
        string person,
        Permission permission,
        CancellationToken cancellationToken
    );
}
