using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Compliance.Contracts;
using Governance.Evidence.Contracts;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Lineage.Contracts;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Platform.Graph;
using Governance.Platform.Logging;
using Governance.Privacy.Contracts;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;

namespace Governance.Gateway.Tests.GraphQl;

/// <summary>A small invented world behind all ports, which counts how often it is asked.</summary>
internal sealed class World
{
    public static readonly DateTimeOffset Then = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private readonly Dictionary<string, int> _calls = [];

    public List<ModelView> Models { get; } = [];

    public List<VersionView> Versions { get; } = [];

    public Dictionary<string, RunView> Runs { get; } = [];

    public Dictionary<Digest, DatasetView> Datasets { get; } = [];

    public List<RequestView> Requests { get; } = [];

    public List<LogEntry> Log { get; } = [];

    public List<GraphEdge> Edges { get; } = [];

    public List<(Actor Actor, Move Move)> Moves { get; } = [];

    public Failure? NextFailure { get; set; }

    public bool LogBroken { get; set; }

    public Exception? ThrowOnModels { get; set; }

    public TimeSpan Delay { get; set; }

    public bool SawCancellation { get; set; }

    public IReadOnlyDictionary<string, int> Calls => _calls;

    public void Called(string what)
    {
        lock (_calls)
        {
            _calls[what] = _calls.GetValueOrDefault(what) + 1;
        }
    }

    public void Forget() => _calls.Clear();

    /// <summary>A model with versions, each with a run of its own and one dataset shared by all of the model.</summary>
    public void Add(string model, int versions, string owner = "alice", string? dataset = null)
    {
        var digest = Digest.Of(dataset ?? $"data of {model}");
        Datasets.TryAdd(
            digest,
            new DatasetView
            {
                Sha256 = digest,
                Name = dataset ?? $"data-{model}",
                OwnerId = owner,
                Format = "csv",
                Size = 10,
                Rows = 2,
                ScanState = "SCANNED",
                Verdict = new PrivacyVerdict(PrivacyOutcome.Fail, ["Column email holds EMAIL in clear."], "1"),
                Columns = [new ColumnFinding("email", "EMAIL", "raw", "direct", "checksum", 2, 2)],
                Anonymity = null,
                LegalBasis = null,
                Purpose = null,
                DerivedFrom = [],
                CreatedAt = Then,
                Retained = false,
            }
        );
        Models.Add(
            new ModelView
            {
                Name = model,
                Id = Guid.CreateVersion7(Then),
                OwnerId = owner,
                Description = "",
                CreatedAt = Then,
                UpdatedAt = Then,
                Tags = new Dictionary<string, string>(),
                Aliases = new Dictionary<string, int> { ["champion"] = 1 },
            }
        );
        for (var version = 1; version <= versions; version++)
        {
            var run = $"run-{model}-{version}";
            Runs[run] = new RunView
            {
                RunId = run,
                Name = run,
                ExperimentId = "1",
                ExperimentName = "exp-" + model,
                OwnerId = owner,
                Status = "FINISHED",
                StartedAt = Then,
                EndedAt = Then,
                Params = new Dictionary<string, string> { ["C"] = "1" },
                Metrics = new Dictionary<string, double> { ["auc"] = 0.9, ["broken"] = double.NaN },
                Tags = new Dictionary<string, string>(),
                Inputs =
                [
                    new RunInput
                    {
                        Name = "people",
                        MlflowDigest = "abcd1234",
                        Context = "training",
                        DatasetSha256 = digest,
                        SourceType = "governance",
                    },
                ],
            };
            Versions.Add(
                new VersionView
                {
                    Ref = new ModelVersionRef(model, version),
                    ModelId = Models[^1].Id,
                    OwnerId = owner,
                    RegisteredBy = owner,
                    Status = VersionStatus.Ready,
                    StatusMessage = "",
                    Quarantined = false,
                    Stage = "None",
                    Aliases = [],
                    Source = $"runs:/{run}/model",
                    RunId = run,
                    LoggedModelId = null,
                    Description = "",
                    Tags = new Dictionary<string, string> { ["task"] = "fraud" },
                    ManifestDigest = Digest.Of("manifest"),
                    EvidenceSubject = Digest.Of($"{model}/{version}"),
                    CreatedAt = Then,
                    UpdatedAt = Then,
                }
            );
            Edges.Add(
                new GraphEdge(
                    new GraphNode(Urn.Dataset(digest), GraphNodeKind.Dataset, "data"),
                    new GraphNode(Urn.Run(run), GraphNodeKind.Run, run),
                    GraphVerb.Used,
                    GraphGrade.Observed
                )
            );
            Edges.Add(
                new GraphEdge(
                    new GraphNode(Urn.Run(run), GraphNodeKind.Run, run),
                    new GraphNode(Urn.Version(new(model, version)), GraphNodeKind.Version, $"{model} {version}"),
                    GraphVerb.Generated,
                    GraphGrade.Observed
                )
            );
        }
    }

    public RequestView Request(string model, int version, string by = "alice") =>
        new()
        {
            Id = Guid.CreateVersion7(Then),
            Version = new ModelVersionRef(model, version),
            Target = "stage:Production",
            State = "open",
            RequestedBy = by,
            Reason = "",
            EvidenceSubject = Digest.Of("subject"),
            PolicyDigest = Digest.Of("policy"),
            EvidenceDigest = Digest.Of("evidence"),
            CreatedAt = Then,
            Approvals = [],
            ReceiptId = null,
        };
}

internal sealed class FakeAccess : IAccess
{
    private static readonly Dictionary<string, RoleDefinition> Roles = new RoleDefinition[]
    {
        new("viewer", Metadata, new HashSet<string>()),
        new(
            "auditor",
            new HashSet<string>([.. Metadata, "finding:read", "audit:read", "report:read", "report:create"]),
            None
        ),
        new(
            "manager",
            new HashSet<string>([.. Metadata, "promotion:request", "promotion:approve", "promotion:carry-out"]),
            None
        ),
        new("officer", new HashSet<string>([.. Metadata, "finding:read", "dataset:declare", "dataset:write"]), None),
        new("nobody", None, None),
    }.ToDictionary(role => role.Name);

    private static HashSet<string> None => [];

    private static HashSet<string> Metadata =>
        [
            "experiment:read",
            "model:read",
            "dataset:read",
            "evidence:read",
            "lineage:read",
            "promotion:read",
            "policy:read",
        ];

    /// <summary>The token is the list of grants: <c>auditor</c> or <c>viewer@model=fraud-*</c>, joined by <c>+</c>.</summary>
    public ValueTask<Rights> RightsOfAsync(Actor actor, CancellationToken cancellationToken) =>
        ValueTask.FromResult(new Rights(actor, actor.Id.Split('+').Select(Parse), Roles));

    public Task<Rights> RightsNowAsync(Actor actor, CancellationToken cancellationToken) =>
        RightsOfAsync(actor, cancellationToken).AsTask();

    private static RoleGrant Parse(string text) =>
        text.Split('@', '=') is [var role, var kind, var pattern]
            ? new RoleGrant(role, Enum.Parse<ObjectKind>(kind, ignoreCase: true), pattern)
            : new RoleGrant(text, ObjectKind.None, "");
}

/// <summary>A grant <c>stale</c> is an old sign-in, a grant <c>bearer</c> a token that is bound to nothing.</summary>
internal sealed class FakeStepUp : IStepUp
{
    public Failure? Check(Actor actor) =>
        actor.Id.Contains("+stale", StringComparison.Ordinal)
            ? new Failure(FailureKind.Reauthenticate, "identity.reauthentication_needed", "Sign in again.")
            {
                MaxAge = TimeSpan.FromMinutes(15),
            }
            : null;

    public Failure? Check(Actor actor, Permission permission) =>
        permission == Permissions.PromotionApprove ? Check(actor) : null;

    public Failure? CheckBinding(Actor actor, Permission permission) =>
        permission == Permissions.AuditRead && actor.Id.Contains("+bearer", StringComparison.Ordinal)
            ? new Failure(FailureKind.Reauthenticate, "identity.bound_token_needed", "Bind it.")
            : null;
}

internal sealed class FakeWriter(World world) : IWriter, ILogAppender, IGraphWriter
{
    public Task<Result<T>> WriteAsync<T>(
        Func<WriteSession, CancellationToken, Task<Result<T>>> work,
        CancellationToken cancellationToken
    )
    {
        world.Called("write");
        return work(new WriteSession(null!, World.Then, this, this), cancellationToken);
    }

    public Task<IReadOnlyList<Guid>> AppendAsync(
        GovernanceDb db,
        IReadOnlyCollection<LogEntry> entries,
        DateTimeOffset now,
        CancellationToken cancellationToken
    )
    {
        if (world.LogBroken)
        {
            throw new IOException("disk full at /var/secret");
        }

        world.Log.AddRange(entries);
        return Task.FromResult<IReadOnlyList<Guid>>([.. entries.Select(_ => Guid.CreateVersion7(now))]);
    }

    public Task<IReadOnlyList<string>> LastSealedAsync(GovernanceDb db, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<string>>([]);

    public Task LinkAsync(
        GovernanceDb db,
        GraphEdge edge,
        Guid entryId,
        DateTimeOffset now,
        CancellationToken cancellationToken
    ) => Task.CompletedTask;
}

internal sealed class FakeRegistry(World world) : IRegistryReader, IMoveGate
{
    public async Task<ModelView?> FindModelAsync(
        string name,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    ) => await FindModelAsync(name, cancellationToken) is { } model && visible(model.Target) ? model : null;

    public async Task<IReadOnlyDictionary<string, RunView>> FindRunsAsync(
        IReadOnlyCollection<string> runIds,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    ) =>
        (await FindRunsAsync(runIds, cancellationToken))
            .Where(run => visible(run.Value.Target))
            .ToDictionary(run => run.Key, run => run.Value);

    public Task<ModelView?> FindModelAsync(string name, CancellationToken cancellationToken)
    {
        world.Called("model");
        return Task.FromResult(world.Models.Find(model => model.Name == name));
    }

    public async Task<string?> ModelOwnerAsync(string name, CancellationToken cancellationToken) =>
        (await FindModelAsync(name, cancellationToken))?.OwnerId;

    public Task<string?> ExperimentOwnerAsync(string name, CancellationToken cancellationToken) =>
        Task.FromResult<string?>(null);

    public async Task<Page<ModelView>> ListModelsAsync(
        Func<AccessTarget, bool> visible,
        string? nameContains,
        int first,
        string? after,
        CancellationToken cancellationToken
    )
    {
        world.Called("models");
        if (world.ThrowOnModels is { } fault)
        {
            throw fault;
        }

        if (world.Delay > TimeSpan.Zero)
        {
            try
            {
                await Task.Delay(world.Delay, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                world.SawCancellation = true;
                throw;
            }
        }

        return new Page<ModelView>([.. world.Models.Where(model => visible(model.Target)).Take(first)], null);
    }

    public Task<VersionView?> FindVersionAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        throw new InvalidOperationException("One at a time is never right in GraphQL.");

    public Task<VersionView?> FindVersionByIdAsync(Guid modelId, int version, CancellationToken cancellationToken) =>
        throw new InvalidOperationException("One at a time is never right in GraphQL.");

    public Task<ILookup<string, VersionView>> VersionsOfAsync(
        IReadOnlyCollection<string> models,
        int firstPerModel,
        CancellationToken cancellationToken
    )
    {
        world.Called("versions of models");
        return Task.FromResult(
            world
                .Versions.Where(version => models.Contains(version.Ref.Model))
                .GroupBy(version => version.Ref.Model)
                .SelectMany(group => group.OrderByDescending(version => version.Ref.Version).Take(firstPerModel))
                .ToLookup(version => version.Ref.Model)
        );
    }

    public Task<IReadOnlyDictionary<ModelVersionRef, VersionView>> FindVersionsAsync(
        IReadOnlyCollection<ModelVersionRef> versions,
        CancellationToken cancellationToken
    )
    {
        world.Called("versions");
        return Task.FromResult<IReadOnlyDictionary<ModelVersionRef, VersionView>>(
            world.Versions.Where(version => versions.Contains(version.Ref)).ToDictionary(version => version.Ref)
        );
    }

    public Task<IReadOnlyDictionary<string, RunView>> FindRunsAsync(
        IReadOnlyCollection<string> runIds,
        CancellationToken cancellationToken
    )
    {
        world.Called("runs");
        return Task.FromResult<IReadOnlyDictionary<string, RunView>>(
            runIds.Where(world.Runs.ContainsKey).ToDictionary(id => id, id => world.Runs[id])
        );
    }

    public Task<Manifest?> ManifestOfAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        Task.FromResult<Manifest?>(Manifest.Create([new ManifestFile("model.pkl", 3, Digest.Of("abc"))]).Value);

    public Task<IArtifactSource?> OpenAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task<IReadOnlyList<VersionView>> StageHoldersAsync(string model, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task<IReadOnlyList<ModelVersionRef>> VersionsTrainedOnAsync(
        Digest dataset,
        CancellationToken cancellationToken
    )
    {
        world.Called("trained on");
        return Task.FromResult<IReadOnlyList<ModelVersionRef>>([
            .. world
                .Versions.Where(version =>
                    world.Runs[version.RunId!].Inputs.Any(input => input.DatasetSha256 == dataset)
                )
                .Select(version => version.Ref),
        ]);
    }

    public Task<Result<MoveOutcome>> MoveAsync(Actor actor, Move move, CancellationToken cancellationToken)
    {
        world.Moves.Add((actor, move));
        return Task.FromResult<Result<MoveOutcome>>(
            world.NextFailure is { } failure
                ? failure
                : new MoveOutcome(world.Versions.Find(version => version.Ref == move.Version), Guid.Empty)
        );
    }
}

internal sealed class FakeEvidence(World world) : IEvidence
{
    public Task<VersionEvidence?> OfAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        throw new InvalidOperationException("One at a time is never right in GraphQL.");

    public Task<IReadOnlyDictionary<ModelVersionRef, VersionEvidence>> OfManyAsync(
        IReadOnlyCollection<ModelVersionRef> versions,
        CancellationToken cancellationToken
    )
    {
        world.Called("evidence");
        return Task.FromResult<IReadOnlyDictionary<ModelVersionRef, VersionEvidence>>(
            versions.ToDictionary(
                version => version,
                version => new VersionEvidence(
                    version,
                    Digest.Of("subject"),
                    Digest.Of("manifest"),
                    [
                        .. Enum.GetValues<EvidenceKind>()
                            .Select(kind => new EvidenceItem
                            {
                                Kind = kind,
                                Outcome = EvidenceOutcome.Passed,
                                Subject = Digest.Of("subject"),
                                RulesVersion = "1",
                                Class = "clean",
                                Summary = "Nothing found.",
                                Reasons = [],
                                Document = null,
                                ProducedAt = World.Then,
                                EntryId = Guid.Empty,
                            }),
                    ],
                    Digest.Of("evidence")
                )
            )
        );
    }

    public Task<Digest> DigestAsync(WriteSession session, VersionView version, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task<byte[]?> AttestationAsync(
        ModelVersionRef version,
        EvidenceKind kind,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException();

    public Task<byte[]?> DocumentAsync(
        ModelVersionRef version,
        EvidenceKind kind,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException();
}

internal sealed class FakeDatasets(World world) : IDatasets
{
    public string RulesVersion => "1";

    public IReadOnlyDictionary<string, IReadOnlyList<string>>? DerivedColumns { get; private set; }

    public Task<DatasetView?> FindAsync(Digest sha256, CancellationToken cancellationToken) =>
        Task.FromResult(world.Datasets.GetValueOrDefault(sha256));

    public Task<IReadOnlyDictionary<Digest, DatasetView>> FindManyAsync(
        IReadOnlyCollection<Digest> sha256,
        CancellationToken cancellationToken
    )
    {
        world.Called("datasets");
        return Task.FromResult<IReadOnlyDictionary<Digest, DatasetView>>(
            sha256.Where(world.Datasets.ContainsKey).ToDictionary(digest => digest, digest => world.Datasets[digest])
        );
    }

    public Task<Page<DatasetView>> ListAsync(
        Func<AccessTarget, bool> visible,
        int first,
        string? after,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult(
            new Page<DatasetView>([.. world.Datasets.Values.Where(d => visible(d.Target)).Take(first)], null)
        );

    public Task<PrivacyVerdict> JudgeAsync(IReadOnlyList<PrivacyInput> inputs, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task<Result<DatasetView>> UploadAsync(
        Actor actor,
        string name,
        string format,
        Stream content,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException();

    public Task<Result<DatasetView>> DeclareAsync(
        Actor actor,
        Digest sha256,
        DatasetDeclaration declaration,
        CancellationToken cancellationToken
    ) => Answer(sha256);

    public Task<Result<DatasetView>> AnonymiseAsync(
        Actor actor,
        Digest sha256,
        string outputName,
        IReadOnlyList<ColumnTreatment> treatments,
        CancellationToken cancellationToken
    ) => Answer(sha256);

    public Task<Result<DerivationView>> DeriveAsync(
        Actor actor,
        IReadOnlyList<Digest> inputs,
        Digest output,
        string description,
        IReadOnlyDictionary<string, IReadOnlyList<string>> columns,
        CancellationToken cancellationToken
    )
    {
        DerivedColumns = columns;
        return Task.FromResult<Result<DerivationView>>(
            new DerivationView(Guid.Empty, inputs, output, description, columns, "declared")
        );
    }

    public Task<ILookup<Digest, DerivationView>> DerivationsOfAsync(
        IReadOnlyCollection<Digest> outputs,
        CancellationToken cancellationToken
    )
    {
        world.Called("derivations");
        return Task.FromResult(Array.Empty<DerivationView>().ToLookup(view => view.Output));
    }

    private Task<Result<DatasetView>> Answer(Digest sha256) =>
        Task.FromResult<Result<DatasetView>>(
            world.Datasets.TryGetValue(sha256, out var view)
                ? view
                : Failure.NotFound("privacy.not_found", "No such dataset.")
        );
}

internal sealed class FakePromotions(World world) : IPromotions
{
    public Task<Result<RequestView>> RequestAsync(
        Actor actor,
        Move move,
        string reason,
        CancellationToken cancellationToken
    ) => Task.FromResult<Result<RequestView>>(world.Request(move.Version.Model, move.Version.Version, actor.Id));

    public Task<Result<RequestView>> ReviewAsync(
        Actor actor,
        Guid requestId,
        bool approve,
        string comment,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<Result<RequestView>>(
            world.Requests.Find(request => request.Id == requestId) is { } found
                ? found
                : Failure.NotFound("promotion.request_not_found", "No such request.")
        );

    public Task<Result<RequestView>> WithdrawAsync(Actor actor, Guid requestId, CancellationToken cancellationToken) =>
        ReviewAsync(actor, requestId, approve: false, "", cancellationToken);

    public Task<RequestView?> FindRequestAsync(
        Guid id,
        Func<AccessTarget, bool> visible,
        CancellationToken cancellationToken
    ) => Task.FromResult(world.Requests.Find(request => request.Id == id));

    public Task<Page<RequestView>> ListRequestsAsync(
        Func<AccessTarget, bool> visible,
        string? model,
        string? state,
        int first,
        string? after,
        CancellationToken cancellationToken
    )
    {
        world.Called("requests");
        return Task.FromResult(
            new Page<RequestView>(
                [
                    .. world.Requests.Where(request =>
                        visible(world.Models.Find(m => m.Name == request.Version.Model)!.Target)
                        && (model is null || request.Version.Model == model)
                    ),
                ],
                null
            )
        );
    }

    public Task<IReadOnlyList<DecisionView>> DecisionsOfAsync(
        ModelVersionRef version,
        int first,
        CancellationToken cancellationToken
    ) => Task.FromResult<IReadOnlyList<DecisionView>>([]);

    public Task<JsonObject?> ReceiptAsync(Guid receiptId, CancellationToken cancellationToken) =>
        Task.FromResult<JsonObject?>(new JsonObject { ["statement"] = "signed" });

    public Task<IReadOnlyList<Guid>> ReceiptsOfAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<Guid>>([Guid.Empty]);

    public Task<IReadOnlyList<PromotionStatement>> StatementsOfAsync(
        ModelVersionRef version,
        CancellationToken cancellationToken
    ) => Task.FromResult<IReadOnlyList<PromotionStatement>>([]);
}

internal sealed class FakeAttestations : IAttestations
{
    public Task<IReadOnlyList<AttestationView>> OfAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<AttestationView>>([
            new AttestationView("sbom", "https://cyclonedx.org/bom", Digest.Of("bundle"), World.Then, Guid.Empty),
        ]);

    public Task<byte[]?> BundleAsync(ModelVersionRef version, string id, CancellationToken cancellationToken) =>
        throw new NotSupportedException();
}

internal sealed class FakeReports : IReports
{
    public IReadOnlyList<string> Regulations => ["gdpr", "lgpd"];

    public Task<IReadOnlyList<ControlResult>?> EvaluateAsync(
        ModelVersionRef version,
        string regulation,
        CancellationToken cancellationToken
    ) =>
        Task.FromResult<IReadOnlyList<ControlResult>?>([
            new ControlResult("GDPR-1", "Art. 5", "Know what you process.", ControlState.Gap, "Nothing is known.", []),
        ]);

    public Task<Result<ReportView>> CreateAsync(
        Actor actor,
        string regulation,
        ModelVersionRef version,
        CancellationToken cancellationToken
    ) => Task.FromResult<Result<ReportView>>(new ReportView(Guid.Empty, regulation, version, World.Then, actor.Id));
}

internal sealed class FakeAuditLog(World world) : IAuditLog
{
    public Task<Page<AuditEntry>> QueryAsync(AuditQuery query, CancellationToken cancellationToken)
    {
        world.Called("log");
        return Task.FromResult(
            new Page<AuditEntry>(
                [
                    new AuditEntry(
                        Guid.Empty,
                        0,
                        World.Then,
                        "registry.moved",
                        "alice",
                        "version:a/1",
                        "done",
                        "{}",
                        new byte[32]
                    ),
                ],
                null
            )
        );
    }

    public Task<IReadOnlyDictionary<Guid, AuditEntry>> FindAsync(
        IReadOnlyCollection<Guid> ids,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException();

    public Task<InclusionProof?> ProveAsync(Guid entryId, CancellationToken cancellationToken) =>
        Task.FromResult<InclusionProof?>(new InclusionProof(0, Digest.Of("leaf"), [Digest.Of("other")], "note"));

    public Task<InclusionProof?> AwaitProofAsync(Guid entryId, TimeSpan atMost, CancellationToken cancellationToken) =>
        ProveAsync(entryId, cancellationToken);

    public Task<IReadOnlyList<string>> CheckpointsAsync(
        long afterSize,
        int first,
        CancellationToken cancellationToken
    ) => throw new NotSupportedException();

    public Task<Result<ConsistencyProof>> ProveConsistencyAsync(
        long from,
        long to,
        CancellationToken cancellationToken
    ) => Task.FromResult<Result<ConsistencyProof>>(new ConsistencyProof(from, to, []));

    public Task<byte[]?> TileAsync(string level, string rest, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public Task<string?> CheckpointAsync(CancellationToken cancellationToken) => Task.FromResult<string?>("note");

    public Task<InclusionProof?> ReceiptProofAsync(
        Guid entryId,
        TimeSpan atMost,
        CancellationToken cancellationToken
    ) => ProveAsync(entryId, cancellationToken);

    public Task<string?> CosignedCheckpointAsync(CancellationToken cancellationToken) =>
        Task.FromResult<string?>("cosigned");

    public Task<IReadOnlyList<WitnessView>> WitnessesAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<WitnessView>>([
            new WitnessView("witness.example/w1", "witness.example/w1+00000000+BA==", 42, World.Then, false),
        ]);
}

/// <summary>Walks the world's edges in memory, level by level.</summary>
internal sealed class FakeLineage(World world) : ILineage
{
    public Task<Subgraph?> WalkAsync(
        string startUrn,
        Direction direction,
        int depth,
        int maxNodes,
        Func<GraphNode, bool> visible,
        CancellationToken cancellationToken
    ) => throw new InvalidOperationException("GraphQL looks up what is visible.");

    public async Task<Subgraph?> WalkAsync(
        string startUrn,
        Direction direction,
        int depth,
        int maxNodes,
        VisibleNodes visible,
        CancellationToken cancellationToken
    )
    {
        var start = world.Edges.SelectMany(edge => new[] { edge.From, edge.To }).FirstOrDefault(n => n.Urn == startUrn);
        if (start is null || (await visible([start], cancellationToken)).Count == 0)
        {
            return null;
        }

        var nodes = new List<GraphNode> { start };
        var edges = new List<SubgraphEdge>();
        var level = nodes.ToList();
        for (var i = 0; i < depth && level.Count > 0; i++)
        {
            var touched = world
                .Edges.Where(edge =>
                    (direction != Direction.Up && level.Contains(edge.From))
                    || (direction != Direction.Down && level.Contains(edge.To))
                )
                .ToList();
            var next = touched.SelectMany(edge => new[] { edge.From, edge.To }).Except(nodes).ToList();
            var seen = next.Count == 0 ? new HashSet<string>() : await visible(next, cancellationToken);
            level = [.. next.Where(node => seen.Contains(node.Urn))];
            nodes.AddRange(level);
            edges.AddRange(
                touched
                    .Where(edge => nodes.Contains(edge.From) && nodes.Contains(edge.To))
                    .Select(edge => new SubgraphEdge(edge.From.Urn, edge.To.Urn, edge.Verb, edge.Grade, Guid.Empty))
            );
        }

        return new Subgraph(nodes, [.. edges.Distinct()], null, []);
    }
}
