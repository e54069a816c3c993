using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Confirm;
using Governance.Identity.Contracts;
using Governance.Identity.Engine;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Subjects;

/// <summary>
/// Grants at run time. Who may is decided inside the unit that changes them, on the rights and the age of the sign-in of that
/// moment. What is privileged waits for a second administrator.
/// </summary>
internal sealed class GrantStore(
    IDbContextFactory<GovernanceDb> databases,
    IWriter writer,
    SubjectReader reader,
    Administration administration,
    Confirmations confirmations
) : IGrants
{
    public static readonly Failure SelfGrant = Failure.Denied(
        "identity.self_grant",
        "Nobody widens their own rights, directly or through a group; ask another administrator."
    );
    private const int Batch = 500;
    private const int MembersShown = 50;
    private static readonly Failure NoGrant = Failure.NotFound("identity.no_grant", "There is no such grant.");
    private static readonly Failure NoHolder = Failure.NotFound("identity.no_subject", "There is no such subject.");

    public async Task<Result<GrantView>> GrantAsync(
        Actor by,
        string? subject,
        string? group,
        RoleGrant grant,
        CancellationToken cancellationToken
    )
    {
        if (GrantRules.CheckGrant(grant) is { } broken)
        {
            return broken;
        }

        if (subject is null == group is null)
        {
            return Failure.Invalid("identity.bad_holder", "A grant names a subject or a group, not both.");
        }

        return await ChangeAsync(
            by,
            group is null ? Administration.Subject(subject!) : $"group:{group}",
            grant.Role,
            async (session, token) =>
            {
                var known = group is null
                    ? await session.Db.Set<SubjectRow>().AnyAsync(row => row.Id == subject, token)
                    : await session.Db.Set<GroupRow>().AnyAsync(row => row.Id == group, token);
                if (await ObjectionAsync(session, by, subject, group, grant, token) is { } objection)
                {
                    return objection;
                }

                return known ? await AskAsync(session, by, subject, group, grant, token) : NoHolder;
            },
            cancellationToken
        );
    }

    public Task<Result<Unit>> RevokeAsync(Actor by, Guid id, CancellationToken cancellationToken) =>
        ChangeAsync<Unit>(
            by,
            $"grant:{id}",
            "",
            async (session, token) =>
            {
                var row = await session.Db.Set<GrantRow>().FirstOrDefaultAsync(grant => grant.Id == id, token);
                var rights = await reader.RightsNowAsync(session.Db, by, token);
                if (row is null || !rights.AllowsWithin(Permissions.IdentityManage, row.ToGrant()))
                {
                    return NoGrant;
                }

                await RemoveAsync(session, by, row, token);
                await LogAsync(session, "identity.grant_revoked", by, row, old: row.ToGrant(), added: null, token);
                return default(Unit);
            },
            cancellationToken
        );

    public async Task<Result<Page<GrantView>>> ListAsync(
        Actor by,
        string? holder,
        int first,
        Guid? after,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rights = await reader.RightsNowAsync(db, by, cancellationToken);
        var rows = db.Set<GrantRow>().AsNoTracking();
        if (holder is not null)
        {
            rows = rows.Where(row => row.SubjectId == holder || row.GroupId == holder);
        }

        var found = new List<GrantView>();
        var cursor = after ?? Guid.Empty;
        while (true)
        {
            var from = cursor;
            var batch = await rows.Where(row => row.Id > from)
                .OrderBy(row => row.Id)
                .Take(Batch)
                .ToListAsync(cancellationToken);
            foreach (var row in batch)
            {
                if (!rights.AllowsWithin(Permissions.IdentityManage, row.ToGrant()))
                {
                    continue;
                }

                if (found.Count == first)
                {
                    return new Page<GrantView>(found, found[^1].Grant.Id.ToString());
                }

                found.Add(View(row));
            }

            if (batch.Count < Batch)
            {
                return new Page<GrantView>(found, null);
            }

            cursor = batch[^1].Id;
        }
    }

    /// <summary>What is granted to a subject and to the groups that it is in, also what waits for a second administrator.</summary>
    public static async Task<IReadOnlyList<GrantRow>> OfAsync(
        GovernanceDb db,
        string subject,
        CancellationToken cancellationToken
    )
    {
        var groups = db.Set<MemberRow>().Where(member => member.SubjectId == subject).Select(member => member.GroupId);
        return await db.Set<GrantRow>()
            .AsNoTracking()
            .Where(grant => grant.SubjectId == subject || groups.Contains(grant.GroupId!))
            .OrderBy(grant => grant.Id)
            .ToListAsync(cancellationToken);
    }

    public static JsonObject Describe(RoleGrant grant)
    {
        var json = new JsonObject
        {
            ["role"] = grant.Role,
            ["kind"] = grant.Kind.ToString(),
            ["pattern"] = grant.Pattern,
        };
        if (!grant.Targets.IsAll)
        {
            json["targets"] = new JsonArray([.. grant.Targets.Only.Select(target => (JsonNode)target)]);
            json["except"] = new JsonArray([.. grant.Targets.Except.Select(target => (JsonNode)target)]);
        }

        if (grant.ExpiresAt is { } end)
        {
            json["expires"] = end.ToUnixTimeMilliseconds();
        }

        return json;
    }

    /// <summary>Runs a change; what it refuses is on record before anybody learns of it.</summary>
    public async Task<Result<T>> ChangeAsync<T>(
        Actor by,
        string subject,
        string role,
        Func<WriteSession, CancellationToken, Task<Result<T>>> change,
        CancellationToken cancellationToken
    )
    {
        var done = await writer.WriteAsync<T>(
            async (session, token) =>
            {
                if (administration.CheckSignIn(by) is { } tooOld)
                {
                    return tooOld;
                }

                var result = await change(session, token);
                session.AfterCommit(reader.Forget);
                return result;
            },
            cancellationToken
        );
        if (!done.Ok)
        {
            await writer.LogAsync(
                new LogEntry("identity.grant_refused", by, subject, LogOutcome.Refused)
                {
                    Details = new JsonObject { ["code"] = done.Failure.Code, ["role"] = role },
                },
                CancellationToken.None
            );
        }

        return done;
    }

    private async Task<Failure?> ObjectionAsync(
        WriteSession session,
        Actor by,
        string? subject,
        string? group,
        RoleGrant grant,
        CancellationToken cancellationToken
    )
    {
        var rights = await reader.RightsNowAsync(session.Db, by, cancellationToken);
        if (!rights.AllowsWithin(Permissions.IdentityManage, grant))
        {
            return Failure.Denied(
                "identity.denied",
                "Only an administrator of all that the grant reaches may do this."
            );
        }

        var gains =
            subject == by.Id
            || await session
                .Db.Set<MemberRow>()
                .AnyAsync(member => member.GroupId == group && member.SubjectId == by.Id, cancellationToken);
        return gains ? SelfGrant
            : grant.ExpiresAt <= session.Now
                ? Failure.Invalid("identity.bad_expiry", "A grant ends in the future, or never.")
            : null;
    }

    /// <summary>
    /// Adds a grant; a privileged one, and any to an external group, counts for nothing until a second administrator confirms
    /// it. The gateway itself needs nobody: it grants what the files of a new installation say, and the demo's accounts.
    /// </summary>
    public async Task<Result<GrantView>> AskAsync(
        WriteSession session,
        Actor by,
        string? subject,
        string? group,
        RoleGrant grant,
        CancellationToken cancellationToken
    )
    {
        var waits =
            by.Kind != ActorKind.System
            && (
                GrantRules.IsPrivileged(grant)
                || await session
                    .Db.Set<GroupRow>()
                    .AnyAsync(row => row.Id == group && row.Issuer != null, cancellationToken)
            );
        if (waits && !by.IsPerson)
        {
            return Failure.Denied("identity.persons_only", "Only an enrolled person who signed in may do this.");
        }

        var added = await AddAsync(session, by, subject, group, grant, waits, cancellationToken);
        if (!waits || !added.Ok)
        {
            return added;
        }

        var details = new JsonObject { ["grant"] = Describe(grant) };
        if (group is not null)
        {
            // Whom it would reach at this moment; whoever joins later is confirmed by themselves.
            var members = session.Db.Set<MemberRow>().Where(member => member.GroupId == group);
            details["members"] = await members.CountAsync(cancellationToken);
            var first = await members
                .OrderBy(member => member.SubjectId)
                .Select(member => member.SubjectId)
                .Take(MembersShown)
                .ToListAsync(cancellationToken);
            details["who"] = new JsonArray([.. first.Select(id => (JsonNode)id)]);
        }

        var id = await confirmations.RequestAsync(
            session,
            by,
            new ConfirmationRequest(GrantConfirmation.Grant, subject)
            {
                GroupId = group,
                ObjectId = added.Value.Grant.Id.ToString()!,
                Details = details,
                Holds = false, // it gives nothing until somebody confirms
            },
            cancellationToken
        );
        return added.Value with { Confirmation = id };
    }

    /// <summary>Adds a grant that counts at once, with its log entry, or one that <paramref name="waits"/>, without.</summary>
    public static async Task<Result<GrantView>> AddAsync(
        WriteSession session,
        Actor by,
        string? subject,
        string? group,
        RoleGrant grant,
        bool waits,
        CancellationToken cancellationToken
    )
    {
        var same = await session
            .Db.Set<GrantRow>()
            .FirstOrDefaultAsync(
                row =>
                    row.SubjectId == subject
                    && row.GroupId == group
                    && row.Role == grant.Role
                    && row.Kind == grant.Kind
                    && row.Pattern == grant.Pattern,
                cancellationToken
            );
        if (same is not null)
        {
            if (same.ExpiresAt is null || same.ExpiresAt > session.Now)
            {
                return new Failure(
                    FailureKind.Exists,
                    "identity.grant_exists",
                    "That role is granted there already; revoke it to grant it otherwise."
                );
            }

            await RemoveAsync(session, by, same, cancellationToken);
        }

        var row = GrantRow.Of(grant, by, session.Now);
        (row.SubjectId, row.GroupId, row.Pending) = (subject, group, waits);
        session.Db.Add(row);
        await session.Db.SaveChangesAsync(cancellationToken);
        if (!waits)
        {
            await LogAsync(session, "identity.granted", by, row, same?.ToGrant(), row.ToGrant(), cancellationToken);
        }

        return View(row);
    }

    private static async Task RemoveAsync(
        WriteSession session,
        Actor by,
        GrantRow row,
        CancellationToken cancellationToken
    )
    {
        session.Db.Remove(row);
        await session.Db.SaveChangesAsync(cancellationToken);
        if (row.Pending)
        {
            var id = row.Id.ToString();
            await Confirmations.WithdrawAsync(
                session,
                by,
                session
                    .Db.Set<ConfirmationRow>()
                    .Where(change => change.Kind == GrantConfirmation.Grant && change.ObjectId == id),
                cancellationToken
            );
        }
    }

    private static GrantView View(GrantRow row) =>
        new(row.ToGrant(), row.SubjectId, row.GroupId, row.Pending, row.GrantedBy, row.CreatedAt);

    public static Task<Guid> LogAsync(
        WriteSession session,
        string kind,
        Actor by,
        GrantRow row,
        RoleGrant? old,
        RoleGrant? added,
        CancellationToken cancellationToken
    ) =>
        session.LogAsync(
            new LogEntry(
                kind,
                by,
                row.GroupId is null ? $"subject:{row.SubjectId}" : $"group:{row.GroupId}",
                LogOutcome.Done
            )
            {
                Details = new JsonObject
                {
                    ["grant"] = row.Id.ToString(),
                    ["old"] = old is null ? null : Describe(old),
                    ["new"] = added is null ? null : Describe(added),
                },
            },
            cancellationToken
        );
}
