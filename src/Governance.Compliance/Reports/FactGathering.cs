using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Compliance.Engine;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Platform.Graph;
using Governance.Policy.Contracts;
using Governance.Privacy.Contracts;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Compliance.Reports;

/// <summary>Gathers the facts about a version from the contracts of other modules.</summary>
internal sealed class FactGatherer(
    IRegistryReader registry,
    DataFacts data,
    SignatureFacts signatures,
    DecisionFacts decisions,
    LogReading log
)
{
    /// <summary>The facts now, or null when the version is unknown.</summary>
    public async Task<VersionFacts?> GatherAsync(ModelVersionRef reference, CancellationToken cancellationToken)
    {
        if (await registry.FindVersionAsync(reference, cancellationToken) is not { } version)
        {
            return null;
        }

        var (evidence, signed) = await signatures.OfAsync(reference, cancellationToken);
        var inputs = await data.InputsOfAsync(version, cancellationToken);
        var (ancestors, unknown, derivations) = await data.AncestorsOfAsync(inputs, cancellationToken);
        var made = await decisions.OfAsync(reference, cancellationToken);
        var policy = await decisions.PolicyAsync(cancellationToken);
        IEnumerable<Guid> named =
        [
            .. (evidence?.Items ?? [])
                .Where(item => item.Outcome != EvidenceOutcome.Missing)
                .Select(item => item.EntryId),
            .. made.Decisions.Select(fact => fact.Decision.EntryId),
        ];
        return new VersionFacts
        {
            Version = version,
            Evidence = evidence,
            SignatureVerified = signed,
            Inputs = inputs,
            Ancestors = ancestors,
            UnknownAncestors = unknown,
            Derivations = derivations,
            Decisions = made.Decisions,
            Requests = made.Requests,
            Receipts = made.Receipts,
            ProtectedHoldings =
            [
                .. new[] { $"stage:{version.Stage}" }
                    .Concat(version.Aliases.Order(StringComparer.Ordinal).Select(alias => $"alias:{alias}"))
                    .Where(policy.IsProtected),
            ],
            PolicyDigest = policy.Digest,
            Log = await log.OfAsync(reference, [.. named.Distinct()], cancellationToken),
        };
    }
}

/// <summary>Inputs of a version and the datasets that they came from.</summary>
internal sealed class DataFacts(IRegistryReader registry, IDatasets datasets, ComplianceOptions options)
{
    public async Task<IReadOnlyList<InputFact>> InputsOfAsync(VersionView version, CancellationToken cancellationToken)
    {
        if (version.RunId is not { } runId)
        {
            return [];
        }

        var runs = await registry.FindRunsAsync([runId], cancellationToken);
        if (!runs.TryGetValue(runId, out var run))
        {
            return [];
        }

        var digests = run.Inputs.Select(input => input.DatasetSha256).OfType<Digest>().Distinct().ToList();
        var found = await datasets.FindManyAsync(digests, cancellationToken);
        return
        [
            .. run.Inputs.Select(input => new InputFact(
                input.Name,
                input.Context,
                input.DatasetSha256,
                input.DatasetSha256 is { } sha256 ? found.GetValueOrDefault(sha256) : null
            )),
        ];
    }

    /// <summary>Breadth-first upwards, one round of queries per level.</summary>
    public async Task<(
        IReadOnlyList<DatasetView> Ancestors,
        IReadOnlyList<Digest> Unknown,
        IReadOnlyList<DerivationView> Derivations
    )> AncestorsOfAsync(IReadOnlyList<InputFact> inputs, CancellationToken cancellationToken)
    {
        var level = inputs
            .Select(input => input.Dataset)
            .OfType<DatasetView>()
            .DistinctBy(item => item.Sha256)
            .ToList();
        var seen = level.Select(item => item.Sha256).ToHashSet();
        var ancestors = new List<DatasetView>();
        var unknown = new List<Digest>();
        var derivations = new List<DerivationView>();
        while (level.Count > 0)
        {
            var made = await datasets.DerivationsOfAsync([.. level.Select(item => item.Sha256)], cancellationToken);
            var steps = level.SelectMany(item => made[item.Sha256]).DistinctBy(step => step.Id).ToList();
            derivations.AddRange(steps);
            var parents = steps
                .SelectMany(step => step.Inputs)
                .Concat(level.SelectMany(item => item.DerivedFrom))
                .Where(seen.Add)
                .ToList();
            var room = Math.Max(0, options.MaxDatasets - ancestors.Count);
            unknown.AddRange(parents.Skip(room));
            var found = await datasets.FindManyAsync([.. parents.Take(room)], cancellationToken);
            unknown.AddRange(parents.Take(room).Where(parent => !found.ContainsKey(parent)));
            level = [.. found.Values.OrderBy(item => item.Sha256.Hex, StringComparer.Ordinal)];
            ancestors.AddRange(level);
        }

        return (ancestors, unknown, [.. derivations.DistinctBy(step => step.Id)]);
    }
}

/// <summary>Evidence of a version, and whether its signature verifies now.</summary>
internal sealed class SignatureFacts(IEvidence evidence, IRegistryReader registry, ISigner signer, IVerifier verifier)
{
    public async Task<(VersionEvidence? Evidence, bool? Verified)> OfAsync(
        ModelVersionRef version,
        CancellationToken cancellationToken
    )
    {
        var held = await evidence.OfAsync(version, cancellationToken);
        var manifest = await registry.ManifestOfAsync(version, cancellationToken);
        var bundle = await evidence.DocumentAsync(version, EvidenceKind.Signature, cancellationToken);
        return (
            held,
            manifest is null || bundle is null
                ? null
                : verifier.VerifyModel(bundle, manifest, signer.TrustedRoot, SignerPolicy.Anybody).Ok
        );
    }
}

/// <summary>Decisions of a version, each replayed on its recorded facts.</summary>
internal sealed class DecisionFacts(IPromotions promotions, IPolicies policies, IDecisionCodec codec)
{
    private const int MaxDecisions = 100;

    public async Task<IPromotionPolicy> PolicyAsync(CancellationToken cancellationToken) =>
        await policies.PromotionAsync(cancellationToken);

    public async Task<(
        IReadOnlyList<DecisionFact> Decisions,
        IReadOnlyList<RequestView> Requests,
        IReadOnlyList<Guid> Receipts
    )> OfAsync(ModelVersionRef version, CancellationToken cancellationToken)
    {
        var made = new List<DecisionFact>();
        foreach (var decision in await promotions.DecisionsOfAsync(version, MaxDecisions, cancellationToken))
        {
            var policy = await policies.FindPromotionAsync(decision.PolicyDigest, cancellationToken);
            made.Add(new DecisionFact(decision, policy is null ? null : Replays(policy, decision)));
        }

        var requests = await promotions.ListRequestsAsync(
            _ => true,
            version.Model,
            null,
            MaxDecisions,
            null,
            cancellationToken
        );
        return (
            made,
            [.. requests.Items.Where(request => request.Version == version)],
            await promotions.ReceiptsOfAsync(version, cancellationToken)
        );
    }

    private bool Replays(IPromotionPolicy policy, DecisionView decision) =>
        JsonNode.Parse(decision.FactsJson, documentOptions: CanonicalJson.Strict) is JsonObject facts
        && Word(policy.Decide(codec.Decode(facts)).Verdict) == decision.Verdict;

    private static string Word(Verdict verdict) =>
        verdict switch
        {
            Verdict.Allow => "allow",
            Verdict.NeedsApproval => "needs-approval",
            _ => "deny",
        };
}

/// <summary>What the log says about a version.</summary>
internal sealed class LogReading(IAuditLog log)
{
    private const int MaxEntries = 200;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public async Task<LogFacts> OfAsync(
        ModelVersionRef version,
        IReadOnlyList<Guid> named,
        CancellationToken cancellationToken
    )
    {
        var found = await log.FindAsync(named, cancellationToken);
        // Ids are ordered by time: once the newest is under a checkpoint, the others are too, and one wait is enough.
        if (found.Count > 0)
        {
            await log.AwaitProofAsync(found.Keys.Max(), Patience, cancellationToken);
        }

        var unproven = new List<Guid>();
        foreach (var id in named.Where(found.ContainsKey))
        {
            if (await log.ProveAsync(id, cancellationToken) is null)
            {
                unproven.Add(id);
            }
        }

        var done = await log.QueryAsync(
            new AuditQuery
            {
                Subject = Urn.Version(version),
                Outcome = "done",
                First = MaxEntries,
            },
            cancellationToken
        );
        return new LogFacts
        {
            Checkpoint = await log.CheckpointAsync(cancellationToken),
            Named = named,
            Absent = [.. named.Where(id => !found.ContainsKey(id))],
            Unproven = unproven,
            Done = done.Items.Count,
            Anonymous = done.Items.Count(entry => entry.ActorId == Actor.Anonymous.Id),
        };
    }
}
