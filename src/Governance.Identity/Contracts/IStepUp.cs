using Governance.Kernel;

namespace Governance.Identity.Contracts;

/// <summary>Whether a person proved who they are recently enough for an approval or a change of roles.</summary>
public interface IStepUp
{
    /// <summary>
    /// Null when recent enough. Else <c>identity.reauthentication_needed</c> or <c>identity.second_factor_needed</c>, both of
    /// kind <see cref="FailureKind.Reauthenticate"/> with the age that would do (RFC 9470). Services never pass.
    /// </summary>
    Failure? Check(Actor actor);
}
