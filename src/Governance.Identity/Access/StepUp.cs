using System.Collections.Frozen;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Access;

/// <summary>Compares the moment and the manner of the sign-in, and the token, with the settings.</summary>
internal sealed class StepUp(IOptions<IdentityOptions> options, TimeProvider clock) : IStepUp
{
    private static readonly Failure Unbound = new(
        FailureKind.Reauthenticate,
        "identity.bound_token_needed",
        "This needs a token that is bound to a key or certificate of yours: ask for one with DPoP or mutual TLS."
    );

    private readonly FrozenSet<string> _bound = options.Value.Bound.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Whether the person signed in recently, by whatever means.</summary>
    public bool IsRecent(Actor actor) =>
        actor.AuthenticatedAt is { } at
        && clock.GetUtcNow() - at <= TimeSpan.FromMinutes(options.Value.RecentSignInMinutes);

    public Failure? Check(Actor actor)
    {
        if (!actor.IsPerson)
        {
            return Failure.Denied("identity.persons_only", "Only an enrolled person who signed in may do this.");
        }

        var limit = TimeSpan.FromMinutes(options.Value.RecentSignInMinutes);
        if (!IsRecent(actor))
        {
            return new Failure(
                FailureKind.Reauthenticate,
                "identity.reauthentication_needed",
                $"This needs a sign-in of the last {options.Value.RecentSignInMinutes} minutes. Sign in again (/reauthenticate in a browser, govern login --fresh on the command line), then repeat it."
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

    public Failure? Check(Actor actor, Permission permission) =>
        permission == Permissions.IdentityManage
        || permission == Permissions.PolicyManage
        || permission == Permissions.KeysManage
        || permission == Permissions.SubjectHold
            ? Check(actor)
            : null;

    public Failure? CheckBinding(Actor actor, Permission permission) =>
        !actor.SenderConstrained && _bound.Contains(permission.Name) ? Unbound : null;
}
