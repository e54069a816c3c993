using System.Collections.Frozen;
using Governance.Identity.Engine;
using Governance.Kernel;

namespace Governance.Identity.Contracts;

/// <summary>The rights of one actor at one moment. Immutable; nothing is implied that is not granted.</summary>
public sealed class Rights
{
    // Of a held account somebody else may have the credentials: no bytes, no findings or entries, no writes.
    private static readonly FrozenSet<string> WhileHeld = FrozenSet.Create(
        StringComparer.Ordinal,
        Permissions.ExperimentRead.Name,
        Permissions.ModelRead.Name,
        Permissions.EvidenceRead.Name,
        Permissions.LineageRead.Name,
        Permissions.DatasetRead.Name,
        Permissions.PromotionRead.Name,
        Permissions.PolicyRead.Name
    );
    private readonly GrantIndex _grants;
    private readonly DateTimeOffset _now;

    /// <summary>Composes rights of grants that hold now; unknown roles grant nothing.</summary>
    public Rights(Actor actor, IEnumerable<RoleGrant> grants, IReadOnlyDictionary<string, RoleDefinition> roles)
        : this(actor, new GrantIndex(grants, roles), DateTimeOffset.MinValue) { }

    /// <summary>Composes rights of grants that were indexed before; those that end by <paramref name="now"/> do not count.</summary>
    internal Rights(Actor actor, GrantIndex grants, DateTimeOffset now)
    {
        Actor = actor;
        SubjectKind = actor.Kind;
        _grants = grants;
        _now = now;
    }

    /// <summary>Whose rights.</summary>
    public Actor Actor { get; }

    /// <summary>What the subject was enrolled as, whatever it acts as now.</summary>
    public ActorKind SubjectKind { get; init; }

    /// <summary>
    /// Whether a privileged change of the account waits for a second administrator. Until then it reads metadata at most,
    /// whatever is granted, and its privileged grants are not among the grants.
    /// </summary>
    public bool Held { get; init; }

    /// <summary>Permissions that are withheld because the token is not bound to a key or certificate.</summary>
    internal IReadOnlySet<string> Unbound { get; init; } = FrozenSet<string>.Empty;

    /// <summary>The grants behind the rights.</summary>
    public IEnumerable<RoleGrant> Grants => _grants.All.Where(Holds).Select(held => held.Grant);

    /// <summary>Whether the actor may do this on this object, and there with all that a move of it touches.</summary>
    public bool Allows(Permission permission, AccessTarget target) =>
        IsFree(permission) || (!Withholds(permission) && HoldsOn(target, held => Gives(held, permission, target)));

    /// <summary>Whether the actor holds the permission on anything at all: the check of a route before its handler.</summary>
    public bool AllowsSomewhere(Permission permission) =>
        IsFree(permission) || (!Withholds(permission) && _grants.Until(permission.Name) > _now);

    /// <summary>Whether a role is granted globally or on a pattern that matches the object.</summary>
    public bool HasRole(string role, AccessTarget target) => HoldsOn(target, held => held.Role.Name == role);

    /// <summary>Whether the actor may do this on every object that the scope of a grant could ever match.</summary>
    public bool AllowsWithin(Permission permission, RoleGrant scope) =>
        Actor.Kind == ActorKind.System
        || (
            !Withholds(permission)
            && _grants.All.Any(held =>
                Holds(held)
                && held.Role.Everywhere.Contains(permission.Name)
                && (
                    held.Grant.Kind == ObjectKind.None
                    || (held.Grant.Kind == scope.Kind && NamePattern.Covers(held.Grant.Pattern, scope.Pattern))
                )
            )
        );

    /// <summary>Why the actor may or may not do this on this object.</summary>
    public Explanation Explain(Permission permission, AccessTarget target)
    {
        var free = IsFree(permission);
        List<HeldGrant> giving = free ? [] : [.. Candidates(target).Where(held => Gives(held, permission, target))];
        List<string> unreached = free
            ? []
            : [.. target.Touches.Where(touch => !giving.Exists(held => held.Grant.Targets.Reaches(touch)))];
        var because = giving.Find(held => target.Touches.All(held.Grant.Targets.Reaches)) ?? giving.FirstOrDefault();
        return new Explanation(
            free || (because is not null && unreached.Count == 0 && !Withholds(permission)),
            because?.Grant,
            because is not null && !because.Role.Everywhere.Contains(permission.Name) && !Names(because.Grant, target),
            !free && Withholds(permission),
            unreached,
            _grants.RolesGiving(permission.Name)
        );
    }

    private bool Withholds(Permission permission) =>
        Unbound.Contains(permission.Name) || (Held && !WhileHeld.Contains(permission.Name));

    private bool IsFree(Permission permission) =>
        permission == Permissions.Public
        || (permission == Permissions.Self && Actor.Kind != ActorKind.Anonymous)
        || Actor.Kind == ActorKind.System;

    private bool HoldsOn(AccessTarget target, Func<HeldGrant, bool> gives)
    {
        if (target.Touches.Count == 0)
        {
            return Candidates(target).Any(gives);
        }

        return target.Touches.All(touch =>
            Candidates(target).Any(held => held.Grant.Targets.Reaches(touch) && gives(held))
        );
    }

    private IEnumerable<HeldGrant> Candidates(AccessTarget target) => _grants.Reaching(target).Where(Holds);

    private bool Holds(HeldGrant held) => held.Grant.ExpiresAt is not { } end || end > _now;

    private bool Gives(HeldGrant held, Permission permission, AccessTarget target) =>
        held.Role.Everywhere.Contains(permission.Name)
        || (
            held.Role.Own.Contains(permission.Name)
            && (Names(held.Grant, target) || (target.OwnerId is not null && target.OwnerId == Actor.Id))
        );

    private static bool Names(RoleGrant grant, AccessTarget target) =>
        grant.Kind != ObjectKind.None && grant.Kind == target.Kind;
}

/// <summary>Why somebody may do something, or what would be needed.</summary>
/// <param name="Allowed">Whether they may.</param>
/// <param name="Grant">The grant that gives the permission on the object; null when none does.</param>
/// <param name="ByOwnership">Whether it does so only because they own the object.</param>
/// <param name="Withheld">Whether it is withheld: the account waits for a second administrator, or its token is not bound.</param>
/// <param name="Unreached">Stages and aliases of the move that no such grant reaches.</param>
/// <param name="Roles">Roles that give the permission, sorted; each needs a grant that reaches the object.</param>
public sealed record Explanation(
    bool Allowed,
    RoleGrant? Grant,
    bool ByOwnership,
    bool Withheld,
    IReadOnlyList<string> Unreached,
    IReadOnlyList<string> Roles
);
