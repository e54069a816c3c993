using Governance.Kernel;

namespace Governance.Identity.Contracts;

/// <summary>A person's login at an external issuer, as administrators see it.</summary>
/// <param name="Id">Its id, for taking it away.</param>
/// <param name="Issuer">Issuer of its tokens.</param>
/// <param name="Subject">The issuer's own name of the person.</param>
/// <param name="Confirmed">Whether it counts; else it waits for a second administrator and is nobody's.</param>
public sealed record LoginView(Guid Id, string Issuer, string Subject, bool Confirmed);

/// <summary>A link that was asked for.</summary>
/// <param name="Login">Id of the login.</param>
/// <param name="Confirmation">What the second administrator confirms.</param>
public sealed record LinkAsked(Guid Login, Guid Confirmation);

/// <summary>
/// Which logins are whose, for every interface. Authorises by itself, a change inside its transaction: global administrators
/// after a recent sign-in, who do not take their own logins away. Refusals are logged before they are answered. Codes
/// <c>identity.*</c>.
/// </summary>
public interface ILogins
{
    /// <summary>
    /// The logins of a person, confirmed or not, at most 20; none for whom there is not. They name people: the caller puts on
    /// record that they were read, before it answers.
    /// </summary>
    Task<Result<IReadOnlyList<LoginView>>> ListAsync(Actor by, string person, CancellationToken cancellationToken);

    /// <summary>Asks for a login of a configured issuer to be the person's, once a second administrator confirms.</summary>
    Task<Result<LinkAsked>> LinkAsync(
        Actor by,
        string person,
        string issuer,
        string externalId,
        CancellationToken cancellationToken
    );

    /// <summary>
    /// Takes a login away, at once and without a second person: that opens nothing, for the login is shut out from then on. What
    /// came of it ends too: sessions, tokens and places in groups of that issuer.
    /// </summary>
    Task<Result<Unit>> UnlinkAsync(Actor by, string person, Guid login, CancellationToken cancellationToken);
}
