using Governance.Kernel;

namespace Governance.Registry.Contracts;

/// <summary>Registration state, MLflow's <c>ModelVersionStatus</c>.</summary>
public enum VersionStatus
{
    /// <summary>Evidence is being produced.</summary>
    PendingRegistration,

    /// <summary>Evidence refused the version; the reason is in the status message.</summary>
    FailedRegistration,

    /// <summary>Registered.</summary>
    Ready,
}

/// <summary>A registered model.</summary>
public sealed record ModelView
{
    /// <summary>Unique name, case-sensitive.</summary>
    public required string Name { get; init; }

    /// <summary>Stable id, survives renaming.</summary>
    public required Guid Id { get; init; }

    /// <summary>Actor id of the creator.</summary>
    public required string OwnerId { get; init; }

    /// <summary>Free text, or empty.</summary>
    public required string Description { get; init; }

    /// <summary>UTC.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>UTC.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Tags.</summary>
    public required IReadOnlyDictionary<string, string> Tags { get; init; }

    /// <summary>Aliases → version number.</summary>
    public required IReadOnlyDictionary<string, int> Aliases { get; init; }

    /// <summary>Grows whenever a version is added or any version's <see cref="VersionView.Revision"/> grows; as old as the rest, or older.</summary>
    public long Revision { get; init; }

    /// <summary>For permission checks.</summary>
    public AccessTarget Target => AccessTarget.Model(Name, OwnerId);
}

/// <summary>A version of a registered model.</summary>
public sealed record VersionView
{
    /// <summary>Model name and number.</summary>
    public required ModelVersionRef Ref { get; init; }

    /// <summary>Stable id of the model.</summary>
    public required Guid ModelId { get; init; }

    /// <summary>Owner of the model.</summary>
    public required string OwnerId { get; init; }

    /// <summary>Actor id of whoever registered it: the last artifact author for approvals.</summary>
    public required string RegisteredBy { get; init; }

    /// <summary>Status.</summary>
    public required VersionStatus Status { get; init; }

    /// <summary>Reason of a failure or of a quarantine; empty otherwise.</summary>
    public required string StatusMessage { get; init; }

    /// <summary>Whether its bytes were found changed; a quarantined version is neither served nor promoted.</summary>
    public required bool Quarantined { get; init; }

    /// <summary>None, Staging, Production or Archived.</summary>
    public required string Stage { get; init; }

    /// <summary>Aliases that point here.</summary>
    public required IReadOnlyList<string> Aliases { get; init; }

    /// <summary>MLflow source URI as registered.</summary>
    public required string Source { get; init; }

    /// <summary>Run that produced it, or null.</summary>
    public required string? RunId { get; init; }

    /// <summary>Logged model it was registered from (3.x), or null.</summary>
    public required string? LoggedModelId { get; init; }

    /// <summary>Free text, or empty.</summary>
    public required string Description { get; init; }

    /// <summary>Tags.</summary>
    public required IReadOnlyDictionary<string, string> Tags { get; init; }

    /// <summary>Digest of the frozen manifest.</summary>
    public required Digest ManifestDigest { get; init; }

    /// <summary>
    /// Evidence subject of design §6: SHA-256 of the RFC 8785 JSON of {inputs: sorted [{context, grade, sha256}], manifest, model,
    /// run, version}. Changes when inputs change.
    /// </summary>
    public required Digest EvidenceSubject { get; init; }

    /// <summary>UTC.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>UTC.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Grows with every change of the version, its stage, aliases, tags, status or evidence subject.</summary>
    public int Revision { get; init; }

    /// <summary>For permission checks.</summary>
    public AccessTarget Target => AccessTarget.Model(Ref.Model, OwnerId);
}

/// <summary>A dataset input of a run (MLflow log-inputs).</summary>
public sealed record RunInput
{
    /// <summary>MLflow dataset name.</summary>
    public required string Name { get; init; }

    /// <summary>MLflow's short digest: an alias, never an identity.</summary>
    public required string MlflowDigest { get; init; }

    /// <summary>Context tag <c>mlflow.data.context</c>, or empty.</summary>
    public required string Context { get; init; }

    /// <summary>Content digest when the source is <c>governance:/datasets/sha256:…</c> and the logger could read that dataset; else null.</summary>
    public required Digest? DatasetSha256 { get; init; }

    /// <summary>Source type as logged.</summary>
    public required string SourceType { get; init; }
}

/// <summary>A run.</summary>
public sealed record RunView
{
    /// <summary>32 hex characters.</summary>
    public required string RunId { get; init; }

    /// <summary>Display name.</summary>
    public required string Name { get; init; }

    /// <summary>Experiment id.</summary>
    public required string ExperimentId { get; init; }

    /// <summary>Experiment name.</summary>
    public required string ExperimentName { get; init; }

    /// <summary>Owner of the experiment.</summary>
    public required string? OwnerId { get; init; }

    /// <summary>RUNNING, FINISHED, …</summary>
    public required string Status { get; init; }

    /// <summary>UTC, or null.</summary>
    public required DateTimeOffset? StartedAt { get; init; }

    /// <summary>UTC, or null.</summary>
    public required DateTimeOffset? EndedAt { get; init; }

    /// <summary>Parameters.</summary>
    public required IReadOnlyDictionary<string, string> Params { get; init; }

    /// <summary>Latest value of each metric.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>Tags.</summary>
    public required IReadOnlyDictionary<string, string> Tags { get; init; }

    /// <summary>Dataset inputs.</summary>
    public required IReadOnlyList<RunInput> Inputs { get; init; }

    /// <summary>For permission checks.</summary>
    public AccessTarget Target => AccessTarget.Experiment(ExperimentName, OwnerId);
}

/// <summary>Read access for higher modules. Checks no permission: callers do.</summary>
public interface IRegistryReader
{
    /// <summary>The model, or null.</summary>
    Task<ModelView?> FindModelAsync(string name, CancellationToken cancellationToken);

    /// <summary>The model, or null; of one that is not visible nothing more is looked up than of one that is not there.</summary>
    Task<ModelView?> FindModelAsync(string name, Func<AccessTarget, bool> visible, CancellationToken cancellationToken);

    /// <summary>Actor id of the model's owner; null when it has none or is not there.</summary>
    Task<string?> ModelOwnerAsync(string name, CancellationToken cancellationToken);

    /// <summary>Actor id of the experiment's owner; null when it has none or is not there.</summary>
    Task<string?> ExperimentOwnerAsync(string name, CancellationToken cancellationToken);

    /// <summary>Models by name order, keyset-paged; <paramref name="first"/> ≤ 200. The scope filters what the caller may see.</summary>
    Task<Page<ModelView>> ListModelsAsync(
        Func<AccessTarget, bool> visible,
        string? nameContains,
        int first,
        string? after,
        CancellationToken cancellationToken
    );

    /// <summary>The version, or null. Deleted versions are null.</summary>
    Task<VersionView?> FindVersionAsync(ModelVersionRef version, CancellationToken cancellationToken);

    /// <summary>The version of a model that may have been renamed since, or null. Deleted versions are null.</summary>
    Task<VersionView?> FindVersionByIdAsync(Guid modelId, int version, CancellationToken cancellationToken);

    /// <summary>Versions of many models in one query, newest first, at most <paramref name="firstPerModel"/> each.</summary>
    Task<ILookup<string, VersionView>> VersionsOfAsync(
        IReadOnlyCollection<string> models,
        int firstPerModel,
        CancellationToken cancellationToken
    );

    /// <summary>Many versions in one query.</summary>
    Task<IReadOnlyDictionary<ModelVersionRef, VersionView>> FindVersionsAsync(
        IReadOnlyCollection<ModelVersionRef> versions,
        CancellationToken cancellationToken
    );

    /// <summary>Many runs in one round.</summary>
    Task<IReadOnlyDictionary<string, RunView>> FindRunsAsync(
        IReadOnlyCollection<string> runIds,
        CancellationToken cancellationToken
    );

    /// <summary>Those of many runs that are visible; of others nothing more is looked up than of those that are not there.</summary>
    Task<IReadOnlyDictionary<string, RunView>> FindRunsAsync(
        IReadOnlyCollection<string> runIds,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    );

    /// <summary>The frozen manifest of a version, or null.</summary>
    Task<Manifest?> ManifestOfAsync(ModelVersionRef version, CancellationToken cancellationToken);

    /// <summary>The frozen files of a version, readable and verified; null when the version is unknown.</summary>
    Task<Platform.Blobs.IArtifactSource?> OpenAsync(ModelVersionRef version, CancellationToken cancellationToken);

    /// <summary>Versions of a model that are in a stage other than None and Archived, ascending by number.</summary>
    Task<IReadOnlyList<VersionView>> StageHoldersAsync(string model, CancellationToken cancellationToken);

    /// <summary>Versions whose run used this dataset content.</summary>
    Task<IReadOnlyList<ModelVersionRef>> VersionsTrainedOnAsync(Digest dataset, CancellationToken cancellationToken);
}
