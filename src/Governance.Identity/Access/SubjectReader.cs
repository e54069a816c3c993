using System.Collections.Frozen;
using Governance.Identity.Confirm;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Governance.Identity.Access;

/// <summary>What the database says about a subject at one moment; grants that end later are in it and judged when asked.</summary>
/// <param name="Kind">Person or service.</param>
/// <param name="Grants">What is granted.</param>
/// <param name="Unattended">What of it a token gives that does not prove that the person was there; the same for a service.</param>
/// <param name="Held">Whether a privileged change of the account waits for a second administrator.</param>
internal sealed record SubjectSnapshot(ActorKind Kind, GrantIndex Grants, GrantIndex Unattended, bool Held);

/// <summary>Reads enabled subjects with their grants; absent and disabled look the same.</summary>
internal sealed class SubjectReader(
    IDbContextFactory<GovernanceDb> databases,
    IOptions<IdentityOptions> options,
    TimeProvider clock
) : IAccess
{
    // Below the promised 5 seconds, with room for the request that filled it.
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(3.5);
    private readonly ExpiringCache<string, SubjectSnapshot?> _cache = new(clock, Life, 10_000);
    private readonly FrozenSet<string> _bound = options.Value.Bound.ToFrozenSet(StringComparer.Ordinal);
    private volatile ParsedRoles? _parsed;

    public async ValueTask<SubjectSnapshot?> RecentAsync(string id, CancellationToken cancellationToken)
    {
        if (_cache.TryGet(id, out var known))
        {
            return known;
        }

        var generation = _cache.Generation;
        var snapshot = await NowAsync(id, cancellationToken);
        _cache.Set(id, snapshot, generation, Life);
        return snapshot;
    }

    public async Task<SubjectSnapshot?> NowAsync(string id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await NowAsync(db, id, cancellationToken);
    }

    /// <summary>Forgets what this process remembers; run after the commit of every change.</summary>
    public void Forget() => _cache.Clear();

    public async ValueTask<Rights> RightsOfAsync(Actor actor, CancellationToken cancellationToken) =>
        Compose(actor, HasRow(actor) ? await RecentAsync(actor.Id, cancellationToken) : null);

    public async Task<Rights> RightsNowAsync(Actor actor, CancellationToken cancellationToken) =>
        Compose(actor, HasRow(actor) ? await NowAsync(actor.Id, cancellationToken) : null);

    /// <summary>As above within a unit of change.</summary>
    public async Task<Rights> RightsNowAsync(GovernanceDb db, Actor actor, CancellationToken cancellationToken) =>
        Compose(actor, HasRow(actor) ? await NowAsync(db, actor.Id, cancellationToken) : null);

    /// <summary>Memberships that count: confirmed, and of an external group only while the token that named it is fresh.</summary>
    public IQueryable<MemberRow> Members(GovernanceDb db, RolePolicy policy)
    {
        var oldest = clock.GetUtcNow() - policy.ExternalMaxAge;
        return db.Set<MemberRow>()
            .AsNoTracking()
            .Where(member => !member.Pending && (member.SeenAt == null || member.SeenAt > oldest));
    }

    /// <summary>Grants that count now.</summary>
    public IQueryable<GrantRow> Grants(GovernanceDb db)
    {
        var now = clock.GetUtcNow();
        return db.Set<GrantRow>()
            .AsNoTracking()
            .Where(grant => !grant.Pending && (grant.ExpiresAt == null || grant.ExpiresAt > now));
    }

    /// <summary>The role definitions in force.</summary>
    public async Task<RolePolicy> RolesAsync(GovernanceDb db, CancellationToken cancellationToken)
    {
        var rows = db.Set<RoleTextRow>().AsNoTracking().OrderByDescending(row => row.Id);
        var digest = await rows.Select(row => row.Digest).FirstAsync(cancellationToken);
        if (_parsed is { } parsed && parsed.Digest == digest)
        {
            return parsed.Policy;
        }

        var text = await rows.Where(row => row.Digest == digest).Select(row => row.Text).FirstAsync(cancellationToken);
        var policy = RoleFile.Parse(text).Value;
        _parsed = new ParsedRoles(digest, policy);
        return policy;
    }

    private async Task<SubjectSnapshot?> NowAsync(GovernanceDb db, string id, CancellationToken cancellationToken)
    {
        var kind = await db.Set<SubjectRow>()
            .AsNoTracking()
            .Where(subject => subject.Id == id && subject.Enabled)
            .Select(subject => (ActorKind?)subject.Kind)
            .FirstOrDefaultAsync(cancellationToken);
        if (kind is null)
        {
            return null;
        }

        var policy = await RolesAsync(db, cancellationToken);
        var groups = Members(db, policy).Where(member => member.SubjectId == id).Select(member => member.GroupId);
        var grants = await Grants(db)
            .Where(grant => grant.SubjectId == id || groups.Contains(grant.GroupId!))
            .OrderBy(grant => grant.Id)
            .ToListAsync(cancellationToken);
        var own = await OwnDoingAsync(db, id, grants, cancellationToken);
        grants.RemoveAll(grant => own.Contains(grant.Id));
        var held = await db.Set<ConfirmationRow>().HoldsAsync(id, cancellationToken);

        // Whoever made or opened the account alone must gain nothing by it: no promotion, no raw data, no approval.
        var counting = grants
            .Select(grant => grant.ToGrant())
            .Where(grant => !held || !GrantRules.IsPrivileged(grant))
            .ToList();
        var index = new GrantIndex(counting, policy.Roles);
        var unattended =
            kind == ActorKind.Person && counting.Exists(GrantRules.IsOfPrivilegedRole)
                ? new GrantIndex(counting.Where(grant => !GrantRules.IsOfPrivilegedRole(grant)), policy.Roles)
                : index;
        return new SubjectSnapshot(kind.Value, index, unattended, held);
    }

    // Who is in an external group shows only when a token of theirs says so, perhaps after they asked for what it is granted or
    // confirmed it: that gives them nothing.
    private static async Task<IReadOnlyCollection<Guid>> OwnDoingAsync(
        GovernanceDb db,
        string id,
        IReadOnlyList<GrantRow> grants,
        CancellationToken cancellationToken
    )
    {
        var groups = grants.Select(grant => grant.GroupId).OfType<string>().Distinct().ToList();
        if (groups.Count == 0)
        {
            return [];
        }

        var external = await db.Set<GroupRow>()
            .Where(group => groups.Contains(group.Id) && group.Issuer != null)
            .Select(group => group.Id)
            .ToListAsync(cancellationToken);
        var spoken = await db.Set<ConfirmationRow>()
            .Where(change =>
                external.Contains(change.GroupId!)
                && change.State == ConfirmationState.Confirmed
                && (change.RequestedBy == id || change.DecidedBy == id)
            )
            .Select(change => change.ObjectId)
            .ToListAsync(cancellationToken);
        return
        [
            .. grants
                .Where(grant => external.Contains(grant.GroupId!))
                .Where(grant => grant.GrantedBy == id || spoken.Contains(grant.Id.ToString()))
                .Select(grant => grant.Id),
        ];
    }

    private sealed record ParsedRoles(string Digest, RolePolicy Policy);

    private static bool HasRow(Actor actor) => actor.Kind is ActorKind.Person or ActorKind.Service;

    private Rights Compose(Actor actor, SubjectSnapshot? snapshot) =>
        new(actor, (actor.IsPerson ? snapshot?.Grants : snapshot?.Unattended) ?? GrantIndex.Empty, clock.GetUtcNow())
        {
            SubjectKind = snapshot?.Kind ?? actor.Kind,
            Held = snapshot is { Held: true },
            Unbound = actor.SenderConstrained ? FrozenSet<string>.Empty : _bound,
        };
}
