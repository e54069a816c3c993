using Governance.Kernel;

namespace Governance.Identity.Contracts;

/// <summary>Whether a caller proved who they are well enough for what they ask, beyond holding the permission.</summary>
public interface IStepUp
{
    /// <summary>
    /// For approvals and changes of persons, services, roles, keys and policies: null for a person who signed in recently
    /// enough. Else <c>identity.reauthentication_needed</c> or <c>identity.second_factor_needed</c>, both of kind
    /// <see cref="FailureKind.Reauthenticate"/> with the age that would do (RFC 9470), or <c>identity.persons_only</c>.
    /// </summary>
    Failure? Check(Actor actor);

    /// <summary>
    /// The same for a request that changes something under a permission; null when the permission does not administer.
    /// </summary>
    Failure? Check(Actor actor, Permission permission);

    /// <summary>
    /// Null unless the settings name the permission as one for tokens that are bound to a key or certificate
    /// (RFC 9449, RFC 8705) and this caller's is not; then <c>identity.bound_token_needed</c>.
    /// </summary>
    Failure? CheckBinding(Actor actor, Permission permission);
}
