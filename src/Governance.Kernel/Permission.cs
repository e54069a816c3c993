namespace Governance.Kernel;

/// <summary>A right: verb on a kind of object, written <c>object:verb</c>.</summary>
/// <param name="Name">The name used in policies/roles.yaml.</param>
public readonly record struct Permission(string Name)
{
    /// <inheritdoc />
    public override string ToString() => Name;
}

/// <summary>The closed catalogue of permissions. A route, GraphQL field or job names one of these or fails the build.</summary>
public static class Permissions
{
    /// <summary>Open to everyone without a token, on purpose.</summary>
    public static readonly Permission Public = new("public");

    /// <summary>Any authenticated actor: who am I and what may I do.</summary>
    public static readonly Permission Self = new("self:read");

    /// <summary>Read experiments, runs, params, metrics, inputs and logged models.</summary>
    public static readonly Permission ExperimentRead = new("experiment:read");

    /// <summary>Create experiments.</summary>
    public static readonly Permission ExperimentCreate = new("experiment:create");

    /// <summary>Write runs, params, metrics, inputs, logged models and artifacts of an experiment.</summary>
    public static readonly Permission ExperimentWrite = new("experiment:write");

    /// <summary>Read registered models, versions, tags, stages and aliases.</summary>
    public static readonly Permission ModelRead = new("model:read");

    /// <summary>Create registered models.</summary>
    public static readonly Permission ModelCreate = new("model:create");

    /// <summary>Write a registered model: versions, tags, descriptions, free aliases, deletion of unprotected objects.</summary>
    public static readonly Permission ModelWrite = new("model:write");

    /// <summary>Read the bytes of artifacts.</summary>
    public static readonly Permission ArtifactRead = new("artifact:read");

    /// <summary>Read what a dataset is: digest, profile, columns, verdict.</summary>
    public static readonly Permission DatasetRead = new("dataset:read");

    /// <summary>Upload datasets, anonymise them, record derivations.</summary>
    public static readonly Permission DatasetWrite = new("dataset:write");

    /// <summary>Read the raw bytes of a dataset.</summary>
    public static readonly Permission DatasetReadRaw = new("dataset:read-raw");

    /// <summary>Declare columns, quasi-identifiers, the least k and the legal basis.</summary>
    public static readonly Permission DatasetDeclare = new("dataset:declare");

    /// <summary>Read evidence verdicts, SBOMs, signatures, attestations and receipts.</summary>
    public static readonly Permission EvidenceRead = new("evidence:read");

    /// <summary>Read findings: which column, which kind, how many.</summary>
    public static readonly Permission FindingRead = new("finding:read");

    /// <summary>Query the lineage graph.</summary>
    public static readonly Permission LineageRead = new("lineage:read");

    /// <summary>Ask for a promotion.</summary>
    public static readonly Permission PromotionRequest = new("promotion:request");

    /// <summary>Approve, reject or comment on a request.</summary>
    public static readonly Permission PromotionApprove = new("promotion:approve");

    /// <summary>Carry out promotions, roll back, archive, move protected aliases.</summary>
    public static readonly Permission PromotionCarryOut = new("promotion:carry-out");

    /// <summary>Read requests, approvals and decisions.</summary>
    public static readonly Permission PromotionRead = new("promotion:read");

    /// <summary>Read log entries with their salts.</summary>
    public static readonly Permission AuditRead = new("audit:read");

    /// <summary>Resolve a pseudonym to a person; logged.</summary>
    public static readonly Permission IdentityResolve = new("identity:resolve");

    /// <summary>Create, export and verify compliance reports.</summary>
    public static readonly Permission ReportCreate = new("report:create");

    /// <summary>Read compliance reports.</summary>
    public static readonly Permission ReportRead = new("report:read");

    /// <summary>Manage persons, services and grants.</summary>
    public static readonly Permission IdentityManage = new("identity:manage");

    /// <summary>Set, read and lift legal holds, which keep a person from being erased.</summary>
    public static readonly Permission SubjectHold = new("subject:hold");

    /// <summary>Manage policies.</summary>
    public static readonly Permission PolicyManage = new("policy:manage");

    /// <summary>Read the active policies.</summary>
    public static readonly Permission PolicyRead = new("policy:read");

    /// <summary>Replace and revoke the keys that sign versions, statements, certificates, timestamps and the signature log.</summary>
    public static readonly Permission KeysManage = new("keys:manage");

    /// <summary>Manage webhooks: the receiver is told name, source, tags and description of every model.</summary>
    public static readonly Permission WebhookManage = new("webhook:manage");

    /// <summary>
    /// Import from the MLflow servers that configuration names, into everything; shows no bytes and promotes nothing.
    /// </summary>
    public static readonly Permission ImportManage = new("import:manage");

    /// <summary>
    /// See what was changed behind the gateway on the MLflow server, have it undone or admitted; this lifts quarantines.
    /// </summary>
    public static readonly Permission UpstreamManage = new("upstream:manage");

    /// <summary>Read metrics and operate the gateway.</summary>
    public static readonly Permission MetricsRead = new("metrics:read");

    /// <summary>Every permission of the catalogue.</summary>
    public static readonly IReadOnlyList<Permission> All =
    [
        Public,
        Self,
        ExperimentRead,
        ExperimentCreate,
        ExperimentWrite,
        ModelRead,
        ModelCreate,
        ModelWrite,
        ArtifactRead,
        DatasetRead,
        DatasetWrite,
        DatasetReadRaw,
        DatasetDeclare,
        EvidenceRead,
        FindingRead,
        LineageRead,
        PromotionRequest,
        PromotionApprove,
        PromotionCarryOut,
        PromotionRead,
        AuditRead,
        IdentityResolve,
        ReportCreate,
        ReportRead,
        IdentityManage,
        SubjectHold,
        PolicyManage,
        PolicyRead,
        KeysManage,
        WebhookManage,
        ImportManage,
        UpstreamManage,
        MetricsRead,
    ];
}

/// <summary>Kinds of objects that grants name by pattern.</summary>
public enum ObjectKind
{
    /// <summary>No object: the permission is asked globally.</summary>
    None,

    /// <summary>An experiment; runs and logged models inherit from it.</summary>
    Experiment,

    /// <summary>A registered model; its versions inherit from it.</summary>
    Model,

    /// <summary>A dataset.</summary>
    Dataset,
}

/// <summary>The object a permission is asked on.</summary>
/// <param name="Kind">Kind of object.</param>
/// <param name="Name">Its name, matched by grant patterns.</param>
/// <param name="OwnerId">Actor id of its owner, or null when it has none.</param>
public readonly record struct AccessTarget(ObjectKind Kind, string Name, string? OwnerId)
{
    private readonly IReadOnlyList<string>? _touches;

    /// <summary>
    /// What a move touches on the object: <c>stage:Production</c>, <c>alias:champion</c>, <c>delete-version</c>,
    /// <c>delete-model</c> or <c>rename:name</c>. Empty when nothing moves. A right on it is a right on each of them.
    /// </summary>
    public IReadOnlyList<string> Touches
    {
        get => _touches ?? [];
        init => _touches = value;
    }

    /// <summary>No object.</summary>
    public static readonly AccessTarget Global = new(ObjectKind.None, "", null);

    /// <summary>A registered model.</summary>
    public static AccessTarget Model(string name, string? ownerId) => new(ObjectKind.Model, name, ownerId);

    /// <summary>An experiment.</summary>
    public static AccessTarget Experiment(string name, string? ownerId) => new(ObjectKind.Experiment, name, ownerId);

    /// <summary>A dataset.</summary>
    public static AccessTarget Dataset(string name, string? ownerId) => new(ObjectKind.Dataset, name, ownerId);
}
