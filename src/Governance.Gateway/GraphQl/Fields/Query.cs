using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Compliance.Contracts;
using Governance.Gateway.Access;
using Governance.Gateway.GraphQl.Guard;
using Governance.Gateway.GraphQl.Loading;
using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Lineage.Contracts;
using Governance.Platform.Graph;
using Governance.Privacy.Contracts;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;
using GraphQL;
using GraphQL.DataLoader;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>Who you are and what you may do.</summary>
[Name("Me")]
[Needs("self:read")]
internal sealed class MeFields(Caller caller)
{
    /// <summary>Your pseudonym: how log entries and signatures name you.</summary>
    [Id]
    public string Id => caller.Actor.Id;

    /// <summary>Person, service or the gateway itself.</summary>
    public ActorKind Kind => caller.Actor.Kind;

    /// <summary>When you last proved who you are, UTC; null for services.</summary>
    public DateTimeOffset? AuthenticatedAt => caller.Actor.AuthenticatedAt;

    /// <summary>What you are granted, directly or through a group.</summary>
    public IEnumerable<GrantFields> Roles => caller.Rights.Grants.Select(grant => new GrantFields(grant));

    /// <summary>Permissions that you hold on something.</summary>
    public IEnumerable<string> Permissions =>
        Kernel.Permissions.All.Where(caller.Rights.AllowsSomewhere).Select(permission => permission.Name);
}

/// <summary>Questions. What does not exist and what you may not see are answered alike: null.</summary>
[Name("Query")]
internal sealed class Query
{
    /// <summary>Who you are and what you may do.</summary>
    [Needs("self:read")]
    public static MeFields WhoAmI([FromServices] Caller caller) => new(caller);

    /// <summary>
    /// Whether you hold a permission, such as model:read, on an object, and why; without an object, on everything. With a
    /// target, whether the grant reaches that stage or alias. An administrator may ask for another subject. What you may not
    /// see is answered like what is not there.
    /// </summary>
    [Needs("self:read")]
    [Cost(Own = 10)]
    public static async Task<CanFields> Can(
        [FromServices] Caller caller,
        [FromServices] CanQuestion question,
        CancellationToken cancellationToken,
        string permission,
        string? @object = null,
        string? touching = null,
        string? of = null
    )
    {
        caller.IsHeld |= CanQuestion.IsTold(caller.Rights, @object);
        var answer = await question.AskAsync(caller.Rights, permission, @object, touching, of, cancellationToken);
        return new CanFields(permission, answer.Value());
    }

    /// <summary>Grants that you manage, of one subject or group if named.</summary>
    [Needs("identity:manage")]
    public static async Task<HeldGrantPage> Grants(
        [FromServices] Caller caller,
        [FromServices] IGrants grants,
        CancellationToken cancellationToken,
        string? holder = null,
        int first = DocumentLimits.DefaultFirst,
        string? after = null
    ) =>
        new(
            (
                await grants.ListAsync(
                    caller.Actor,
                    holder,
                    Arguments.First(first),
                    after is null ? null : Arguments.Id(after),
                    cancellationToken
                )
            ).Value()
        );

    /// <summary>Groups with their members; for global administrators.</summary>
    [Needs("identity:manage")]
    public static async Task<GroupPage> Groups(
        [FromServices] Caller caller,
        [FromServices] IGroups groups,
        CancellationToken cancellationToken,
        int first = DocumentLimits.DefaultFirst,
        string? after = null
    ) => new((await groups.ListAsync(caller.Actor, Arguments.First(first), after, cancellationToken)).Value());

    /// <summary>Privileged changes that wait for a second administrator, oldest first; for global administrators.</summary>
    [Needs("identity:manage")]
    public static async Task<ConfirmationPage> Confirmations(
        [FromServices] Caller caller,
        [FromServices] IConfirmations confirmations,
        CancellationToken cancellationToken,
        int first = DocumentLimits.DefaultFirst,
        string? after = null
    ) =>
        new(
            (
                await confirmations.ListAsync(
                    caller.Actor,
                    Arguments.First(first),
                    after is null ? null : Arguments.Id(after),
                    cancellationToken
                )
            ).Value()
        );

    /// <summary>
    /// Logins of a person at external issuers, confirmed or not; for global administrators. They name people, so reading them is
    /// itself logged.
    /// </summary>
    [Needs("identity:manage")]
    [Cost(Own = 50, Length = 20)]
    public static async Task<IEnumerable<LoginFields>> Logins(
        [FromServices] Caller caller,
        [FromServices] ILogins logins,
        CancellationToken cancellationToken,
        [Id] string person
    )
    {
        var id = Arguments.Pseudonym(person);
        var found = (await logins.ListAsync(caller.Actor, id, cancellationToken)).Value();
        await caller.LogReadAsync(
            "identity.names_read",
            $"subject:{id}",
            new JsonObject { ["count"] = found.Count },
            cancellationToken
        );
        return found.Select(login => new LoginFields(login));
    }

    /// <summary>Models by name, as far as you may see them.</summary>
    [Needs("model:read")]
    public static async Task<ModelPage> Models(
        [FromServices] Caller caller,
        [FromServices] IRegistryReader registry,
        CancellationToken cancellationToken,
        int first = DocumentLimits.DefaultFirst,
        string? after = null,
        string? nameContains = null
    ) =>
        new(
            await registry.ListModelsAsync(
                target => caller.May(Permissions.ModelRead, target),
                nameContains,
                Arguments.First(first),
                after,
                cancellationToken
            )
        );

    /// <summary>One model.</summary>
    [Needs("model:read")]
    public static async Task<ModelFields?> Model(
        [FromServices] Caller caller,
        [FromServices] IRegistryReader registry,
        CancellationToken cancellationToken,
        string name
    ) =>
        await registry.FindModelAsync(name, target => caller.May(Permissions.ModelRead, target), cancellationToken)
            is { } view
            ? new ModelFields(view)
            : null;

    /// <summary>One version of a model.</summary>
    [Needs("model:read")]
    public static IDataLoaderResult<VersionFields?> Version(
        [FromServices] Caller caller,
        [FromServices] Loads loads,
        string model,
        int version
    ) =>
        Visible(caller, loads, Permissions.ModelRead, model, version)
            .Then(v => v is null ? null : new VersionFields(v));

    /// <summary>One run.</summary>
    [Needs("experiment:read")]
    public static IDataLoaderResult<RunFields?> Run(
        [FromServices] Caller caller,
        [FromServices] Loads loads,
        [Id] string id
    ) => loads.Runs.Load(id).Then(found => RunFields.For(caller, found));

    /// <summary>Datasets by name, as far as you may see them.</summary>
    [Needs("dataset:read")]
    public static async Task<DatasetPage> Datasets(
        [FromServices] Caller caller,
        [FromServices] IDatasets datasets,
        CancellationToken cancellationToken,
        int first = DocumentLimits.DefaultFirst,
        string? after = null
    ) =>
        new(
            await datasets.ListAsync(
                target => caller.May(Permissions.DatasetRead, target),
                Arguments.First(first),
                after,
                cancellationToken
            )
        );

    /// <summary>One dataset, by the SHA-256 of its bytes.</summary>
    [Needs("dataset:read")]
    public static IDataLoaderResult<DatasetFields?> Dataset(
        [FromServices] Caller caller,
        [FromServices] Loads loads,
        string sha256
    ) => loads.Datasets.Load(Arguments.Sha256(sha256)).Then(found => DatasetFields.For(caller, found));

    /// <summary>
    /// What stands behind something (UP) or what it touches (DOWN): nodes and edges as far as you may see them. Depth counts
    /// edges from the start, 1 to 64; at most 5,000 nodes; a cut is announced.
    /// </summary>
    [Needs("lineage:read")]
    [Cost(Own = 50, LengthArgument = "maxNodes", ItemsPerUnit = 5)]
    public static Task<SubgraphFields?> Lineage(
        [FromServices] ILineage lineage,
        [FromServices] LineageSight sight,
        CancellationToken cancellationToken,
        LineageStart start,
        Direction direction = Direction.Up,
        int depth = 4,
        int maxNodes = 500
    )
    {
        var urn = start switch
        {
            { Version: { } version } => Urn.Version(new ModelVersionRef(version.Model, version.Version)),
            { Dataset: { } sha256 } => Urn.Dataset(Arguments.Sha256(sha256)),
            { Run: { } run } => Urn.Run(run),
            _ => start.Urn ?? "",
        };
        return SubgraphFields.WalkAsync(lineage, sight, urn, direction, depth, maxNodes, cancellationToken);
    }

    /// <summary>Promotion requests, newest first, as far as you may see them.</summary>
    [Needs("promotion:read")]
    public static async Task<RequestPage> Requests(
        [FromServices] Caller caller,
        [FromServices] IPromotions promotions,
        CancellationToken cancellationToken,
        string? model = null,
        string? state = null,
        int first = DocumentLimits.DefaultFirst,
        string? after = null
    ) =>
        new(
            await promotions.ListRequestsAsync(
                target => caller.May(Permissions.PromotionRead, target),
                model,
                state,
                Arguments.First(first),
                after,
                cancellationToken
            )
        );

    /// <summary>One promotion request.</summary>
    [Needs("promotion:read")]
    public static async Task<RequestFields?> Request(
        [FromServices] Caller caller,
        [FromServices] IPromotions promotions,
        [FromServices] IRegistryReader registry,
        CancellationToken cancellationToken,
        [Id] string id
    )
    {
        var request = await promotions.FindRequestAsync(
            Arguments.Id(id),
            target => caller.May(Permissions.PromotionRead, target),
            cancellationToken
        );
        var model = await registry.FindModelAsync(request?.Version.Model ?? "", cancellationToken);
        return request is not null && model is not null && caller.May(Permissions.PromotionRead, model.Target)
            ? new RequestFields(request)
            : null;
    }

    /// <summary>Entries of the tamper-evident log, newest first. Reading them is itself logged.</summary>
    [Needs("audit:read")]
    public static async Task<LogEntryPage> LogEntries(
        [FromServices] Caller caller,
        [FromServices] IAuditLog log,
        CancellationToken cancellationToken,
        string? subject = null,
        string? kindPrefix = null,
        string? actor = null,
        string? outcome = null,
        int first = DocumentLimits.DefaultFirst,
        string? after = null
    )
    {
        await caller.DemandGloballyAsync(Permissions.AuditRead, cancellationToken);
        var page = await log.QueryAsync(
            new AuditQuery
            {
                Subject = subject,
                KindPrefix = kindPrefix,
                ActorId = actor,
                Outcome = outcome,
                First = Arguments.First(first),
                After = after,
            },
            cancellationToken
        );
        // Filters are the reader's own words and could name a person: only what was given back is recorded.
        await caller.LogReadAsync(
            "audit.read",
            "",
            new JsonObject
            {
                ["count"] = page.Items.Count,
                ["newest"] = page.Items is [var newest, ..] ? newest.Id.ToString() : null,
                ["oldest"] = page.Items is [.., var oldest] ? oldest.Id.ToString() : null,
            },
            cancellationToken
        );
        return new LogEntryPage(page);
    }

    /// <summary>The newest signed checkpoint of the log (C2SP tlog-checkpoint); null before the first.</summary>
    [Needs("self:read")]
    [Cost(Own = 10)]
    public static Task<string?> Checkpoint([FromServices] IAuditLog log, CancellationToken cancellationToken) =>
        log.CheckpointAsync(cancellationToken);

    /// <summary>The newest checkpoint that a quorum of witnesses cosigned, one at least; null when there is none of late.</summary>
    [Needs("self:read")]
    [Cost(Own = 10)]
    public static Task<string?> CosignedCheckpoint([FromServices] IAuditLog log, CancellationToken cancellationToken) =>
        log.CosignedCheckpointAsync(cancellationToken);

    /// <summary>Proof that the first leaves of the log are a prefix of it at a later size (RFC 6962).</summary>
    [Needs("self:read")]
    [Cost(Own = 50)]
    public static async Task<ConsistencyFields> LogConsistency(
        [FromServices] IAuditLog log,
        CancellationToken cancellationToken,
        long fromSize,
        long toSize
    ) => new(Arguments.Value(await log.ProveConsistencyAsync(fromSize, toSize, cancellationToken)));

    /// <summary>The witnesses that checkpoints are sent to.</summary>
    [Needs("audit:read")]
    [Cost(Own = 20, Length = 8)]
    public static async Task<IEnumerable<WitnessFields>> Witnesses(
        [FromServices] Caller caller,
        [FromServices] IAuditLog log,
        CancellationToken cancellationToken
    )
    {
        await caller.DemandGloballyAsync(Permissions.AuditRead, cancellationToken);
        return (await log.WitnessesAsync(cancellationToken)).Select(witness => new WitnessFields(witness));
    }

    /// <summary>The controls of a regulation for a version, evaluated now.</summary>
    [Needs("report:read")]
    [Cost(Own = 200, Length = 30)]
    public static async Task<IEnumerable<ControlFields>?> Controls(
        [FromServices] Caller caller,
        [FromServices] Loads loads,
        [FromServices] IReports reports,
        CancellationToken cancellationToken,
        string model,
        int version,
        string regulation
    ) =>
        await Visible(caller, loads, Permissions.ReportRead, model, version).GetResultAsync(cancellationToken)
            is { } found
            ? ControlFields.Of(await ControlFields.EvaluateAsync(reports, found.Ref, regulation, cancellationToken))
            : null;

    /// <summary>The regulations that controls and reports exist for.</summary>
    [Needs("self:read")]
    public static IReadOnlyList<string> Regulations([FromServices] IReports reports) => reports.Regulations;

    /// <summary>The one path for a version that is absent and one that is not the caller's.</summary>
    private static Deferred<VersionView?> Visible(
        Caller caller,
        Loads loads,
        Permission permission,
        string model,
        int version
    ) =>
        loads
            .Versions.Load(new ModelVersionRef(model, version))
            .Then(found => found is not null && caller.May(permission, found.Target) ? found : null);
}
