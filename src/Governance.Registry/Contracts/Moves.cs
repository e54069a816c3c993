using Governance.Kernel;
using Governance.Platform.Database;

namespace Governance.Registry.Contracts;

/// <summary>What a move changes.</summary>
public enum MoveKind
{
    /// <summary>Sets the stage of a version.</summary>
    SetStage,

    /// <summary>Points an alias at a version.</summary>
    SetAlias,

    /// <summary>Removes an alias from the version it points at.</summary>
    DeleteAlias,

    /// <summary>Deletes a version.</summary>
    DeleteVersion,

    /// <summary>Deletes a model with all its versions; the version number is 0.</summary>
    DeleteModel,

    /// <summary>Renames a model; the target is the new name, the version number is 0.</summary>
    RenameModel,
}

/// <summary>One way to move something. Every interface builds one of these and hands it to <see cref="IMoveGate"/>.</summary>
/// <param name="Version">The version that moves.</param>
/// <param name="Kind">What changes.</param>
/// <param name="Target">Canonical stage name, alias, or new model name; empty for deletions.</param>
/// <param name="ArchiveExisting">Whether other holders of the stage are archived in the same transaction.</param>
public sealed record Move(ModelVersionRef Version, MoveKind Kind, string Target, bool ArchiveExisting)
{
    /// <summary>The stages of MLflow, canonical spelling.</summary>
    public static readonly IReadOnlyList<string> Stages = ["None", "Staging", "Production", "Archived"];

    /// <summary>Whether it is about a model as a whole: deleting and renaming.</summary>
    public bool IsOfWholeModel => Kind is MoveKind.DeleteModel or MoveKind.RenameModel;

    /// <summary>Text for people and logs, e.g. <c>stage:Production</c> or <c>alias:champion</c>.</summary>
    public string TargetText =>
        Kind switch
        {
            MoveKind.SetStage => $"stage:{Target}",
            MoveKind.SetAlias => $"alias:{Target}",
            MoveKind.DeleteAlias => $"alias-removal:{Target}",
            MoveKind.RenameModel => $"rename:{Target}",
            MoveKind.DeleteVersion => "delete-version",
            _ => "delete-model",
        };
}

/// <summary>What a carried-out move gives back.</summary>
/// <param name="Version">The version afterwards; null after deletions and renames.</param>
/// <param name="ReceiptId">Id of the promotion receipt, complete within a second; null when nothing changed or no receipt is due.</param>
public sealed record MoveOutcome(VersionView? Version, Guid? ReceiptId);

/// <summary>Port: the choke point. Declared here, implemented by Promotion; every move of every interface passes it.</summary>
public interface IMoveGate
{
    /// <summary>
    /// Authorises, decides, and on allow carries the move out in the transaction that writes its log entry. Refusals are logged
    /// in a transaction of their own. A move whose result already holds succeeds and changes nothing. Codes <c>promotion.*</c>;
    /// a move that lacks only approvals is <c>promotion.approval_required</c> and names the request it opened.
    /// </summary>
    Task<Result<MoveOutcome>> MoveAsync(Actor actor, Move move, CancellationToken cancellationToken);
}

/// <summary>Port: decisions that allow moves. Implemented by Promotion.</summary>
public interface IDecisionLedger
{
    /// <summary>
    /// Marks the decision as used if it is an unused allow for exactly this move on exactly this evidence subject; otherwise
    /// <c>promotion.decision_invalid</c>.
    /// </summary>
    Task<Result<Unit>> TakeAsync(
        WriteSession session,
        Guid decisionId,
        Move move,
        Digest evidenceSubject,
        CancellationToken cancellationToken
    );
}

/// <summary>The only mover of stages, aliases, names and deletions.</summary>
public interface IMover
{
    /// <summary>
    /// Takes the decision, compares and swaps version, digest and stage, archives other holders when asked, writes the graph edges
    /// and the entry <c>registry.moved</c>, all in the session. Expected states are those that the decision was made on.
    /// Codes: <c>registry.version_not_found</c>, <c>registry.version_not_ready</c>, <c>registry.quarantined</c>,
    /// <c>registry.changed</c> (lost compare-and-swap), <c>promotion.decision_invalid</c>.
    /// </summary>
    Task<Result<VersionView?>> MoveAsync(
        WriteSession session,
        Actor actor,
        Move move,
        Guid decisionId,
        MoveExpectation expected,
        CancellationToken cancellationToken
    );
}

/// <summary>The state that a decision was made on; the mover refuses when it differs now.</summary>
/// <param name="ModelId">The model then; its name may have been given to another since.</param>
/// <param name="EvidenceSubject">Evidence subject of the version (default for whole-model moves).</param>
/// <param name="Revision">
/// <see cref="VersionView.Revision"/>, which covers stage, aliases and tags; <see cref="ModelView.Revision"/> for whole-model moves.
/// </param>
/// <param name="Holders">Versions that held the target stage or alias then, ascending; empty for whole-model moves.</param>
public sealed record MoveExpectation(Guid ModelId, Digest EvidenceSubject, long Revision, IReadOnlyList<int> Holders);

/// <summary>Port: told, inside the transaction, that versions were registered or that their evidence subjects changed. Implemented by Evidence.</summary>
public interface IVersionIntake
{
    /// <summary>Enqueues the evidence jobs of the versions' current subjects.</summary>
    Task OnSubjectChangedAsync(
        WriteSession session,
        IReadOnlyCollection<VersionView> versions,
        CancellationToken cancellationToken
    );
}

/// <summary>Port: whether bytes that versions hold may be served, beside the reader's rights. Implemented by Evidence.</summary>
public interface IReadGate
{
    /// <summary>
    /// Null, or why the bytes are not served. <paramref name="holders"/> are the versions that hold them and that the reader may
    /// read, each with its stage. What stops nothing is on record when this returns.
    /// </summary>
    Task<Failure?> CheckAsync(
        Actor actor,
        IReadOnlyCollection<(ModelVersionRef Version, string Stage)> holders,
        CancellationToken cancellationToken
    );
}

/// <summary>Port: datasets that runs may name as inputs. Implemented by a higher module over Privacy.</summary>
public interface IInputDatasets
{
    /// <summary>Whether the actor may use the dataset as an input: it exists and the actor may read its metadata.</summary>
    Task<bool> MayUseAsync(Actor actor, Digest sha256, CancellationToken cancellationToken);
}

/// <summary>How Evidence reports the end of registration.</summary>
public interface IVersionStatus
{
    /// <summary>Sets READY if the version is pending and its subject is still this one; writes its log entry.</summary>
    Task<Result<Unit>> CompleteAsync(
        WriteSession session,
        ModelVersionRef version,
        Digest subject,
        CancellationToken cancellationToken
    );

    /// <summary>Sets FAILED_REGISTRATION with a reason; writes its log entry.</summary>
    Task<Result<Unit>> FailAsync(
        WriteSession session,
        ModelVersionRef version,
        string reason,
        CancellationToken cancellationToken
    );

    /// <summary>Quarantines a version: not served, not promoted; writes its log entry. Already quarantined changes nothing.</summary>
    Task<Result<Unit>> QuarantineAsync(
        WriteSession session,
        ModelVersionRef version,
        string reason,
        CancellationToken cancellationToken
    );
}
