using System.Globalization;
using System.Text.Json.Nodes;
using Governance.Identity.Confirm;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Microsoft.EntityFrameworkCore;

namespace Governance.Identity.Subjects;

/// <summary>The second administrator's word on a grant or a place in a group: confirmed it counts, rejected it is gone.</summary>
internal sealed class GrantConfirmation : IConfirmable
{
    public const string Grant = "grant";
    public const string Membership = "membership";

    public bool Handles(string kind) => kind is Grant or Membership;

    // What was revoked while it waited took its confirmation with it, so the rows are there.
    public async Task ConfirmedAsync(
        WriteSession session,
        Actor by,
        ConfirmationRow row,
        CancellationToken cancellationToken
    )
    {
        if (row.Kind == Membership)
        {
            (await MemberAsync(session, row, cancellationToken)).Pending = false;
            await session.LogAsync(
                new LogEntry("identity.member_added", by, $"group:{row.GroupId}", LogOutcome.Done)
                {
                    Details = new JsonObject { ["subject"] = row.SubjectId, ["requestedBy"] = row.RequestedBy },
                },
                cancellationToken
            );
            return;
        }

        var grant = await GrantAsync(session, row, cancellationToken);
        grant.Pending = false;
        await GrantStore.LogAsync(
            session,
            "identity.granted",
            by,
            grant,
            old: null,
            added: grant.ToGrant(),
            cancellationToken
        );
    }

    public async Task RejectedAsync(WriteSession session, ConfirmationRow row, CancellationToken cancellationToken) =>
        session.Db.Remove(
            row.Kind == Membership
                ? await MemberAsync(session, row, cancellationToken)
                : (object)await GrantAsync(session, row, cancellationToken)
        );

    private static Task<GrantRow> GrantAsync(WriteSession session, ConfirmationRow row, CancellationToken token)
    {
        var id = Guid.Parse(row.ObjectId, CultureInfo.InvariantCulture);
        return session.Db.Set<GrantRow>().FirstAsync(grant => grant.Id == id && grant.Pending, token);
    }

    private static Task<MemberRow> MemberAsync(WriteSession session, ConfirmationRow row, CancellationToken token) =>
        session
            .Db.Set<MemberRow>()
            .FirstAsync(
                member => member.GroupId == row.GroupId && member.SubjectId == row.SubjectId && member.Pending,
                token
            );
}
