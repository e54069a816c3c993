using Governance.Evidence.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Policy.Contracts;
using Governance.Registry.Contracts;

namespace Governance.Promotion.Gate;

/// <summary>Gathers what a move is judged on. Rights are read now, not from a cache.</summary>
internal sealed class MoveContexts(
    IRegistryReader registry,
    IAccess access,
    IPolicies policies,
    IEvidence evidence,
    ISignatures signatures
)
{
    private static readonly Failure Absent = Failure.NotFound(
        "registry.version_not_found",
        "There is no such model version."
    );

    /// <summary>The context, or the same refusal for what is absent and what the caller may not know of.</summary>
    public async Task<Result<MoveContext>> GatherAsync(Actor actor, Move move, CancellationToken cancellationToken)
    {
        var rights = await access.RightsNowAsync(actor, cancellationToken);
        var model = await registry.FindModelAsync(move.Version.Model, cancellationToken);
        if (model is null || !rights.Allows(Permissions.ModelRead, model.Target))
        {
            return Absent;
        }

        VersionView? version = null;
        VersionEvidence? found = null;
        if (!move.IsOfWholeModel)
        {
            version = await registry.FindVersionAsync(move.Version, cancellationToken);
            found = version is null ? null : await evidence.OfAsync(move.Version, cancellationToken);
            if (version is null || found is null)
            {
                return Absent;
            }
        }

        return new MoveContext
        {
            Actor = actor,
            Move = move,
            Model = model,
            Version = version,
            Rights = rights,
            Policy = await policies.PromotionAsync(cancellationToken),
            Evidence = found,
            Signature = version is null ? null : await signatures.OfAsync(version, cancellationToken),
            StageHolders = await registry.StageHoldersAsync(model.Name, cancellationToken),
        };
    }
}
