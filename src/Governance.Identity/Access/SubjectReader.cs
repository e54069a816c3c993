using System.Collections.Frozen;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Access;

/// <summary>What the database says about a subject at one moment.</summary>
internal sealed record SubjectSnapshot(
    ActorKind Kind,
    IReadOnlyList<RoleGrant> Grants,
    FrozenDictionary<string, RoleDefinition> Roles
);

/// <summary>Reads enabled subjects with their grants; absent and disabled look the same.</summary>
internal sealed class SubjectReader(IDbContextFactory<GovernanceDb> databases, TimeProvider clock) : IAccess
{
    // Below the promised 5 seconds, with room for the request that filled it.
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(4);
    private static readonly FrozenDictionary<string, RoleDefinition> NoRoles = FrozenDictionary<
        string,
        RoleDefinition
    >.Empty;
    private readonly ExpiringCache<string, SubjectSnapshot?> _cache = new(clock, Life, 10_000);
    private volatile ParsedRoles _parsed = new("", NoRoles);

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
        var kind = await db.Set<SubjectRow>()
            .AsNoTracking()
            .Where(subject => subject.Id == id && subject.Enabled)
            .Select(subject => (ActorKind?)subject.Kind)
            .FirstOrDefaultAsync(cancellationToken);
        if (kind is null)
        {
            return null;
        }

        var grants = await db.Set<GrantRow>()
            .AsNoTracking()
            .Where(grant => grant.SubjectId == id)
            .OrderBy(grant => grant.Id)
            .Select(grant => new RoleGrant(grant.Role, grant.Kind, grant.Pattern))
            .ToListAsync(cancellationToken);
        return new SubjectSnapshot(kind.Value, grants, await RolesAsync(db, cancellationToken));
    }

    /// <summary>Forgets what this process remembers; run after the commit of every change.</summary>
    public void Forget() => _cache.Clear();

    public async ValueTask<Rights> RightsOfAsync(Actor actor, CancellationToken cancellationToken) =>
        Compose(actor, HasRow(actor) ? await RecentAsync(actor.Id, cancellationToken) : null);

    public async Task<Rights> RightsNowAsync(Actor actor, CancellationToken cancellationToken) =>
        Compose(actor, HasRow(actor) ? await NowAsync(actor.Id, cancellationToken) : null);

    /// <summary>The role definitions in force.</summary>
    public async Task<FrozenDictionary<string, RoleDefinition>> RolesAsync(
        GovernanceDb db,
        CancellationToken cancellationToken
    )
    {
        var rows = db.Set<RoleTextRow>().AsNoTracking().OrderByDescending(row => row.Id);
        var digest = await rows.Select(row => row.Digest).FirstAsync(cancellationToken);
        var parsed = _parsed;
        if (parsed.Digest == digest)
        {
            return parsed.Roles;
        }

        var text = await rows.Where(row => row.Digest == digest).Select(row => row.Text).FirstAsync(cancellationToken);
        var roles = RoleFile.Parse(text).Value;
        _parsed = new ParsedRoles(digest, roles);
        return roles;
    }

    private sealed record ParsedRoles(string Digest, FrozenDictionary<string, RoleDefinition> Roles);

    private static bool HasRow(Actor actor) => actor.Kind is ActorKind.Person or ActorKind.Service;

    private static Rights Compose(Actor actor, SubjectSnapshot? snapshot) =>
        new(actor, snapshot?.Grants ?? [], snapshot?.Roles ?? NoRoles);
}
