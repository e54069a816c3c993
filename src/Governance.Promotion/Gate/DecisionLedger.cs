using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Promotion.Storage;
using Governance.Registry.Contracts;

namespace Governance.Promotion.Gate;

/// <summary>Lets the mover take a decision once, for exactly the move it allowed.</summary>
internal sealed class DecisionLedger : IDecisionLedger
{
    public async Task<Result<Unit>> TakeAsync(
        WriteSession session,
        Guid decisionId,
        Move move,
        Digest evidenceSubject,
        CancellationToken cancellationToken
    )
    {
        var row = await session.Db.Set<DecisionRow>().FindAsync([decisionId], cancellationToken);
        var valid =
            row is { Used: false, Verdict: "allow" }
            && new Move(new ModelVersionRef(row.Model, row.Version), row.Kind, row.Target, row.ArchiveExisting) == move
            && row.EvidenceSubject == evidenceSubject;
        if (!valid)
        {
            return Failure.Conflict("promotion.decision_invalid", "No unused decision allows exactly this move.");
        }

        row!.Used = true;
        return default(Unit);
    }
}
