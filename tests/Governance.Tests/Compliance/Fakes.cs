using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Compliance.Engine;
using Governance.Evidence.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Policy.Contracts;
using Governance.Privacy.Contracts;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Tests.Compliance;

/// <summary>Plays every module below from one set of facts; members that reports don't use throw.</summary>
internal sealed class FakeWorld(VersionFacts facts)
    : IRegistryReader,
        IEvidence,
        IDatasets,
        IPromotions,
        IPolicies,
        IPromotionPolicy,
        IDecisionCodec,
        IAuditLog
{
    public VersionFacts Facts { get; set; } = facts;

    /// <summary>What a replayed decision answers; null plays a policy that isn't found.</summary>
    public Verdict? Replayed { get; set; } = Verdict.Allow;

    public Task<VersionView?> FindVersionAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        Task.FromResult(version == Facts.Version.Ref ? Facts.Version : null);

    public Task<VersionView?> FindVersionByIdAsync(Guid modelId, int version, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task<IReadOnlyDictionary<string, RunView>> FindRunsAsync(
        IReadOnlyCollection<string> runIds,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<IReadOnlyDictionary<string, RunView>>(
            runIds.ToDictionary(
                id => id,
                id => new RunView
                {
                    RunId = id,
                    Name = "run",
                    ExperimentId = "1",
                    ExperimentName = "income",
                    OwnerId = "p-owner",
                    Status = "FINISHED",
                    StartedAt = null,
                    EndedAt = null,
                    Params = new Dictionary<string, string>(),
                    Metrics = new Dictionary<string, double>(),
                    Tags = new Dictionary<string, string>(),
                    Inputs =
                    [
                        .. Facts.Inputs.Select(input => new RunInput
                        {
                            Name = input.Name,
                            MlflowDigest = "d",
                            Context = input.Context,
                            DatasetSha256 = input.Sha256,
                            SourceType = "local",
                        }),
                    ],
                }
            )
        );

    public Task<Manifest?> ManifestOfAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        Task.FromResult<Manifest?>(Manifest.Create([new ManifestFile("MLmodel", 1, Digest.Of("x"))]).Value);

    public Task<VersionEvidence?> OfAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        Task.FromResult(Facts.Evidence);

    public Task<byte[]?> DocumentAsync(
        ModelVersionRef version,
        EvidenceKind kind,
        CancellationToken cancellationToken
    ) => Task.FromResult<byte[]?>(Facts.SignatureVerified is null ? null : "bundle"u8.ToArray());

    public Task<IReadOnlyDictionary<Digest, DatasetView>> FindManyAsync(
        IReadOnlyCollection<Digest> sha256,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<IReadOnlyDictionary<Digest, DatasetView>>(
            Facts.Datasets.Where(item => sha256.Contains(item.Sha256)).ToDictionary(item => item.Sha256)
        );

    public Task<ILookup<Digest, DerivationView>> DerivationsOfAsync(
        IReadOnlyCollection<Digest> outputs,
        CancellationToken cancellationToken
    ) => Task.FromResult(Facts.Derivations.Where(step => outputs.Contains(step.Output)).ToLookup(step => step.Output));

    public Task<IReadOnlyList<DecisionView>> DecisionsOfAsync(
        ModelVersionRef version,
        int first,
        CancellationToken cancellationToken
    ) => Task.FromResult<IReadOnlyList<DecisionView>>([.. Facts.Decisions.Select(fact => fact.Decision)]);

    public Task<Page<RequestView>> ListRequestsAsync(
        Func<AccessTarget, bool> visible,
        string? model,
        string? state,
        int first,
        string? after,
        CancellationToken cancellationToken
    ) => Task.FromResult(new Page<RequestView>(Facts.Requests, null));

    public Task<IReadOnlyList<Guid>> ReceiptsOfAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        Task.FromResult(Facts.Receipts);

    public Task<IReadOnlyList<PromotionStatement>> StatementsOfAsync(
        ModelVersionRef version,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException();

    public ValueTask<IPromotionPolicy> PromotionAsync(CancellationToken cancellationToken) => new(this);

    public Task<IPromotionPolicy?> FindPromotionAsync(Digest digest, CancellationToken cancellationToken) =>
        Task.FromResult<IPromotionPolicy?>(Replayed is null ? null : this);

    public Digest Digest => Facts.PolicyDigest;

    public bool IsProtected(string target) => Facts.ProtectedHoldings.Contains(target);

    public Decision Decide(Facts facts) => new(Replayed!.Value, [], [], "rule");

    public Facts Decode(JsonObject json) => null!;

    public Task<IReadOnlyDictionary<Guid, AuditEntry>> FindAsync(
        IReadOnlyCollection<Guid> ids,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<IReadOnlyDictionary<Guid, AuditEntry>>(
            ids.Where(id => !Facts.Log.Absent.Contains(id)).ToDictionary(id => id, id => Entry(id, "p-x"))
        );

    public Task<InclusionProof?> ProveAsync(Guid entryId, CancellationToken cancellationToken) =>
        Task.FromResult(
            Facts.Log.Unproven.Contains(entryId) ? null : new InclusionProof(0, default, [], Sample.Checkpoint)
        );

    public Task<InclusionProof?> AwaitProofAsync(Guid entryId, TimeSpan atMost, CancellationToken cancellationToken) =>
        ProveAsync(entryId, cancellationToken);

    public Task<Page<AuditEntry>> QueryAsync(AuditQuery query, CancellationToken cancellationToken) =>
        Task.FromResult(
            new Page<AuditEntry>(
                [
                    .. Enumerable
                        .Range(0, Facts.Log.Done)
                        .Select(i => Entry(Sample.Entry(100 + i), i < Facts.Log.Anonymous ? "anonymous" : "p-x")),
                ],
                null
            )
        );

    public Task<string?> CheckpointAsync(CancellationToken cancellationToken) => Task.FromResult(Facts.Log.Checkpoint);

    private static AuditEntry Entry(Guid id, string actor) =>
        new(id, 0, Sample.Time, "registry.version_created", actor, "", "done", "{}", new byte[32]);

    string IDatasets.RulesVersion => "privacy-1";

    string IPromotionPolicy.LastEditor => "system";

    TimeSpan IPromotionPolicy.ApprovalLifetime => TimeSpan.FromDays(1);

    IReadOnlyList<string> IPromotionPolicy.ApproverRoles(string target) => throw Unused();

    JsonObject IDecisionCodec.Encode(Facts facts) => throw Unused();

    ValueTask<(string Text, Digest Digest)> IPolicies.TextAsync(string name, CancellationToken cancellationToken) =>
        throw Unused();

    ValueTask<SignersPolicy> IPolicies.SignersAsync(CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    Task<Digest> IPolicies.SignersDigestAsync(WriteSession session, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    Task<Digest> IPolicies.PromotionDigestAsync(WriteSession session, CancellationToken cancellationToken) =>
        throw Unused();

    Task<string?> IRegistryReader.ModelOwnerAsync(string name, CancellationToken cancellationToken) => throw Unused();

    Task<string?> IRegistryReader.ExperimentOwnerAsync(string name, CancellationToken cancellationToken) =>
        throw Unused();

    Task<ModelView?> IRegistryReader.FindModelAsync(string name, CancellationToken cancellationToken) => throw Unused();

    Task<ModelView?> IRegistryReader.FindModelAsync(
        string name,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<IReadOnlyDictionary<string, RunView>> IRegistryReader.FindRunsAsync(
        IReadOnlyCollection<string> runIds,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<Page<ModelView>> IRegistryReader.ListModelsAsync(
        Func<AccessTarget, bool> visible,
        string? nameContains,
        int first,
        string? after,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<ILookup<string, VersionView>> IRegistryReader.VersionsOfAsync(
        IReadOnlyCollection<string> models,
        int firstPerModel,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<IReadOnlyDictionary<ModelVersionRef, VersionView>> IRegistryReader.FindVersionsAsync(
        IReadOnlyCollection<ModelVersionRef> versions,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<IArtifactSource?> IRegistryReader.OpenAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        throw Unused();

    Task<InclusionProof?> IAuditLog.ReceiptProofAsync(
        Guid entryId,
        TimeSpan atMost,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<string?> IAuditLog.CosignedCheckpointAsync(CancellationToken cancellationToken) => throw Unused();

    Task<IReadOnlyList<WitnessView>> IAuditLog.WitnessesAsync(CancellationToken cancellationToken) => throw Unused();

    Task<IReadOnlyList<string>> IAuditLog.CheckpointsAsync(
        long afterSize,
        int first,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<Result<ConsistencyProof>> IAuditLog.ProveConsistencyAsync(
        long from,
        long to,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<byte[]?> IAuditLog.TileAsync(string level, string rest, CancellationToken cancellationToken) => throw Unused();

    Task<IReadOnlyList<VersionView>> IRegistryReader.StageHoldersAsync(
        string model,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<byte[]?> IEvidence.AttestationAsync(
        ModelVersionRef version,
        EvidenceKind kind,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException();

    Task<Digest> IEvidence.DigestAsync(
        WriteSession session,
        VersionView version,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<IReadOnlyList<ModelVersionRef>> IRegistryReader.VersionsTrainedOnAsync(
        Digest dataset,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<IReadOnlyDictionary<ModelVersionRef, VersionEvidence>> IEvidence.OfManyAsync(
        IReadOnlyCollection<ModelVersionRef> versions,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<DatasetView?> IDatasets.FindAsync(Digest sha256, CancellationToken cancellationToken) => throw Unused();

    Task<Page<DatasetView>> IDatasets.ListAsync(
        Func<AccessTarget, bool> visible,
        int first,
        string? after,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<PrivacyVerdict> IDatasets.JudgeAsync(
        IReadOnlyList<PrivacyInput> inputs,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<Result<DatasetView>> IDatasets.UploadAsync(
        Actor actor,
        string name,
        string format,
        Stream content,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<Result<DatasetView>> IDatasets.DeclareAsync(
        Actor actor,
        Digest sha256,
        DatasetDeclaration declaration,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<Result<DatasetView>> IDatasets.AnonymiseAsync(
        Actor actor,
        Digest sha256,
        string outputName,
        IReadOnlyList<ColumnTreatment> treatments,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<Result<DerivationView>> IDatasets.DeriveAsync(
        Actor actor,
        IReadOnlyList<Digest> inputs,
        Digest output,
        string description,
        IReadOnlyDictionary<string, IReadOnlyList<string>> columns,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<Result<RequestView>> IPromotions.RequestAsync(
        Actor actor,
        Move move,
        string reason,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<Result<RequestView>> IPromotions.ReviewAsync(
        Actor actor,
        Guid requestId,
        bool approve,
        string comment,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<Result<RequestView>> IPromotions.WithdrawAsync(
        Actor actor,
        Guid requestId,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<RequestView?> IPromotions.FindRequestAsync(
        Guid id,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    ) => throw Unused();

    Task<JsonObject?> IPromotions.ReceiptAsync(Guid receiptId, CancellationToken cancellationToken) => throw Unused();

    private static NotSupportedException Unused() => new("Reports don't use this.");
}

/// <summary>Grants by actor id.</summary>
internal sealed class FakeAccess : IAccess
{
    private static readonly Dictionary<string, RoleDefinition> Roles = new()
    {
        ["auditor"] = new("auditor", Names("model:read", "report:create", "report:read"), Names()),
        ["viewer"] = new("viewer", Names("model:read"), Names()),
        ["blind-auditor"] = new("blind-auditor", Names("report:create", "report:read"), Names()),
    };

    public Dictionary<string, RoleGrant> Grants { get; } = new();

    public ValueTask<Rights> RightsOfAsync(Actor actor, CancellationToken cancellationToken) =>
        new(new Rights(actor, Grants.TryGetValue(actor.Id, out var grant) ? [grant] : [], Roles));

    public Task<Rights> RightsNowAsync(Actor actor, CancellationToken cancellationToken) =>
        RightsOfAsync(actor, cancellationToken).AsTask();

    private static HashSet<string> Names(params string[] names) => [.. names];
}

/// <summary>A signer and verifier with a real ECDSA key and the least bundle: {payload, sig, mediaType}.</summary>
internal sealed class FakeSigner : ISigner, IVerifier, ISignatureJournal, IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public string PublicKeyPem => _key.ExportSubjectPublicKeyInfoPem() + "\n";

    public string KeyHint => Digest.Of(PublicKeyPem).Hex;

    public byte[] TrustedRoot => System.Text.Encoding.UTF8.GetBytes(PublicKeyPem);

    public byte[] ClientTrustConfig => [];

    public bool ModelVerifies { get; set; } = true;

    public Task<byte[]> SignModelAsync(
        string name,
        Manifest manifest,
        string registrant,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException();

    public SignerPolicy PolicyFor(string registrant) => SignerPolicy.Anybody;

    public Task RecordAsync(WriteSession session, byte[] bundle, string subject, CancellationToken cancellationToken) =>
        Task.CompletedTask;

    public bool IsFor(VerifiedStatement statement, string registrant) => true;

    public Result<VerifiedStatement> VerifyArriving(
        ReadOnlySpan<byte> bundle,
        Manifest manifest,
        ReadOnlySpan<byte> trustedRoot
    ) => throw new NotSupportedException();

    public Result<VerifiedStatement> VerifyArrivingByKey(
        ReadOnlySpan<byte> bundle,
        Manifest manifest,
        string publicKeyPem
    ) => throw new NotSupportedException();

    public byte[] SignLoggedStatement(JsonObject statement) => SignStatement(statement);

    public byte[] SignStatement(JsonObject statement)
    {
        var payload = CanonicalJson.Serialize(statement);
        return CanonicalJson.Serialize(
            new JsonObject
            {
                ["payload"] = Convert.ToBase64String(payload),
                ["sig"] = Convert.ToBase64String(_key.SignData(payload, HashAlgorithmName.SHA256)),
                ["mediaType"] = "not checked by this verifier",
            }
        );
    }

    public Result<VerifiedStatement> VerifyModel(
        ReadOnlySpan<byte> bundle,
        Manifest manifest,
        ReadOnlySpan<byte> trustedRoot,
        SignerPolicy policy
    ) => ModelVerifies ? new VerifiedStatement([], KeyHint) : Failure.Invalid("signing.bad", "It doesn't verify.");

    public Result<VerifiedStatement> VerifyStatement(ReadOnlySpan<byte> bundle, ReadOnlySpan<byte> trustedRoot)
    {
        using var key = ECDsa.Create();
        key.ImportFromPem(System.Text.Encoding.UTF8.GetString(trustedRoot));
        try
        {
            var members = CanonicalJson.TryParse(bundle) as JsonObject;
            var payload = Convert.FromBase64String(members!["payload"]!.GetValue<string>());
            var signature = Convert.FromBase64String(members["sig"]!.GetValue<string>());
            return key.VerifyData(payload, signature, HashAlgorithmName.SHA256)
                ? new VerifiedStatement((JsonObject)CanonicalJson.TryParse(payload)!, KeyHint)
                : Failure.Invalid("signing.bad", "It doesn't verify.");
        }
        catch (Exception error) when (error is FormatException or NullReferenceException or InvalidOperationException)
        {
            return Failure.Invalid("signing.bad", "It doesn't verify.");
        }
    }

    public void Dispose() => _key.Dispose();
}
