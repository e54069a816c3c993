using System.Security.Cryptography;
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

/// <summary>Groups and their members at run time.</summary>
internal sealed class GroupStore(
    IDbContextFactory<GovernanceDb> databases,
    GrantStore grants,
    SubjectReader reader,
    Administration administration,
    Confirmations confirmations
) : IGroups
{
    private const int MaxMembers = 1000;
    private static readonly RoleGrant Everything = new("", ObjectKind.None, "");
    private static readonly Failure NoGroup = Failure.NotFound("identity.no_group", "There is no such group.");
    private static readonly Failure NotAdmin = Failure.Denied(
        "identity.denied",
        "Only an administrator of all that the group is granted may do this."
    );

    public async Task<Result<GroupView>> CreateAsync(
        Actor by,
        string name,
        ExternalClaim? external,
        CancellationToken cancellationToken
    ) =>
        (AccountRules.CheckName(name) ?? (external is null ? null : GrantRules.CheckExternal(external))) is { } broken
            ? broken
            : await grants.ChangeAsync<GroupView>(
                by,
                "",
                "",
                async (session, token) =>
                {
                    var rights = await reader.RightsNowAsync(session.Db, by, token);
                    if (!rights.AllowsWithin(Permissions.IdentityManage, Everything))
                    {
                        return NotAdmin;
                    }

                    var row = await AddAsync(session, by, name, external, token);
                    return row.Map(added => new GroupView(added.Id, added.Name, added.External, []));
                },
                cancellationToken
            );

    /// <summary>Adds a group with its log entry; used by the seed too.</summary>
    public static async Task<Result<GroupRow>> AddAsync(
        WriteSession session,
        Actor by,
        string name,
        ExternalClaim? external,
        CancellationToken cancellationToken
    )
    {
        var groups = session.Db.Set<GroupRow>();
        var taken =
            await groups.AnyAsync(row => row.Name == name, cancellationToken)
            || (
                external is not null
                && await groups.AnyAsync(
                    row => row.Issuer == external.Issuer && row.Claim == external.Claim && row.Value == external.Value,
                    cancellationToken
                )
            );
        if (taken)
        {
            return new Failure(
                FailureKind.Exists,
                "identity.group_exists",
                "A group of that name, or bound to that value, exists."
            );
        }

        var row = new GroupRow
        {
            Id = RandomNumberGenerator.GetHexString(32, lowercase: true),
            Name = name,
            Issuer = external?.Issuer,
            Claim = external?.Claim,
            Value = external?.Value,
            CreatedAt = session.Now,
        };
        session.Db.Add(row);
        await session.Db.SaveChangesAsync(cancellationToken);
        var details = new JsonObject { ["external"] = external is not null };
        if (external is not null)
        {
            // A value may be somebody's own identifier: its digest is enough to prove which one it was.
            (details["issuer"], details["claim"]) = (external.Issuer, external.Claim);
            details["value"] = Digest.Of(external.Value).Hex;
        }

        await session.LogAsync(
            new LogEntry("identity.group_created", by, $"group:{row.Id}", LogOutcome.Done) { Details = details },
            cancellationToken
        );
        return row;
    }

    public async Task<Result<Page<GroupView>>> ListAsync(
        Actor by,
        int first,
        string? after,
        CancellationToken cancellationToken
    )
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var rights = await reader.RightsNowAsync(db, by, cancellationToken);
        if (!rights.AllowsWithin(Permissions.IdentityManage, Everything))
        {
            return await administration.RefuseReadAsync(by, "", NotAdmin);
        }

        var rows = await db.Set<GroupRow>()
            .AsNoTracking()
            .Where(row => after == null || string.Compare(row.Id, after) > 0)
            .OrderBy(row => row.Id)
            .Take(first + 1)
            .ToListAsync(cancellationToken);
        var page = rows.Take(first).ToList();
        var members = await MembersAsync(db, [.. page.Select(row => row.Id)], cancellationToken);
        return new Page<GroupView>(
            [.. page.Select(row => View(row, members[row.Id]))],
            rows.Count > first ? page[^1].Id : null
        );
    }

    public Task<Result<GroupView>> AddMemberAsync(
        Actor by,
        string group,
        string subject,
        CancellationToken cancellationToken
    ) =>
        ChangeMembersAsync(
            by,
            group,
            subject,
            async (session, row, token) =>
            {
                if (by.Id == subject)
                {
                    return GrantStore.SelfGrant;
                }

                if (row.Issuer is not null)
                {
                    return Failure.Conflict(
                        "identity.external_group",
                        "The identity provider says who is in an external group."
                    );
                }

                if (!await session.Db.Set<SubjectRow>().AnyAsync(known => known.Id == subject, token))
                {
                    return Failure.NotFound("identity.no_subject", "There is no such subject.");
                }

                var members = session.Db.Set<MemberRow>().Where(member => member.GroupId == group);
                if (await members.AnyAsync(member => member.SubjectId == subject, token))
                {
                    return new Failure(FailureKind.Exists, "identity.member_exists", "It is in that group already.");
                }

                if (await members.CountAsync(token) >= MaxMembers)
                {
                    return Failure.Conflict("identity.group_full", "A group has at most 1,000 members.");
                }

                var waits = by.Kind != ActorKind.System && await IsPrivilegedAsync(session, group, token);
                if (waits && !by.IsPerson)
                {
                    return Failure.Denied(
                        "identity.persons_only",
                        "Only an enrolled person who signed in may do this."
                    );
                }

                session.Db.Add(
                    new MemberRow
                    {
                        GroupId = group,
                        SubjectId = subject,
                        AddedBy = by.Id,
                        AddedAt = session.Now,
                        Pending = waits,
                    }
                );
                if (!waits)
                {
                    return "identity.member_added";
                }

                await session.Db.SaveChangesAsync(token);
                var request = new ConfirmationRequest(GrantConfirmation.Membership, subject)
                {
                    GroupId = group,
                    Holds = false, // it gives nothing until somebody confirms
                };
                await confirmations.RequestAsync(session, by, request, token);
                return "";
            },
            cancellationToken
        );

    public Task<Result<GroupView>> RemoveMemberAsync(
        Actor by,
        string group,
        string subject,
        CancellationToken cancellationToken
    ) =>
        ChangeMembersAsync(
            by,
            group,
            subject,
            async (session, _, token) =>
            {
                var member = await session
                    .Db.Set<MemberRow>()
                    .FirstOrDefaultAsync(known => known.GroupId == group && known.SubjectId == subject, token);
                if (member is null)
                {
                    return Failure.NotFound("identity.no_member", "It is not in that group.");
                }

                session.Db.Remove(member);
                await Confirmations.WithdrawAsync(
                    session,
                    by,
                    session
                        .Db.Set<ConfirmationRow>()
                        .Where(change =>
                            change.Kind == GrantConfirmation.Membership
                            && change.GroupId == group
                            && change.SubjectId == subject
                        ),
                    token
                );
                return "identity.member_removed";
            },
            cancellationToken
        );

    // What waits counts too: else somebody could join before a grant that is asked for, and after nobody looked.
    private static async Task<bool> IsPrivilegedAsync(WriteSession session, string group, CancellationToken token)
    {
        var granted = await session
            .Db.Set<GrantRow>()
            .AsNoTracking()
            .Where(grant => grant.GroupId == group)
            .ToListAsync(token);
        return granted.Exists(grant => GrantRules.IsPrivileged(grant.ToGrant()));
    }

    /// <summary>Runs a change of members, which gives back the kind of its log entry, or nothing when it made its own.</summary>
    private Task<Result<GroupView>> ChangeMembersAsync(
        Actor by,
        string group,
        string subject,
        Func<WriteSession, GroupRow, CancellationToken, Task<Result<string>>> change,
        CancellationToken cancellationToken
    ) =>
        grants.ChangeAsync<GroupView>(
            by,
            $"group:{group}",
            "",
            async (session, token) =>
            {
                var row = await session.Db.Set<GroupRow>().FirstOrDefaultAsync(known => known.Id == group, token);
                if (row is null || !await ManagesAsync(session, by, group, token))
                {
                    return NoGroup;
                }

                var changed = await change(session, row, token);
                if (!changed.Ok)
                {
                    return changed.Failure;
                }

                await session.Db.SaveChangesAsync(token);
                if (changed.Value.Length > 0)
                {
                    await session.LogAsync(
                        new LogEntry(changed.Value, by, $"group:{group}", LogOutcome.Done)
                        {
                            Details = new JsonObject { ["subject"] = subject },
                        },
                        token
                    );
                }

                return View(row, (await MembersAsync(session.Db, [group], token))[group]);
            },
            cancellationToken
        );

    // Being in a group is being granted all that it is granted.
    private async Task<bool> ManagesAsync(
        WriteSession session,
        Actor by,
        string group,
        CancellationToken cancellationToken
    )
    {
        var rights = await reader.RightsNowAsync(session.Db, by, cancellationToken);
        if (rights.AllowsWithin(Permissions.IdentityManage, Everything))
        {
            return true;
        }

        var granted = await session
            .Db.Set<GrantRow>()
            .AsNoTracking()
            .Where(grant => grant.GroupId == group)
            .ToListAsync(cancellationToken);
        return granted.Count > 0
            && granted.TrueForAll(grant => rights.AllowsWithin(Permissions.IdentityManage, grant.ToGrant()));
    }

    private static async Task<ILookup<string, MemberRow>> MembersAsync(
        GovernanceDb db,
        IReadOnlyCollection<string> groups,
        CancellationToken cancellationToken
    ) =>
        (
            await db.Set<MemberRow>()
                .AsNoTracking()
                .Where(member => groups.Contains(member.GroupId))
                .OrderBy(member => member.SubjectId)
                .ToListAsync(cancellationToken)
        ).ToLookup(member => member.GroupId);

    private static GroupView View(GroupRow row, IEnumerable<MemberRow> members) =>
        new(
            row.Id,
            row.Name,
            row.External,
            [.. members.Select(member => new GroupMember(member.SubjectId, member.Pending, member.SeenAt))]
        );
}
