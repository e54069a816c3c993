using Governance.Compliance.Contracts;
using Governance.Evidence.Contracts;
using Governance.Gateway.GraphQl.Guard;
using Governance.Gateway.GraphQl.Loading;
using Governance.Kernel;
using Governance.Lineage.Contracts;
using Governance.Platform.Graph;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;
using GraphQL;
using GraphQL.DataLoader;

namespace Governance.Gateway.GraphQl.Fields;

/// <summary>A name with a value.</summary>
[Name("Tag")]
[Needs("self:read")]
internal sealed class TagFields(string key, string value)
{
    /// <summary>Name.</summary>
    public string Key => key;

    /// <summary>Value.</summary>
    public string Value => value;

    internal static IReadOnlyList<TagFields> Of(IReadOnlyDictionary<string, string> tags) =>
        [.. tags.OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => new TagFields(tag.Key, tag.Value))];
}

/// <summary>One page of models.</summary>
[Name("ModelPage")]
[Needs("model:read")]
internal sealed class ModelPage(Page<ModelView> page)
{
    /// <summary>The models of this page, by name.</summary>
    [Cost(Length = 1)]
    public IEnumerable<ModelFields> Items => page.Items.Select(view => new ModelFields(view));

    /// <summary>Give this as after to get the next page; null on the last one.</summary>
    public string? NextToken => page.NextToken;
}

/// <summary>A registered model.</summary>
[Name("Model")]
[Needs("model:read")]
internal sealed class ModelFields(ModelView view) : IProtected
{
    AccessTarget IProtected.Target => view.Target;

    /// <summary>Unique name.</summary>
    public string Name => view.Name;

    /// <summary>Stable id; survives renaming.</summary>
    [Id]
    public Guid Id => view.Id;

    /// <summary>Pseudonym of whoever made it.</summary>
    public string Owner => view.OwnerId;

    /// <summary>Free text, or empty.</summary>
    public string Description => view.Description;

    /// <summary>When it was made, UTC.</summary>
    public DateTimeOffset CreatedAt => view.CreatedAt;

    /// <summary>When it last changed, UTC.</summary>
    public DateTimeOffset UpdatedAt => view.UpdatedAt;

    /// <summary>Tags.</summary>
    public IReadOnlyList<TagFields> Tags => TagFields.Of(view.Tags);

    /// <summary>Aliases and the versions they point at.</summary>
    public IEnumerable<AliasFields> Aliases =>
        view.Aliases.OrderBy(alias => alias.Key, StringComparer.Ordinal).Select(a => new AliasFields(a.Key, a.Value));

    /// <summary>Versions, newest first; at most 200.</summary>
    public IDataLoaderResult<IReadOnlyList<VersionFields>> Versions(
        [FromServices] Loads loads,
        int first = DocumentLimits.DefaultFirst
    ) =>
        loads
            .VersionsOfModel(Arguments.First(first))
            .Load(view.Name)
            .Then(IReadOnlyList<VersionFields> (versions) => [.. (versions ?? []).Select(v => new VersionFields(v))]);
}

/// <summary>An alias of a model.</summary>
[Name("Alias")]
[Needs("model:read")]
internal sealed class AliasFields(string name, int version)
{
    /// <summary>Name.</summary>
    public string Name => name;

    /// <summary>Version it points at.</summary>
    public int Version => version;
}

/// <summary>A version of a registered model, with everything that is known about it.</summary>
[Name("Version")]
[Needs("model:read")]
internal sealed class VersionFields(VersionView view) : IProtected
{
    AccessTarget IProtected.Target => view.Target;

    /// <summary>Model name.</summary>
    public string Model => view.Ref.Model;

    /// <summary>Version number, from 1.</summary>
    public int Version => view.Ref.Version;

    /// <summary>URN in lineage and log.</summary>
    public string Urn => Platform.Graph.Urn.Version(view.Ref);

    /// <summary>Stable id of the model.</summary>
    [Id]
    public Guid ModelId => view.ModelId;

    /// <summary>Pseudonym of the model's owner.</summary>
    public string Owner => view.OwnerId;

    /// <summary>Pseudonym of whoever registered this version.</summary>
    public string RegisteredBy => view.RegisteredBy;

    /// <summary>Registration state.</summary>
    public VersionStatus Status => view.Status;

    /// <summary>Reason of a failure or quarantine; empty otherwise.</summary>
    public string StatusMessage => view.StatusMessage;

    /// <summary>Whether its bytes were found changed: such a version is neither served nor promoted.</summary>
    public bool Quarantined => view.Quarantined;

    /// <summary>Stage it is in.</summary>
    public Stage Stage => Enum.Parse<Stage>(view.Stage);

    /// <summary>Aliases that point here.</summary>
    public IReadOnlyList<string> Aliases => view.Aliases;

    /// <summary>Where it was registered from, as the client said it.</summary>
    public string Source => view.Source;

    /// <summary>Run that produced it, if known.</summary>
    public string? RunId => view.RunId;

    /// <summary>Logged model it was registered from, if any.</summary>
    public string? LoggedModelId => view.LoggedModelId;

    /// <summary>Free text, or empty.</summary>
    public string Description => view.Description;

    /// <summary>Tags.</summary>
    public IReadOnlyList<TagFields> Tags => TagFields.Of(view.Tags);

    /// <summary>SHA-256 over the list of its files.</summary>
    public string ManifestDigest => view.ManifestDigest.Hex;

    /// <summary>SHA-256 over files, run and training data: what evidence and approvals are about.</summary>
    public string EvidenceSubject => view.EvidenceSubject.Hex;

    /// <summary>When it was registered, UTC.</summary>
    public DateTimeOffset CreatedAt => view.CreatedAt;

    /// <summary>When it last changed, UTC.</summary>
    public DateTimeOffset UpdatedAt => view.UpdatedAt;

    /// <summary>Its files as frozen at registration.</summary>
    [Cost(Own = 50)]
    public async Task<IEnumerable<FileFields>?> Files(
        [FromServices] IRegistryReader registry,
        CancellationToken cancellationToken
    ) => (await registry.ManifestOfAsync(view.Ref, cancellationToken))?.Files.Select(file => new FileFields(file));

    /// <summary>All evidence about it, one item per kind, missing ones included.</summary>
    [Needs("evidence:read")]
    public IDataLoaderResult<EvidenceFields?> Evidence([FromServices] Loads loads) =>
        loads.Evidence.Load(view.Ref).Then(found => found is null ? null : new EvidenceFields(found, view.Target));

    /// <summary>Where to download its bill of materials (CycloneDX).</summary>
    [Needs("evidence:read")]
    public string? SbomHref => Href("sbom");

    /// <summary>Where to download its signature bundle (Sigstore, OpenSSF Model Signing).</summary>
    [Needs("evidence:read")]
    public string? BundleHref => Href("bundle");

    /// <summary>Signed in-toto statements about it, by predicate type; promotions newest first, at most 200.</summary>
    [Needs("evidence:read")]
    [Cost(Own = 50)]
    public async Task<IEnumerable<AttestationFields>?> Attestations(
        [FromServices] IAttestations attestations,
        CancellationToken cancellationToken
    ) =>
        (await attestations.OfAsync(view.Ref, cancellationToken)).Select(one => new AttestationFields(
            one,
            Href($"attestations/{one.Id}")
        ));

    /// <summary>The run that produced it.</summary>
    [Needs("experiment:read")]
    public IDataLoaderResult<RunFields?> Run([FromServices] Loads loads, [FromServices] Caller caller) =>
        view.RunId is { } run
            ? loads.Runs.Load(run).Then(found => RunFields.For(caller, found))
            : new Deferred<RunFields?>(_ => Task.FromResult<RunFields?>(null));

    /// <summary>The datasets that its run used.</summary>
    [Needs("experiment:read")]
    [Cost(Length = 5)]
    public IDataLoaderResult<IEnumerable<RunInputFields>?> Datasets(
        [FromServices] Loads loads,
        [FromServices] Caller caller
    ) =>
        view.RunId is { } run
            ? loads.Runs.Load(run).Then(found => RunFields.For(caller, found)?.Inputs)
            : new Deferred<IEnumerable<RunInputFields>?>(_ => Task.FromResult<IEnumerable<RunInputFields>?>(null));

    /// <summary>The lineage graph around it.</summary>
    [Needs("lineage:read")]
    [Cost(Own = 50, LengthArgument = "maxNodes", ItemsPerUnit = 5)]
    public Task<SubgraphFields?> Lineage(
        [FromServices] ILineage lineage,
        [FromServices] LineageSight sight,
        CancellationToken cancellationToken,
        Direction direction = Direction.Up,
        int depth = 4,
        int maxNodes = 500
    ) => SubgraphFields.WalkAsync(lineage, sight, Urn, direction, depth, maxNodes, cancellationToken);

    /// <summary>Requests to promote it, newest first.</summary>
    [Needs("promotion:read")]
    [Cost(Own = 50)]
    public async Task<IEnumerable<RequestFields>?> Requests(
        [FromServices] IPromotions promotions,
        [FromServices] Caller caller,
        CancellationToken cancellationToken,
        string? state = null
    )
    {
        var page = await promotions.ListRequestsAsync(
            target => caller.May(Permissions.PromotionRead, target),
            view.Ref.Model,
            state,
            DocumentLimits.ListItems,
            after: null,
            cancellationToken
        );
        return page.Items.Where(request => request.Version == view.Ref).Select(r => new RequestFields(r));
    }

    /// <summary>Recorded decisions about it, newest first; at most 200.</summary>
    [Needs("promotion:read")]
    [Cost(Own = 50)]
    public async Task<IEnumerable<DecisionFields>?> Decisions(
        [FromServices] IPromotions promotions,
        CancellationToken cancellationToken,
        int first = DocumentLimits.DefaultFirst
    ) =>
        (await promotions.DecisionsOfAsync(view.Ref, Arguments.First(first), cancellationToken)).Select(
            decision => new DecisionFields(decision)
        );

    /// <summary>Receipts of its promotions, newest first.</summary>
    [Needs("promotion:read")]
    [Cost(Own = 50)]
    public async Task<IEnumerable<ReceiptFields>?> Receipts(
        [FromServices] IPromotions promotions,
        CancellationToken cancellationToken
    ) => (await promotions.ReceiptsOfAsync(view.Ref, cancellationToken)).Select(id => new ReceiptFields(id));

    /// <summary>The controls of a regulation, evaluated now over its evidence.</summary>
    [Needs("report:read")]
    [Cost(Own = 200, Length = 30)]
    public async Task<IEnumerable<ControlFields>?> Controls(
        [FromServices] IReports reports,
        string regulation,
        CancellationToken cancellationToken
    ) => ControlFields.Of(await ControlFields.EvaluateAsync(reports, view.Ref, regulation, cancellationToken));

    private string Href(string document) =>
        $"/api/v1/models/{Uri.EscapeDataString(view.Ref.Model)}/versions/{view.Ref.Version}/{document}";
}

/// <summary>A signed in-toto statement about a version: a Sigstore bundle.</summary>
[Name("Attestation")]
[Needs("evidence:read")]
internal sealed class AttestationFields(AttestationView view, string href)
{
    /// <summary>Id within the version.</summary>
    public string Id => view.Id;

    /// <summary>What kind of statement, for example https://cyclonedx.org/bom.</summary>
    public string PredicateType => view.PredicateType;

    /// <summary>SHA-256 of the bundle.</summary>
    public string Sha256 => view.Sha256.Hex;

    /// <summary>When, UTC.</summary>
    public DateTimeOffset MadeAt => view.MadeAt;

    /// <summary>Log entry that recorded it.</summary>
    [Id]
    public Guid EntryId => view.EntryId;

    /// <summary>Where to download it.</summary>
    public string Href => href;
}

/// <summary>A file of a version.</summary>
[Name("File")]
[Needs("model:read")]
internal sealed class FileFields(ManifestFile file)
{
    /// <summary>Path inside the version.</summary>
    public string Path => file.Path;

    /// <summary>Bytes.</summary>
    public long Size => file.Size;

    /// <summary>SHA-256 of its bytes.</summary>
    public string Sha256 => file.Digest.Hex;
}

/// <summary>All evidence of one version.</summary>
[Name("Evidence")]
[Needs("evidence:read")]
internal sealed class EvidenceFields(VersionEvidence evidence, AccessTarget target)
{
    /// <summary>What it is about: the version's evidence subject.</summary>
    public string Subject => evidence.Subject.Hex;

    /// <summary>SHA-256 over all items: what approvals and decisions bind.</summary>
    public string Digest => evidence.Digest.Hex;

    /// <summary>One item per kind.</summary>
    [Cost(Length = 5)]
    public IEnumerable<EvidenceItemFields> Items =>
        evidence.Items.Select(item => new EvidenceItemFields(item, evidence.Version, target));
}

/// <summary>One piece of evidence.</summary>
[Name("EvidenceItem")]
[Needs("evidence:read")]
internal sealed class EvidenceItemFields(EvidenceItem item, ModelVersionRef version, AccessTarget target)
{
    /// <summary>What was looked at.</summary>
    public EvidenceKind Kind => item.Kind;

    /// <summary>How it came out.</summary>
    public EvidenceOutcome Outcome => item.Outcome;

    /// <summary>Class word, for example clean for a scan.</summary>
    public string Class => item.Class;

    /// <summary>One line for people.</summary>
    public string Summary => item.Summary;

    /// <summary>Reasons, one sentence each: what was found. Reading this is logged; null where you may not read findings.</summary>
    [Needs("finding:read")]
    public IDataLoaderResult<IReadOnlyList<string>?> Reasons(
        [FromServices] Caller caller,
        [FromServices] Loads loads
    ) =>
        caller.May(Permissions.FindingRead, target)
            ? loads.EvidenceReads.Load(version).Then(IReadOnlyList<string>? (logged) => logged ? item.Reasons : null)
            : new Deferred<IReadOnlyList<string>?>(_ => Task.FromResult<IReadOnlyList<string>?>(null));

    /// <summary>SHA-256 of what exactly was examined.</summary>
    public string Subject => item.Subject.Hex;

    /// <summary>Version of the rules that examined it.</summary>
    public string RulesVersion => item.RulesVersion;

    /// <summary>SHA-256 of the stored document, if there is one.</summary>
    public string? Document => item.Document?.Hex;

    /// <summary>When, UTC.</summary>
    public DateTimeOffset ProducedAt => item.ProducedAt;

    /// <summary>Log entry that recorded it.</summary>
    [Id]
    public Guid EntryId => item.EntryId;
}

/// <summary>A run that trained or tested something.</summary>
[Name("Run")]
[Needs("experiment:read")]
internal sealed class RunFields(RunView view) : IProtected
{
    AccessTarget IProtected.Target => view.Target;

    /// <summary>Id.</summary>
    [Id]
    public string Id => view.RunId;

    /// <summary>URN in lineage and log.</summary>
    public string Urn => Platform.Graph.Urn.Run(view.RunId);

    /// <summary>Display name.</summary>
    public string Name => view.Name;

    /// <summary>Experiment it belongs to.</summary>
    public string Experiment => view.ExperimentName;

    /// <summary>Id of that experiment.</summary>
    [Id]
    public string ExperimentId => view.ExperimentId;

    /// <summary>State, for example RUNNING or FINISHED.</summary>
    public string Status => view.Status;

    /// <summary>Start, UTC.</summary>
    public DateTimeOffset? StartedAt => view.StartedAt;

    /// <summary>End, UTC.</summary>
    public DateTimeOffset? EndedAt => view.EndedAt;

    /// <summary>Parameters.</summary>
    public IReadOnlyList<TagFields> Params => TagFields.Of(view.Params);

    /// <summary>Latest value of each metric.</summary>
    public IEnumerable<MetricFields> Metrics =>
        view
            .Metrics.OrderBy(metric => metric.Key, StringComparer.Ordinal)
            .Select(m => new MetricFields(m.Key, m.Value));

    /// <summary>Tags.</summary>
    public IReadOnlyList<TagFields> Tags => TagFields.Of(view.Tags);

    /// <summary>Datasets it used.</summary>
    [Cost(Length = 5)]
    public IEnumerable<RunInputFields> Inputs => view.Inputs.Select(input => new RunInputFields(input));

    internal static RunFields? For(Caller caller, RunView? view) =>
        view is not null && caller.May(Permissions.ExperimentRead, view.Target) ? new RunFields(view) : null;
}

/// <summary>A number that a run measured.</summary>
[Name("Metric")]
[Needs("experiment:read")]
internal sealed class MetricFields(string name, double value)
{
    /// <summary>Name.</summary>
    public string Name => name;

    /// <summary>Latest value; null when it is not a finite number.</summary>
    public double? Value => double.IsFinite(value) ? value : null;
}

/// <summary>A dataset as a run used it.</summary>
[Name("RunInput")]
[Needs("experiment:read")]
internal sealed class RunInputFields(RunInput input)
{
    /// <summary>Name that the client gave it.</summary>
    public string Name => input.Name;

    /// <summary>Short digest that the client gave it: an alias, never an identity.</summary>
    public string MlflowDigest => input.MlflowDigest;

    /// <summary>What it was used for, for example training.</summary>
    public string Context => input.Context;

    /// <summary>Kind of source.</summary>
    public string SourceType => input.SourceType;

    /// <summary>SHA-256 of its bytes, when the input is bound to a dataset here.</summary>
    public string? Sha256 => input.DatasetSha256?.Hex;

    /// <summary>The dataset itself, when it is bound to one that you may see.</summary>
    [Needs("dataset:read")]
    public IDataLoaderResult<DatasetFields?> Dataset([FromServices] Loads loads, [FromServices] Caller caller) =>
        input.DatasetSha256 is { } digest
            ? loads.Datasets.Load(digest).Then(found => DatasetFields.For(caller, found))
            : new Deferred<DatasetFields?>(_ => Task.FromResult<DatasetFields?>(null));
}

/// <summary>A part of the lineage graph. A cut is always announced.</summary>
[Name("Subgraph")]
[Needs("lineage:read")]
internal sealed class SubgraphFields(Subgraph graph)
{
    /// <summary>Nodes, the start first, nearest first.</summary>
    [Cost(Length = 1)]
    public IReadOnlyList<NodeFields> Nodes { get; } = [.. graph.Nodes.Select(node => new NodeFields(node))];

    /// <summary>Edges that were walked, in the direction of flow.</summary>
    [Cost(Length = 1)]
    public IReadOnlyList<EdgeFields> Edges { get; } = [.. graph.Edges.Select(edge => new EdgeFields(edge))];

    /// <summary>Why the walk stopped early: nodes, edges or time; null when it did not.</summary>
    public string? Truncated => graph.Truncated;

    /// <summary>URNs that a cut left unexplored.</summary>
    [Cost(Length = 1)]
    public IReadOnlyList<string> Frontier => graph.Frontier;

    internal static async Task<SubgraphFields?> WalkAsync(
        ILineage lineage,
        LineageSight sight,
        string urn,
        Direction direction,
        int depth,
        int maxNodes,
        CancellationToken cancellationToken
    )
    {
        Arguments.Between(depth, 1, 64, "depth");
        Arguments.Between(maxNodes, 1, 5_000, "maxNodes");
        var graph = await lineage.WalkAsync(urn, direction, depth, maxNodes, sight.VisibleAsync, cancellationToken);
        return graph is null ? null : new SubgraphFields(graph);
    }
}

/// <summary>A node of the lineage graph.</summary>
[Name("LineageNode")]
[Needs("lineage:read")]
internal sealed class NodeFields(GraphNode node)
{
    /// <summary>Identity.</summary>
    public string Urn => node.Urn;

    /// <summary>Kind.</summary>
    public GraphNodeKind Kind => node.Kind;

    /// <summary>Short text for people.</summary>
    public string Label => node.Label;
}

/// <summary>An edge of the lineage graph.</summary>
[Name("LineageEdge")]
[Needs("lineage:read")]
internal sealed class EdgeFields(SubgraphEdge edge)
{
    /// <summary>URN upstream.</summary>
    public string From => edge.From;

    /// <summary>URN downstream.</summary>
    public string To => edge.To;

    /// <summary>What it says.</summary>
    public GraphVerb Verb => edge.Verb;

    /// <summary>How well it is known.</summary>
    public GraphGrade Grade => edge.Grade;

    /// <summary>Log entry that justifies it.</summary>
    [Id]
    public Guid EntryId => edge.EntryId;
}

/// <summary>A control of a regulation, evaluated for one version.</summary>
[Name("Control")]
[Needs("report:read")]
internal sealed class ControlFields(ControlResult control)
{
    /// <summary>Control id.</summary>
    [Id]
    public string Id => control.Id;

    /// <summary>Clause of the regulation.</summary>
    public string Article => control.Article;

    /// <summary>What it asks.</summary>
    public string Requirement => control.Requirement;

    /// <summary>How it came out.</summary>
    public ControlState State => control.State;

    /// <summary>Why.</summary>
    public string Explanation => control.Explanation;

    /// <summary>References to evidence, log entries and decisions.</summary>
    public IReadOnlyList<string> Evidence => control.Evidence;

    internal static IEnumerable<ControlFields>? Of(IReadOnlyList<ControlResult>? controls) =>
        controls?.Select(control => new ControlFields(control));

    internal static Task<IReadOnlyList<ControlResult>?> EvaluateAsync(
        IReports reports,
        ModelVersionRef version,
        string regulation,
        CancellationToken cancellationToken
    ) =>
        reports.Regulations.Contains(regulation)
            ? reports.EvaluateAsync(version, regulation, cancellationToken)
            : throw new FieldFailure(
                Failure.Invalid(
                    "graphql.unknown_regulation",
                    $"The regulations known are {string.Join(", ", reports.Regulations)}."
                )
            );
}
