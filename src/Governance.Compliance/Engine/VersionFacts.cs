using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Privacy.Contracts;
using Governance.Promotion.Contracts;
using Governance.Registry.Contracts;

namespace Governance.Compliance.Engine;

/// <summary>An input of a version, with the dataset behind it when it is bound to one here.</summary>
/// <param name="Name">Name under which the run logged it.</param>
/// <param name="Context">training, eval, …; or empty.</param>
/// <param name="Sha256">Content digest, or null when the run named no dataset held here.</param>
/// <param name="Dataset">The dataset, or null when unknown.</param>
internal sealed record InputFact(string Name, string Context, Digest? Sha256, DatasetView? Dataset);

/// <summary>What the audit log says about a version.</summary>
internal sealed record LogFacts
{
    /// <summary>The newest signed checkpoint, or null before the first.</summary>
    public required string? Checkpoint { get; init; }

    /// <summary>Entries that evidence and decisions name.</summary>
    public required IReadOnlyList<Guid> Named { get; init; }

    /// <summary>Those of them that the log doesn't have.</summary>
    public required IReadOnlyList<Guid> Absent { get; init; }

    /// <summary>Those of them that the log has, but doesn't yet prove under a checkpoint.</summary>
    public required IReadOnlyList<Guid> Unproven { get; init; }

    /// <summary>Done entries about the version that were read.</summary>
    public required int Done { get; init; }

    /// <summary>Those of them without an authenticated actor.</summary>
    public required int Anonymous { get; init; }
}

/// <summary>A decision and whether it can be shown again.</summary>
/// <param name="Decision">As recorded.</param>
/// <param name="Replays">Whether its policy, found by digest, gives the same answer on the recorded facts; null when the policy isn't found.</param>
internal sealed record DecisionFact(DecisionView Decision, bool? Replays);

/// <summary>Everything that the evaluators look at. Gathered once; a report keeps it as evidence.</summary>
internal sealed record VersionFacts
{
    /// <summary>The version.</summary>
    public required VersionView Version { get; init; }

    /// <summary>Its evidence, or null when there is none at all.</summary>
    public required VersionEvidence? Evidence { get; init; }

    /// <summary>Whether the stored signature verified over the frozen manifest now; null when there was nothing to verify.</summary>
    public required bool? SignatureVerified { get; init; }

    /// <summary>Inputs of the run.</summary>
    public required IReadOnlyList<InputFact> Inputs { get; init; }

    /// <summary>Datasets from which inputs were derived, without the inputs themselves.</summary>
    public required IReadOnlyList<DatasetView> Ancestors { get; init; }

    /// <summary>Digests of ancestors that are not held here, or that lie beyond the limit of the walk.</summary>
    public required IReadOnlyList<Digest> UnknownAncestors { get; init; }

    /// <summary>Derivations that made inputs and ancestors.</summary>
    public required IReadOnlyList<DerivationView> Derivations { get; init; }

    /// <summary>Decisions, newest first.</summary>
    public required IReadOnlyList<DecisionFact> Decisions { get; init; }

    /// <summary>Requests with their approvals, newest first.</summary>
    public required IReadOnlyList<RequestView> Requests { get; init; }

    /// <summary>Receipts, newest first.</summary>
    public required IReadOnlyList<Guid> Receipts { get; init; }

    /// <summary>Protected stage and aliases that the version holds, e.g. <c>stage:Production</c>.</summary>
    public required IReadOnlyList<string> ProtectedHoldings { get; init; }

    /// <summary>Promotion policy in force.</summary>
    public required Digest PolicyDigest { get; init; }

    /// <summary>The log.</summary>
    public required LogFacts Log { get; init; }

    /// <summary>Inputs that are known and their ancestors, each once.</summary>
    public IEnumerable<DatasetView> Datasets =>
        Inputs.Select(input => input.Dataset).OfType<DatasetView>().Concat(Ancestors).DistinctBy(item => item.Sha256);
}
