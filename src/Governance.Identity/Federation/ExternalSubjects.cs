using System.Security.Claims;
using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Engine;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Governance.Identity.Federation;

/// <summary>
/// Who an external login is here: a service under a pseudonym of its own, with no role but what an administrator granted to it
/// or to an external group that its token names. It is never a person, so never anybody's second pair of eyes.
/// </summary>
internal sealed class ExternalSubjects(
    ExternalTokens tokens,
    LoginNames names,
    SubjectReader reader,
    SessionStore sessions,
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer
)
{
    private const int MaxSubjects = 10_000;
    private const string Prefix = "external.";

    /// <summary>Whether a token says that it comes from a configured provider; the embedded issuer never sees such a one.</summary>
    public bool Owns(string token) => tokens.IssuerOf(token) is not null;

    /// <summary>The pseudonym that a provider's access token proves, and when it ends; null when it proves none.</summary>
    public async Task<(string Id, DateTimeOffset Expires)?> ReadAsync(
        string token,
        CancellationToken cancellationToken
    ) =>
        tokens.IssuerOf(token) is { } provider
        && await tokens.ValidateAsync(provider, token, cancellationToken) is { } proven
        && await AdmitAsync(proven.Login, cancellationToken) is { } id
            ? (id, proven.Expires)
            : null;

    /// <summary>The page session of a login, after it is on record; null when it is not admitted.</summary>
    public async Task<ClaimsPrincipal?> SignInAsync(
        ExternalLogin login,
        string device,
        CancellationToken cancellationToken
    ) =>
        await AdmitAsync(login, cancellationToken) is { } id
            ? await sessions.StartAsync(
                new Actor(ActorKind.Service, id),
                [],
                device,
                replaced: null,
                new JsonObject { ["issuer"] = login.Issuer },
                cancellationToken
            )
            : null;

    private async Task<string?> AdmitAsync(ExternalLogin login, CancellationToken cancellationToken)
    {
        var id = names.Of(login.Issuer, login.ExternalId);
        await using (var db = await databases.CreateDbContextAsync(cancellationToken))
        {
            if (
                await db.Set<SubjectRow>().AnyAsync(row => row.Id == id, cancellationToken)
                && (await ChangesAsync(db, id, login, cancellationToken)).IsEmpty
            )
            {
                return id;
            }
        }

        var admitted = await writer.WriteAsync<string>(
            async (session, token) =>
            {
                var added = await AddAsync(session, id, login, token);
                if (added.Ok)
                {
                    await JoinAsync(session, id, login, token);
                }

                return added;
            },
            cancellationToken
        );
        return admitted.Ok ? admitted.Value : null;
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

        subjects.Add(
            new SubjectRow
            {
                Id = id,
                Kind = ActorKind.Service,
                Name = Prefix + id,
                DisplayName = "External login",
                Enabled = true,
                CreatedAt = session.Now,
            }
        );
        await session.Db.SaveChangesAsync(cancellationToken);
        await session.LogAsync(
            Entry("identity.external_login_seen", id, new JsonObject { ["issuer"] = login.Issuer }),
            cancellationToken
        );
        return id;
    }

    // What the token says of groups counts from its issue, and until the policy's limit: SubjectReader looks at SeenAt.
    private async Task JoinAsync(
        WriteSession session,
        string id,
        ExternalLogin login,
        CancellationToken cancellationToken
    )
    {
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
                id,
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

    private static LogEntry Entry(string kind, string id, JsonObject details) =>
        new(kind, new Actor(ActorKind.Service, id), $"subject:{id}", LogOutcome.Done) { Details = details };
}
