using System.Text.Json.Nodes;
using Governance.Identity.Access;
using Governance.Identity.Confirm;
using Governance.Identity.Storage;
using Governance.Identity.Subjects;
using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Identity.Erasure;

/// <summary>The second administrator's word on an erasure: confirmed it begins, rejected nothing happened.</summary>
internal sealed class ErasureConfirmation(BeginErasure begin, SubjectReader reader) : IConfirmable
{
    public const string Kind = "erasure";

    public bool Handles(string kind) => kind == Kind;

    // A hold that was set since it was asked for counts, and so does what became of who asked: with who confirms, two administrate.
    public async Task<Failure?> ObjectionAsync(
        WriteSession session,
        Actor by,
        ConfirmationRow row,
        CancellationToken cancellationToken
    ) =>
        !Administration.Allows(
            await reader.RightsNowAsync(session.Db, new Actor(ActorKind.Person, row.RequestedBy), cancellationToken)
        )
            ? Confirmations.RequesterGone
            : await Erasures.ObjectionAsync(session.Db, row.SubjectId!, cancellationToken);

    public Task ConfirmedAsync(
        WriteSession session,
        Actor by,
        ConfirmationRow row,
        CancellationToken cancellationToken
    ) =>
        begin.RunAsync(
            session,
            by,
            row.SubjectId!,
            new JsonObject
            {
                ["confirmation"] = row.Id.ToString(),
                ["ground"] = JsonNode.Parse(row.Details)!["ground"]?.DeepClone(),
                ["requestedBy"] = row.RequestedBy,
            },
            cancellationToken
        );

    public Task RejectedAsync(WriteSession session, ConfirmationRow row, CancellationToken cancellationToken) =>
        Task.CompletedTask;
}
