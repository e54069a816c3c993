using Governance.Evidence.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Policy.Contracts;
using Governance.Registry.Contracts;

namespace Governance.Promotion.Gate;

/// <summary>Everything a move is judged on, gathered once, outside the transaction.</summary>
internal sealed record MoveContext
{
    public required Actor Actor { get; init; }

    public required Move Move { get; init; }

    public required ModelView Model { get; init; }

    /// <summary>Null for moves of a whole model.</summary>
    public required VersionView? Version { get; init; }

    public required Rights Rights { get; init; }

    public required IPromotionPolicy Policy { get; init; }

    /// <summary>Null for moves of a whole model.</summary>
    public required VersionEvidence? Evidence { get; init; }

    /// <summary>Null for moves of a whole model.</summary>
    public required SignatureStanding? Signature { get; init; }

    /// <summary>Versions in a stage other than None and Archived.</summary>
    public required IReadOnlyList<VersionView> StageHolders { get; init; }

    public Digest EvidenceSubject => Version?.EvidenceSubject ?? default;

    /// <summary>What an approval is about; for a whole model its state, so that an approval does not outlive a change of any version.</summary>
    public Digest EvidenceDigest => Version is null ? StateOf(Model) : Evidence!.Digest;

    /// <summary>The model, with what the move touches: rights on it are rights to do this move.</summary>
    public AccessTarget Target => Model.Target with { Touches = Touched };

    /// <summary>Changes with every added version, stage, alias and tag of a model.</summary>
    public static Digest StateOf(ModelView model) => Digest.Of($"{model.Id:N} {model.Revision}");

    /// <summary>What the caller needs the right on: a new name may lie in reach of other grants, so it counts like the old one.</summary>
    public IReadOnlyList<AccessTarget> Named =>
        Move.Kind == MoveKind.RenameModel
            ? [Target, AccessTarget.Model(Move.Target, Model.OwnerId) with { Touches = Touched }]
            : [Target];

    /// <summary>
    /// Where the version goes and what it leaves: whoever may promote to Staging only takes nothing out of Production either.
    /// Removing an alias is doing something to that alias.
    /// </summary>
    private IReadOnlyList<string> Touched =>
        Move.Kind switch
        {
            MoveKind.SetStage =>
            [
                .. new[] { Move.TargetText }.Concat(StagesOf([Version!])).Distinct(StringComparer.Ordinal),
            ],
            MoveKind.SetAlias or MoveKind.DeleteAlias => [$"alias:{Move.Target}"],
            MoveKind.DeleteVersion =>
            [
                Move.TargetText,
                .. StagesOf([Version!]),
                .. Version!.Aliases.Select(alias => $"alias:{alias}"),
            ],
            _ => [Move.TargetText, .. StagesOf(StageHolders), .. Model.Aliases.Keys.Select(alias => $"alias:{alias}")],
        };

    private static IEnumerable<string> StagesOf(IEnumerable<VersionView> versions) =>
        versions
            .Select(version => version.Stage)
            .Where(stage => stage is not ("None" or "Archived"))
            .Select(stage => $"stage:{stage}")
            .Distinct(StringComparer.Ordinal);

    /// <summary>The state the mover compares with.</summary>
    public MoveExpectation Expectation =>
        new(
            Model.Id,
            EvidenceSubject,
            Version?.Revision ?? Model.Revision,
            Move.Kind switch
            {
                MoveKind.SetStage =>
                [
                    .. StageHolders.Where(holder => holder.Stage == Move.Target).Select(holder => holder.Ref.Version),
                ],
                MoveKind.SetAlias or MoveKind.DeleteAlias when Model.Aliases.TryGetValue(Move.Target, out var holder) =>
                    [holder],
                _ => [],
            }
        );

    /// <summary>Whether the result of the move already holds.</summary>
    public bool Holds =>
        Move.Kind switch
        {
            MoveKind.SetStage => Version!.Stage == Move.Target
                && !(Move.ArchiveExisting && Expectation.Holders.Any(holder => holder != Move.Version.Version)),
            MoveKind.SetAlias => Model.Aliases.TryGetValue(Move.Target, out var holder)
                && holder == Move.Version.Version,
            MoveKind.DeleteAlias => !Model.Aliases.ContainsKey(Move.Target),
            MoveKind.RenameModel => Move.Target == Model.Name,
            _ => false,
        };

    /// <summary>Whether the version, or any version of the model for moves of the whole model, serves a protected stage or alias.</summary>
    public bool HoldsProtected =>
        Version is null
            ? StageHolders.Count > 0 || Model.Aliases.Keys.Any(alias => Policy.IsProtected($"alias:{alias}"))
            : Policy.IsProtected($"stage:{Version.Stage}")
                || Version.Aliases.Any(alias => Policy.IsProtected($"alias:{alias}"));
}
