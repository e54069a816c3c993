using Governance.Identity.Contracts;
using Governance.Kernel;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Access;

/// <summary>Compares the moment and the manner of the sign-in with the settings.</summary>
internal sealed class StepUp(IOptions<IdentityOptions> options, TimeProvider clock) : IStepUp
{
    /// <summary>Whether the person signed in recently, by whatever means.</summary>
    public bool IsRecent(Actor actor) =>
        actor.AuthenticatedAt is { } at
        && clock.GetUtcNow() - at <= TimeSpan.FromMinutes(options.Value.RecentSignInMinutes);

    public Failure? Check(Actor actor)
    {
        var limit = TimeSpan.FromMinutes(options.Value.RecentSignInMinutes);
        if (!IsRecent(actor))
        {
            return new Failure(
                FailureKind.Reauthenticate,
                "identity.reauthentication_needed",
                $"This needs a sign-in of the last {options.Value.RecentSignInMinutes} minutes. Sign in again (/reauthenticate in a browser), then repeat it."
            )
            {
                MaxAge = limit,
            };
        }

        return options.Value.RequireSecondFactor && !actor.MultiFactor
            ? new Failure(
                FailureKind.Reauthenticate,
                "identity.second_factor_needed",
                "This needs a sign-in with a passkey or an authenticator app. Set one up at /account, then sign in again."
            )
            {
                MaxAge = limit,
            }
            : null;
    }
}
