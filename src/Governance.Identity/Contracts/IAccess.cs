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
public sealed record RoleGrant(string Role, ObjectKind Kind, string Pattern);

/// <summary>What a role may do: permissions, each either on everything in reach or on own and granted objects only.</summary>
/// <param name="Name">Role name.</param>
/// <param name="Everywhere">Permissions on every object in reach of the grant.</param>
/// <param name="Own">Permissions only on objects that the actor owns or that a grant names by pattern.</param>
public sealed record RoleDefinition(string Name, IReadOnlySet<string> Everywhere, IReadOnlySet<string> Own);

/// <summary>The rights of one actor at one moment. Immutable; nothing is implied that is not granted.</summary>
public sealed class Rights
{
    private readonly IReadOnlyList<(RoleGrant Grant, RoleDefinition Role)> _grants;

    /// <summary>Composes rights; unknown roles grant nothing.</summary>
    public Rights(Actor actor, IEnumerable<RoleGrant> grants, IReadOnlyDictionary<string, RoleDefinition> roles)
    {
        Actor = actor;
        _grants = [.. grants.Where(grant => roles.ContainsKey(grant.Role)).Select(grant => (grant, roles[grant.Role]))];
    }

    /// <summary>Whose rights.</summary>
    public Actor Actor { get; }

    /// <summary>The grants behind the rights.</summary>
    public IEnumerable<RoleGrant> Grants => _grants.Select(pair => pair.Grant);

    /// <summary>Whether the actor may do this on this object.</summary>
    public bool Allows(Permission permission, AccessTarget target) =>
        permission == Permissions.Public
        || (permission == Permissions.Self && Actor.Kind != ActorKind.Anonymous)
        || Actor.Kind == ActorKind.System
        || _grants.Any(pair => Covers(pair.Grant, pair.Role, permission, target));

    /// <summary>Whether the actor holds the permission on anything at all: the check of a route before its handler.</summary>
    public bool AllowsSomewhere(Permission permission) =>
        permission == Permissions.Public
        || (permission == Permissions.Self && Actor.Kind != ActorKind.Anonymous)
        || Actor.Kind == ActorKind.System
        || _grants.Any(pair =>
            pair.Role.Everywhere.Contains(permission.Name) || pair.Role.Own.Contains(permission.Name)
        );

    /// <summary>Whether a role is granted globally or on a pattern that matches the object.</summary>
    public bool HasRole(string role, AccessTarget target) =>
        _grants.Any(pair => pair.Role.Name == role && Reaches(pair.Grant, target));

    private bool Covers(RoleGrant grant, RoleDefinition role, Permission permission, AccessTarget target)
    {
        if (!Reaches(grant, target))
        {
            return false;
        }

        var named = grant.Kind != ObjectKind.None && target.Kind == grant.Kind;
        var own = target.OwnerId is not null && target.OwnerId == Actor.Id;
        return role.Everywhere.Contains(permission.Name) || (role.Own.Contains(permission.Name) && (named || own));
    }

    private static bool Reaches(RoleGrant grant, AccessTarget target) =>
        grant.Kind == ObjectKind.None || (grant.Kind == target.Kind && NamePattern.Matches(grant.Pattern, target.Name));
}

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
}

/// <summary>A person or service as others may see it.</summary>
/// <param name="Id">Pseudonym.</param>
/// <param name="Kind">Person or service.</param>
/// <param name="DisplayName">Name for people; only for callers who may resolve it.</param>
/// <param name="Grants">Roles.</param>
public sealed record SubjectView(string Id, ActorKind Kind, string DisplayName, IReadOnlyList<RoleGrant> Grants);

/// <summary>Look-ups and administration of persons, services and grants, used by GraphQL and demo. Checks nothing itself: callers authorise.</summary>
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

    /// <summary>Enrols a person who signs in with a password; logged. Codes <c>identity.*</c>.</summary>
    Task<Result<SubjectView>> EnrolPersonAsync(
        Actor by,
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
}
