using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Promotion.Gate;
using Governance.Promotion.Storage;
using Governance.Signing.Contracts;

namespace Governance.Promotion.Receipts;

/// <summary>
/// Writes the receipt of a carried-out move: an in-toto statement (SLSA verification summary v1 with a member
/// <c>promotion</c>), signed, whose payload digest stands in the log entry of the move.
/// </summary>
internal sealed class ReceiptWriter(ISigner signer, ISignatureJournal journal, PlatformOptions options)
{
    public async Task<ReceiptRow> WriteAsync(
        WriteSession session,
        MoveContext context,
        DecisionRow decision,
        IReadOnlyList<ApprovalRow> approvals,
        CancellationToken cancellationToken
    )
    {
        var receipt = new ReceiptRow
        {
            Id = Guid.CreateVersion7(session.Now),
            ModelId = context.Model.Id,
            Version = context.Move.Version.Version,
            DecisionId = decision.Id,
            At = session.Now,
        };
        var statement = Statement(session, context, decision, approvals);
        receipt.Statement = signer.SignLoggedStatement(statement);
        var details = MoveGate.Details(context, decision, null);
        details["approvals"] = new JsonArray([.. approvals.Select(approval => (JsonNode)approval.PersonId)]);
        details["receipt"] = receipt.Id.ToString();
        details["statementSha256"] = Digest.Of(CanonicalJson.Serialize(statement)).Hex;
        receipt.EntryId = await session.LogAsync(
            new LogEntry("promotion.carried_out", context.Actor, MoveGate.Subject(context.Move), LogOutcome.Done)
            {
                Details = details,
                Keeps = true,
            },
            cancellationToken
        );
        session.Db.Add(receipt);
        await journal.RecordAsync(session, receipt.Statement, $"receipt:{receipt.Id}", cancellationToken);
        return receipt;
    }

    private JsonObject Statement(
        WriteSession session,
        MoveContext context,
        DecisionRow decision,
        IReadOnlyList<ApprovalRow> approvals
    ) =>
        new()
        {
            ["_type"] = "https://in-toto.io/Statement/v1",
            ["subject"] = new JsonArray(
                new JsonObject
                {
                    ["name"] = context.Move.Version.ToString(),
                    ["digest"] = new JsonObject { ["sha256"] = (context.Version?.ManifestDigest ?? default).Hex },
                }
            ),
            ["predicateType"] = "https://slsa.dev/verification_summary/v1",
            ["predicate"] = new JsonObject
            {
                ["verifier"] = new JsonObject { ["id"] = options.PublicUrl },
                ["timeVerified"] = session.Now.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'"),
                ["resourceUri"] = context.Move.Version.ToString(),
                ["policy"] = new JsonObject
                {
                    ["uri"] = "policy:promotion",
                    ["digest"] = new JsonObject { ["sha256"] = context.Policy.Digest.Hex },
                },
                ["inputAttestations"] = new JsonArray([
                    .. (context.Evidence?.Items ?? [])
                        .Where(item => item.Document is not null)
                        .Select(item => new JsonObject
                        {
                            ["uri"] = $"evidence:{item.Kind.ToString().ToLowerInvariant()}",
                            ["digest"] = new JsonObject { ["sha256"] = item.Document!.Value.Hex },
                        }),
                ]),
                ["verificationResult"] = "PASSED",
                ["verifiedLevels"] = new JsonArray(context.Move.TargetText),
                ["promotion"] = new JsonObject
                {
                    ["approvals"] = new JsonArray([
                        .. approvals.Select(approval => new JsonObject
                        {
                            ["at"] = approval.At.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'"),
                            ["entry"] = approval.EntryId.ToString(),
                            ["person"] = approval.PersonId,
                            ["request"] = approval.RequestId.ToString(),
                        }),
                    ]),
                    ["carriedOutBy"] = context.Actor.Id,
                    ["decision"] = decision.Id.ToString(),
                    ["evidence"] = context.EvidenceDigest.Hex,
                    ["evidenceSubject"] = context.EvidenceSubject.Hex,
                    ["target"] = context.Move.TargetText,
                },
            },
        };
}
