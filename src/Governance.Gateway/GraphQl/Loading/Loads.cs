using System.Collections.Concurrent;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Platform.Graph;
using Governance.Privacy.Contracts;
using Governance.Registry.Contracts;

namespace Governance.Gateway.GraphQl.Loading;

/// <summary>The batches of one request: however many objects a query meets, each level asks each of these once per 500.</summary>
internal sealed class Loads(IRegistryReader registry, IEvidence evidence, IDatasets datasets, Caller caller)
{
    private readonly ConcurrentDictionary<int, Batch<string, IReadOnlyList<VersionView>>> _versionsOfModel = new();

    public Batch<ModelVersionRef, VersionView> Versions { get; } = new(registry.FindVersionsAsync);

    public Batch<string, RunView> Runs { get; } =
        new(
            (runs, token) =>
                registry.FindRunsAsync(runs, target => caller.May(Permissions.ExperimentRead, target), token)
        );

    public Batch<ModelVersionRef, VersionEvidence> Evidence { get; } = new(evidence.OfManyAsync);

    public Batch<Digest, DatasetView> Datasets { get; } =
        new(
            (digests, token) =>
                datasets.FindManyVisibleAsync(digests, target => caller.May(Permissions.DatasetRead, target), token)
        );

    /// <summary>Only derivations whose inputs the caller may all see: the same bytes may have been made elsewhere by somebody else.</summary>
    public Batch<Digest, IReadOnlyList<DerivationView>> Derivations { get; } =
        new(
            async (outputs, token) =>
            {
                var made = await datasets.DerivationsOfAsync(outputs, token);
                var inputs = made.SelectMany(group => group).SelectMany(one => one.Inputs).Distinct().ToList();
                var visible = await datasets.FindManyVisibleAsync(
                    inputs,
                    target => caller.May(Permissions.DatasetRead, target),
                    token
                );
                return made.ToDictionary(
                    group => group.Key,
                    IReadOnlyList<DerivationView> (group) =>
                        [.. group.Where(one => one.Inputs.All(visible.ContainsKey))]
                );
            }
        );

    /// <summary>Commits a log entry that the findings of these datasets are read; true once it is durable.</summary>
    public Batch<Digest, bool> FindingReads { get; } =
        new(
            async (digests, token) =>
            {
                await caller.LogReadsAsync("finding.read", digests.Select(Urn.Dataset), token);
                return digests.ToDictionary(digest => digest, _ => true);
            }
        );

    /// <summary>Commits a log entry that what was found about these versions is read; true once it is durable.</summary>
    public Batch<ModelVersionRef, bool> EvidenceReads { get; } =
        new(
            async (versions, token) =>
            {
                await caller.LogReadsAsync("finding.read", versions.Select(Urn.Version), token);
                return versions.ToDictionary(version => version, _ => true);
            }
        );

    public Batch<string, IReadOnlyList<VersionView>> VersionsOfModel(int first) =>
        _versionsOfModel.GetOrAdd(
            first,
            count => new Batch<string, IReadOnlyList<VersionView>>(
                async (models, token) =>
                    (await registry.VersionsOfAsync(models, count, token)).ToDictionary(
                        group => group.Key,
                        IReadOnlyList<VersionView> (group) => [.. group]
                    )
            )
        );
}
