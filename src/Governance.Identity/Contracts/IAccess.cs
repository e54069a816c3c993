using Governance.Kernel;

namespace Governance.Identity.Contracts;

/// <summary>What an actor may do, decided from the database.</summary>
public interface IAccess
{
    /// <summary>The rights of an actor, at most 5 seconds old.</summary>
    ValueTask<Rights> RightsOfAsync(Actor actor, CancellationToken cancellationToken);

    /// <summary>The rights of an actor read now: approvals, grants and promotions use this one.</summary>
    Task<Rights> RightsNowAsync(Actor actor, CancellationToken cancellationToken);
}

/// <summary>One role granted globally or on a pattern of names.</summary>
/// <param name="Role">Role name of design §4.</param>
/// <param name="Kind">Kind of object the pattern is about; <see cref="ObjectKind.None"/> for a global grant.</param>
/// <param name="Pattern">Name pattern with <c>*</c>; empty for a global grant.</param>
public sealed record RoleGrant(string Role, ObjectKind Kind, string Pattern)
{
    /// <summary>Which stages and aliases it reaches; all of them unless it says otherwise.</summary>
    public TargetScope Targets { get; init; } = TargetScope.All;

    /// <summary>When it ends, UTC; null for never.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Id of the grant, for revoking it; null before it is stored.</summary>
    public Guid? Id { get; init; }

    /// <summary>The group through which it is held; null for a grant to the subject itself.</summary>
    public string? Group { get; init; }
}

/// <summary>What a role may do: permissions, each either on everything in reach or on own and granted objects only.</summary>
/// <param name="Name">Role name.</param>
/// <param name="Everywhere">Permissions on every object in reach of the grant.</param>
/// <param name="Own">Permissions only on objects that the actor owns or that a grant names by pattern.</param>
public sealed record RoleDefinition(string Name, IReadOnlySet<string> Everywhere, IReadOnlySet<string> Own);

/// <summary>Name patterns of grants: <c>*</c> stands for any run of characters, everything else for itself, case-sensitive.</summary>
public static class NamePattern
{
    /// <summary>Whether a name matches; linear in pattern × name, no regular expression.</summary>
    public static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name)
    {
        int p = 0,
            n = 0,
            star = -1,
            mark = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                mark = n;
            }
            else if (p < pattern.Length && pattern[p] == name[n])
            {
                p++;
                n++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                n = ++mark;
            }
            else
            {
                return false;
            }
        }

        return pattern[p..].IndexOfAnyExcept('*') < 0;
    }

    /// <summary>
    /// Whether every name that <paramref name="inner"/> matches is matched by <paramref name="outer"/>: a star of the inner
    /// pattern is a character that only a star of the outer one can take.
    /// </summary>
    public static bool Covers(ReadOnlySpan<char> outer, ReadOnlySpan<char> inner) => Matches(outer, inner);
}

/// <summary>A person or service as others may see it.</summary>
/// <param name="Id">Pseudonym.</param>
/// <param name="Kind">Person or service.</param>
/// <param name="DisplayName">Name for people; only for callers who may resolve it.</param>
/// <param name="Grants">Roles.</param>
public sealed record SubjectView(string Id, ActorKind Kind, string DisplayName, IReadOnlyList<RoleGrant> Grants);

/// <summary>
/// Look-ups and administration of persons, services and grants, used by GraphQL and demo. Look-ups check nothing themselves:
/// callers authorise. What an actor changes authorises by itself, inside its transaction.
/// </summary>
public interface ISubjects
{
    /// <summary>The subject with this pseudonym, or null.</summary>
    Task<SubjectView?> FindAsync(string id, CancellationToken cancellationToken);

    /// <summary>Persons who hold the role on the target now: who could approve.</summary>
    Task<IReadOnlyList<string>> PersonsWithRoleAsync(
        string role,
        AccessTarget target,
        CancellationToken cancellationToken
    );

    /// <summary>
    /// Enrols a person with a password that the gateway itself chose, as the demo does; nobody confirms it. Administrators
    /// invite people over the API instead. Logged. Codes <c>identity.*</c>.
    /// </summary>
    Task<Result<SubjectView>> EnrolPersonAsync(
        string userName,
        string displayName,
        Secret password,
        IReadOnlyList<RoleGrant> grants,
        CancellationToken cancellationToken
    );

    /// <summary>Creates a service with a client secret; logged. Returns the subject; its client id is its name. Codes <c>identity.*</c>.</summary>
    Task<Result<SubjectView>> EnrolServiceAsync(
        Actor by,
        string clientId,
        Secret clientSecret,
        IReadOnlyList<RoleGrant> grants,
        CancellationToken cancellationToken
    );

    /// <summary>
    /// Keeps a person or service out, whose tokens and sessions stop counting at once; or lets it in again, held until a second
    /// administrator confirms. For global administrators after a recent sign-in. Codes <c>identity.*</c>.
    /// </summary>
    Task<Result<Unit>> SetEnabledAsync(Actor by, string subjectId, bool enabled, CancellationToken cancellationToken);
}
