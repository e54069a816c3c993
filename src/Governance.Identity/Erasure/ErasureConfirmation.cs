using System.Text.Json.Nodes;
using Governance.Identity.Confirm;
using Governance.Identity.Storage;
using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Identity.Erasure;

/// <summary>The second administrator's word on an erasure: confirmed it begins, rejected nothing happened.</summary>
internal sealed class ErasureConfirmation(BeginErasure begin) : IConfirmable
{
    public const string Kind = "erasure";

    public bool Handles(string kind) => kind == Kind;

    // A hold that was set since it was asked for counts.
    public Task<Failure?> ObjectionAsync(
        WriteSession session,
        Actor by,
        ConfirmationRow row,
        CancellationToken cancellationToken
    ) => Erasures.ObjectionAsync(session.Db, row.SubjectId!, cancellationToken);

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
