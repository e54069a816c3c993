using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Confirm;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Identity.Erasure;
using Governance.Identity.Federation;
using Governance.Identity.Server;
using Governance.Identity.Sessions;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Subjects;

/// <summary>Persons, services and grants. Log entries name pseudonyms and roles only.</summary>
internal sealed class SubjectStore(
    IDbContextFactory<GovernanceDb> databases,
    Administration administration,
    SubjectReader reader,
    PasswordHashing passwords,
    Clients clients,
    GrantStore granting,
    Confirmations confirmations,
    SubjectKeys keys
) : ISubjects
{
    /// <summary>What the set-up code's administrator holds, and the only grant that this one may give alone, once.</summary>
    public static readonly RoleGrant Administrator = new("admin", ObjectKind.None, "");

    private static readonly Failure NoSubject = Failure.NotFound("identity.no_subject", "There is no such subject.");

    public async Task<SubjectView?> FindAsync(string id, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var views = await ViewsAsync(db, db.Set<SubjectRow>().Where(row => row.Id == id), 1, cancellationToken);
        return views.Count == 0 ? null : views[0];
    }

    public async Task<Page<SubjectView>> ListAsync(int first, string? after, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rows = db.Set<SubjectRow>().AsQueryable();
        if (after is not null)
        {
            rows = rows.Where(row => string.Compare(row.Id, after) > 0);
        }

        var views = await ViewsAsync(db, rows, first + 1, cancellationToken);
        return views.Count > first
            ? new Page<SubjectView>([.. views.Take(first)], views[first - 1].Id)
            : new Page<SubjectView>(views, null);
    }

    public async Task<IReadOnlyList<string>> PersonsWithRoleAsync(
        string role,
        AccessTarget target,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var policy = await reader.RolesAsync(db, cancellationToken);
        var grants = reader.Grants(db).Where(grant => grant.Role == role);
        var held = await grants
            .Where(grant => grant.SubjectId != null)
            .Select(grant => new { Subject = grant.SubjectId!, Grant = grant })
            .Concat(
                grants.Join(
                    reader.Members(db, policy),
                    grant => grant.GroupId,
                    member => member.GroupId,
                    (grant, member) => new { Subject = member.SubjectId, Grant = grant }
                )
            )
            .Where(pair =>
                db.Set<SubjectRow>()
                    .Any(subject => subject.Id == pair.Subject && subject.Enabled && subject.Kind == ActorKind.Person)
                && !db.Set<ConfirmationRow>()
                    .Any(pending =>
                        pending.SubjectId == pair.Subject && pending.Holds && pending.State == ConfirmationState.Pending
                    )
            )
            .ToListAsync(cancellationToken);
        return
        [
            .. held.GroupBy(pair => pair.Subject, StringComparer.Ordinal)
                .Where(person =>
                    new Rights(
                        new Actor(ActorKind.Person, person.Key),
                        person.Select(pair => pair.Grant.ToGrant()),
                        policy.Roles
                    ).HasRole(role, target)
                )
                .Select(person => person.Key)
                .Order(StringComparer.Ordinal),
        ];
    }

    public Task<Result<SubjectView>> EnrolPersonAsync(
        string userName,
        string displayName,
        Secret password,
        IReadOnlyList<RoleGrant> grants,
        CancellationToken cancellationToken
    ) =>
        EnrolPersonAsync(
            NewRow(ActorKind.Person, userName, displayName),
            password,
            grants,
            Always("identity.person_enrolled"),
            cancellationToken
        );

    public Task<Result<SubjectView>> EnrolServiceAsync(
        Actor by,
        string clientId,
        Secret clientSecret,
        IReadOnlyList<RoleGrant> grants,
        CancellationToken cancellationToken
    ) =>
        EnrolServiceAsync(
            by,
            clientId,
            new ClientRegistration(ClientRegistration.Secret, ClientRegistration.None),
            clientSecret,
            grants,
            cancellationToken
        );

    /// <summary>
    /// Creates a service that proves itself as registered; the secret is null when that is not by one. What it is granted that
    /// is privileged waits for a second administrator.
    /// </summary>
    public async Task<Result<SubjectView>> EnrolServiceAsync(
        Actor by,
        string clientId,
        ClientRegistration registration,
        Secret? clientSecret,
        IReadOnlyList<RoleGrant> grants,
        CancellationToken cancellationToken
    )
    {
        var row = NewRow(ActorKind.Service, clientId, clientId);
        return
            (Check(row, grants) ?? (clientSecret is null ? null : AccountRules.CheckSecret(clientSecret))) is { } broken
            ? broken
            : await AddAsync(
                by,
                row,
                [.. grants.Where(grant => !Waits(grant))],
                async (session, token) =>
                {
                    await clients.AddServiceAsync(session, row.Name, registration, clientSecret, token);
                    foreach (var grant in grants.Where(Waits))
                    {
                        var asked = await granting.AskAsync(session, by, row.Id, null, grant, token);
                        if (!asked.Ok)
                        {
                            return asked.Failure;
                        }
                    }

                    return "identity.service_enrolled";
                },
                cancellationToken
            );

        bool Waits(RoleGrant grant) => by.Kind != ActorKind.System && GrantRules.IsPrivileged(grant);
    }

    /// <summary>The first administrator; refused as soon as there is a person.</summary>
    public Task<Result<SubjectView>> BootstrapAsync(
        string userName,
        string displayName,
        Secret password,
        CancellationToken cancellationToken
    )
    {
        var row = NewRow(ActorKind.Person, userName, displayName);
        row.Bootstrapped = true;
        return EnrolPersonAsync(
            row,
            password,
            [Administrator],
            async (session, token) =>
                await session.Db.Set<SubjectRow>().CountAsync(known => known.Kind == ActorKind.Person, token) > 1
                    ? Failure.NotFound("identity.no_setup", "The gateway is set up already.")
                    : "identity.bootstrap",
            cancellationToken
        );
    }

    /// <summary>Whether there is a person: a login of a provider that was seen does not end the set-up.</summary>
    public async Task<bool> AnyPersonAsync(CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        return await db.Set<SubjectRow>().AnyAsync(row => row.Kind == ActorKind.Person, cancellationToken);
    }

    /// <summary>
    /// Keeps a subject out, and its tokens and sessions stop counting at once; or lets it in again, held until a second
    /// administrator confirms: else whoever shut it, or had a new account of theirs rejected, could undo that alone.
    /// </summary>
    public Task<Result<Unit>> SetEnabledAsync(
        Actor by,
        string subjectId,
        bool enabled,
        CancellationToken cancellationToken
    ) =>
        administration.ChangeAsync<Unit>(
            by,
            Administration.Subject(subjectId),
            async (session, token) =>
            {
                var row = await session.Db.Set<SubjectRow>().FirstOrDefaultAsync(found => found.Id == subjectId, token);
                if (row is null)
                {
                    return NoSubject;
                }

                if (enabled && await session.Db.Set<ErasureRow>().AnyAsync(gone => gone.SubjectId == subjectId, token))
                {
                    return Erasures.Erased;
                }

                var opens = enabled && !row.Enabled;
                row.Enabled = enabled;
                await session.Db.SaveChangesAsync(token);
                if (opens)
                {
                    var grants = await GrantStore.OfAsync(session.Db, subjectId, token);
                    var request = new ConfirmationRequest(AccountConfirmation.Enabled, subjectId)
                    {
                        Holds = true,
                        Details = new JsonObject
                        {
                            ["grants"] = Describe([
                                .. grants.Where(grant => !grant.Pending).Select(grant => grant.ToGrant()),
                            ]),
                        },
                    };
                    await confirmations.RequestAsync(session, by, request, token);
                }
                else if (!enabled)
                {
                    await session.RevokeSessionsAsync(subjectId, token);
                    await Clients.EndTokensAsync(session, row.Name, token);
                }

                var kind = enabled ? "identity.enabled" : "identity.disabled";
                await session.LogAsync(new LogEntry(kind, by, $"subject:{subjectId}", LogOutcome.Done), token);
                session.AfterCommit(reader.Forget);
                return default(Unit);
            },
            cancellationToken
        );

    /// <summary>
    /// Adds a subject with its grants. <paramref name="also"/> runs after its rows are there and gives back the kind of the
    /// log entry, or the failure that undoes everything.
    /// </summary>
    public async Task<Result<SubjectView>> AddAsync(
        Actor by,
        SubjectRow row,
        IReadOnlyList<RoleGrant> grants,
        Func<WriteSession, CancellationToken, Task<Result<string>>> also,
        CancellationToken cancellationToken
    )
    {
        // Durable before the first entry about the person; without that entry it is a key of nobody.
        if (row.Kind == ActorKind.Person)
        {
            await keys.GetOrCreateAsync(row.Id, cancellationToken);
        }

        return await administration.ChangeAsync<SubjectView>(
            by,
            "",
            async (session, token) =>
            {
                var subjects = session.Db.Set<SubjectRow>();
                if (await subjects.AnyAsync(known => known.Name == row.Name, token))
                {
                    return new Failure(FailureKind.Exists, "identity.name_taken", "That name is taken.");
                }

                row.CreatedAt = session.Now;
                subjects.Add(row);
                session.Db.AddRange(grants.Select(grant => NewGrant(row.Id, grant, by, session.Now)));
                await session.Db.SaveChangesAsync(token);
                var kind = await also(session, token);
                if (!kind.Ok)
                {
                    return kind.Failure;
                }

                await session.LogAsync(
                    new LogEntry(kind.Value, by, $"subject:{row.Id}", LogOutcome.Done)
                    {
                        Details = new JsonObject { ["grants"] = Describe(grants) },
                    },
                    token
                );
                session.AfterCommit(reader.Forget);
                return new SubjectView(row.Id, row.Kind, row.DisplayName, grants);
            },
            cancellationToken
        );
    }

    /// <summary>The first rule that a new subject breaks, or null.</summary>
    public static Failure? Check(SubjectRow row, IReadOnlyList<RoleGrant> grants) =>
        AccountRules.CheckName(row.Name)
        ?? AccountRules.CheckDisplayName(row.DisplayName)
        ?? (
            row.Name is IdentitySchemes.ConsoleClient or IdentitySchemes.CliClient or IdentitySchemes.Audience
            || row.Name.StartsWith(ExternalSubjects.Prefix, StringComparison.Ordinal)
                ? new Failure(FailureKind.Exists, "identity.name_taken", "That name is taken.")
                : null
        )
        ?? (
            grants.Count > 64
            || grants.DistinctBy(grant => (grant.Role, grant.Kind, grant.Pattern)).Count() != grants.Count
                ? Failure.Invalid("identity.bad_grants", "At most 64 grants, each once.")
                : null
        )
        ?? grants.Select(GrantRules.CheckGrant).FirstOrDefault(broken => broken is not null);

    public static SubjectRow NewRow(ActorKind kind, string name, string displayName) =>
        new()
        {
            Id = RandomNumberGenerator.GetHexString(32, lowercase: true),
            Kind = kind,
            Name = name,
            DisplayName = displayName.Trim(),
            Enabled = true,
        };

    private static GrantRow NewGrant(string subjectId, RoleGrant grant, Actor by, DateTimeOffset now)
    {
        var row = GrantRow.Of(grant, by, now);
        row.SubjectId = subjectId;
        return row;
    }

    public static JsonArray Describe(IReadOnlyList<RoleGrant> grants) =>
        new([.. grants.Select(grant => (JsonNode)GrantStore.Describe(grant))]);

    private async Task<Result<SubjectView>> EnrolPersonAsync(
        SubjectRow row,
        Secret password,
        IReadOnlyList<RoleGrant> grants,
        Func<WriteSession, CancellationToken, Task<Result<string>>> also,
        CancellationToken cancellationToken
    )
    {
        if ((Check(row, grants) ?? AccountRules.CheckPassword(password)) is { } broken)
        {
            return broken;
        }

        // Hashing takes a tenth of a second on purpose: outside the unit, which holds the write lock.
        row.PasswordHash = passwords.Hash(password);
        return await AddAsync(Actor.System, row, grants, also, cancellationToken);
    }

    private static Func<WriteSession, CancellationToken, Task<Result<string>>> Always(string kind) =>
        (_, _) => Task.FromResult<Result<string>>(kind);

    private static async Task<List<SubjectView>> ViewsAsync(
        GovernanceDb db,
        IQueryable<SubjectRow> rows,
        int count,
        CancellationToken cancellationToken
    )
    {
        var subjects = await rows.AsNoTracking()
            .OrderBy(row => row.Id)
            .Take(count)
            .Select(row => new
            {
                row.Id,
                row.Kind,
                row.DisplayName,
            })
            .ToListAsync(cancellationToken);
        var ids = subjects.ConvertAll(row => row.Id);
        var grants = (
            await db.Set<GrantRow>()
                .AsNoTracking()
                .Where(grant => !grant.Pending && ids.Contains(grant.SubjectId!))
                .OrderBy(grant => grant.Id)
                .ToListAsync(cancellationToken)
        ).ToLookup(grant => grant.SubjectId, grant => grant.ToGrant());
        return subjects.ConvertAll(row => new SubjectView(row.Id, row.Kind, row.DisplayName, [.. grants[row.Id]]));
    }
}
