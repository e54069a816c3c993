using System.Security.Claims;
using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using OpenIddict.Abstractions;

namespace Governance.Identity.Federation;

/// <summary>Who an external login is here.</summary>
/// <param name="Id">Pseudonym of the person, or of a login that is linked to nobody.</param>
/// <param name="AuthenticatedAt">When the person proved who they are; null when nobody did, and it acts as a service.</param>
/// <param name="MultiFactor">Whether that took more than one factor.</param>
internal sealed record Admitted(string Id, DateTimeOffset? AuthenticatedAt, bool MultiFactor);

/// <summary>
/// Who an external login is here: the person whom it is linked to, who acts as a service while the provider does not prove
/// that they were there; else a service under a pseudonym of its own. It has no role but what was granted to it or to an
/// external group that its token names. A login of somebody who is shut out is nobody.
/// </summary>
internal sealed class ExternalSubjects(
    ExternalTokens tokens,
    LoginNames names,
    Logins logins,
    SubjectReader reader,
    SessionStore sessions,
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer
)
{
    private const int MaxSubjects = 10_000;
    private static readonly Failure Changed = Failure.Conflict(
        "identity.login_changed",
        "The login was linked or unlinked meanwhile; sign in again."
    );

    /// <summary>How the names of logins begin that are linked to nobody.</summary>
    public const string Prefix = "external.";

    /// <summary>A login that is linked to nobody.</summary>
    public static SubjectRow NewRow(string id, DateTimeOffset now) =>
        new()
        {
            Id = id,
            Kind = ActorKind.Service,
            Name = Prefix + id,
            DisplayName = "External login",
            Enabled = true,
            CreatedAt = now,
        };

    /// <summary>Whether a token says that it comes from a configured provider; the embedded issuer never sees such a one.</summary>
    public bool Owns(string token) => tokens.IssuerOf(token) is not null;

    /// <summary>Who a provider's access token proves to be there, and when it ends; null when it proves nobody.</summary>
    public async Task<(Admitted Who, DateTimeOffset Expires)?> ReadAsync(
        string token,
        CancellationToken cancellationToken
    ) =>
        tokens.IssuerOf(token) is { } provider
        && await tokens.ValidateAsync(provider, token, cancellationToken) is { } proven
        && await AdmitAsync(proven.Login, cancellationToken) is { } who
            ? (who, proven.Expires)
            : null;

    /// <summary>The sign-in of a linked person who was there, after it is on record; null for every other login.</summary>
    public async Task<ClaimsPrincipal?> SignInAsync(
        ExternalIssuer issuer,
        ExternalLogin login,
        string device,
        string? replaced,
        CancellationToken cancellationToken
    )
    {
        if (
            login.AuthenticatedAt is not { } at
            || await logins.FindAsync(login.Issuer, login.ExternalId, cancellationToken) is not { Enabled: true }
            || await AdmitAsync(login, cancellationToken) is not { AuthenticatedAt: not null } who
        )
        {
            return null;
        }

        string[] methods = who.MultiFactor
            ? [SignInMethods.External, SignInMethods.Multiple]
            : [SignInMethods.External];
        var principal = await sessions.StartAsync(
            new Actor(ActorKind.Person, who.Id) { AuthenticatedAt = at },
            Standings.OfLogin(who.Id, login.Issuer, login.ExternalId),
            methods,
            device,
            replaced,
            new JsonObject { ["issuer"] = login.Issuer, ["methods"] = string.Join(' ', methods) },
            cancellationToken
        );
        principal?.SetClaim(SignInMethods.Provider, issuer.Name);
        return principal;
    }

    private async Task<Admitted?> AdmitAsync(ExternalLogin login, CancellationToken cancellationToken)
    {
        var owner = await logins.FindAsync(login.Issuer, login.ExternalId, cancellationToken);
        if (owner is { Enabled: false })
        {
            return null;
        }

        // One person is one subject, however the provider's token came about: else nothing that compares persons would hold.
        var who = new Admitted(
            owner?.Id ?? names.Of(login.Issuer, login.ExternalId),
            owner is null ? null : login.AuthenticatedAt,
            owner is not null && login.MultiFactor
        );
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            if (
                await db.Set<SubjectRow>().AnyAsync(row => row.Id == who.Id, cancellationToken)
                && (await ChangesAsync(db, who.Id, login, cancellationToken)).IsEmpty
            )
            {
                return who;
            }
        }

        var admitted = await writer.WriteAsync<Admitted>(
            async (session, token) =>
            {
                var still = await Logins.FindAsync(session.Db, login.Issuer, login.ExternalId, token);
                if (still != owner)
                {
                    return Changed; // its places in groups would be written for whom it no longer is
                }

                var added = await AddAsync(session, who.Id, login, token);
                if (!added.Ok)
                {
                    return added.Failure;
                }

                await JoinAsync(session, who, login, token);
                return who;
            },
            cancellationToken
        );
        if (admitted.Ok)
        {
            return admitted.Value;
        }

        var refused = new LogEntry("identity.login_refused", Actor.Anonymous, "", LogOutcome.Refused)
        {
            Details = new JsonObject { ["code"] = admitted.Failure.Code },
        };
        await writer.LogAsync(refused, CancellationToken.None);
        return null;
    }

    private static async Task<Result<string>> AddAsync(
        WriteSession session,
        string id,
        ExternalLogin login,
        CancellationToken cancellationToken
    )
    {
        var subjects = session.Db.Set<SubjectRow>();
        if (await subjects.AnyAsync(row => row.Id == id, cancellationToken))
        {
            return id;
        }

        if (await subjects.CountAsync(row => row.Name.StartsWith(Prefix), cancellationToken) >= MaxSubjects)
        {
            return Failure.Denied("identity.too_many_logins", "Too many external logins were seen already.");
        }

        subjects.Add(NewRow(id, session.Now));
        await session.Db.SaveChangesAsync(cancellationToken);
        await session.LogAsync(
            Entry(
                "identity.external_login_seen",
                new Actor(ActorKind.Service, id),
                new JsonObject { ["issuer"] = login.Issuer }
            ),
            cancellationToken
        );
        return id;
    }

    // What the token says of groups counts from its issue, and until the policy's limit: SubjectReader looks at SeenAt.
    private async Task JoinAsync(
        WriteSession session,
        Admitted who,
        ExternalLogin login,
        CancellationToken cancellationToken
    )
    {
        var id = who.Id;
        var changes = await ChangesAsync(session.Db, id, login, cancellationToken);
        if (changes.IsEmpty)
        {
            return;
        }

        foreach (var group in changes.Named)
        {
            var member = changes.Known.Find(row => row.GroupId == group);
            if (member is null)
            {
                member = new MemberRow
                {
                    SubjectId = id,
                    GroupId = group,
                    AddedBy = id,
                    AddedAt = session.Now,
                };
                session.Db.Add(member);
            }
            else
            {
                session.Db.Update(member);
            }

            member.SeenAt = login.IssuedAt;
        }

        session.Db.RemoveRange(changes.Left);
        await session.Db.SaveChangesAsync(cancellationToken);
        await session.LogAsync(
            Entry(
                "identity.external_groups",
                new Actor(who.AuthenticatedAt is null ? ActorKind.Service : ActorKind.Person, id),
                new JsonObject
                {
                    ["issuedAt"] = login.IssuedAt.ToUnixTimeSeconds(),
                    ["groups"] = new JsonArray([.. changes.Named.Select(group => (JsonNode)group)]),
                    ["left"] = new JsonArray([.. changes.Left.Select(row => (JsonNode)row.GroupId)]),
                }
            ),
            cancellationToken
        );
        session.AfterCommit(reader.Forget);
    }

    private sealed record Changes(IReadOnlyList<string> Named, List<MemberRow> Known, IReadOnlyList<MemberRow> Left)
    {
        public bool IsEmpty => Named.Count + Left.Count == 0;
    }

    // A token older than the one that said something last says nothing any more.
    private static async Task<Changes> ChangesAsync(
        GovernanceDb db,
        string id,
        ExternalLogin login,
        CancellationToken cancellationToken
    )
    {
        var groups = await db.Set<GroupRow>()
            .AsNoTracking()
            .Where(group => group.Issuer == login.Issuer)
            .OrderBy(group => group.Id)
            .ToListAsync(cancellationToken);
        if (groups.Count == 0)
        {
            return new Changes([], [], []);
        }

        var ids = groups.ConvertAll(group => group.Id);
        var known = await db.Set<MemberRow>()
            .AsNoTracking()
            .Where(member => member.SubjectId == id && ids.Contains(member.GroupId))
            .ToListAsync(cancellationToken);
        if (known.Exists(member => member.SeenAt >= login.IssuedAt))
        {
            return new Changes([], known, []);
        }

        var named = ExternalGroups
            .Named(login.Issuer, login.Claims, groups.Select(group => group.External!))
            .ToHashSet();
        var joined = groups.FindAll(group => named.Contains(group.External!)).ConvertAll(group => group.Id);
        return new Changes(joined, known, known.FindAll(member => !joined.Contains(member.GroupId)));
    }

    private static LogEntry Entry(string kind, Actor who, JsonObject details) =>
        new(kind, who, $"subject:{who.Id}", LogOutcome.Done) { Details = details };
}
