using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Policy.Contracts;

namespace Governance.Promotion.Gate;

/// <summary>Compares, inside the transaction, what a decision was made on with what holds now; the mover compares the registry's part.</summary>
internal sealed class BindingCheck(IPolicies policies, IEvidence evidence)
{
    public async Task<Result<Unit>> StillHoldsAsync(
        WriteSession session,
        MoveContext context,
        CancellationToken cancellationToken
    )
    {
        if (await policies.PromotionDigestAsync(session, cancellationToken) != context.Policy.Digest)
        {
            return Failure.Conflict(
                "promotion.policy_changed",
                "The policy changed while this was decided; try again."
            );
        }

        return
            context.Version is { } version
            && await evidence.DigestAsync(session, version, cancellationToken) != context.EvidenceDigest
            ? Failure.Conflict("promotion.evidence_changed", "The evidence changed while this was decided; try again.")
            : default(Unit);
    }
}
