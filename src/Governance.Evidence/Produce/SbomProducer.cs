using Governance.Evidence.Contracts;
using Governance.Platform;
using Governance.Privacy.Contracts;
using Governance.Registry.Contracts;
using Governance.Sbom.Contracts;

namespace Governance.Evidence.Produce;

/// <summary>Writes the bill of materials from the frozen files, the run and what is known of the datasets.</summary>
internal sealed class SbomProducer(
    IBomGenerator generator,
    IRegistryReader registry,
    IDatasets datasets,
    PlatformOptions options
) : IEvidenceProducer
{
    public EvidenceKind Kind => EvidenceKind.Sbom;

    public async Task<Produced> ProduceAsync(VersionView version, CancellationToken cancellationToken)
    {
        var source =
            await registry.OpenAsync(version.Ref, cancellationToken)
            ?? throw new InvalidOperationException("The version has no files.");
        var run = await registry.RunOfAsync(version, cancellationToken);
        var subject = new BomSubject
        {
            Model = version.Ref.Model,
            Version = version.Ref.Version.ToString(),
            Description = version.Description,
            RepositoryUrl = options.PublicUrl,
            RunId = version.RunId,
            CreatedAt = version.CreatedAt,
            Subject = version.EvidenceSubject,
            Params = run?.Params ?? new Dictionary<string, string>(),
            Metrics = run?.Metrics ?? new Dictionary<string, double>(),
            Tags = version.Tags,
            Datasets = await DatasetsAsync(run, cancellationToken),
        };
        var bom = await generator.GenerateAsync(subject, source, cancellationToken);
        return bom.Ok
            ? new Produced(
                EvidenceOutcome.Passed,
                generator.RulesVersion,
                "cyclonedx-1.7",
                $"Bill of materials with {bom.Value.Components} components."
            )
            {
                Reasons = bom.Value.Findings,
                Document = bom.Value.Json,
            }
            : new Produced(
                EvidenceOutcome.Failed,
                generator.RulesVersion,
                "unparsable",
                $"No bill of materials could be made ({bom.Failure.Code}): {bom.Failure.Message}"
            );
    }

    private async Task<IReadOnlyList<BomDataset>> DatasetsAsync(RunView? run, CancellationToken cancellationToken)
    {
        if (run is null)
        {
            return [];
        }

        var known = await datasets.FindManyAsync(
            [.. run.Inputs.Select(input => input.DatasetSha256).OfType<Kernel.Digest>().Distinct()],
            cancellationToken
        );
        return
        [
            .. run.Inputs.Select(input =>
            {
                var view = input.DatasetSha256 is { } sha256 ? known.GetValueOrDefault(sha256) : null;
                return new BomDataset(
                    input.Name,
                    input.DatasetSha256,
                    input.MlflowDigest,
                    input.Context,
                    Sensitive(view),
                    Classification(view)
                );
            }),
        ];
    }

    private static List<string> Sensitive(DatasetView? view) =>
        [
            .. (view?.Columns ?? [])
                .Where(column => column is { State: "raw", What: not ("NONE" or "UNKNOWN") })
                .Select(column => column.What)
                .Distinct()
                .Order(StringComparer.Ordinal),
        ];

    private static string Classification(DatasetView? view) =>
        view?.Verdict.Outcome switch
        {
            PrivacyOutcome.Fail => "personal data",
            PrivacyOutcome.Pass => "anonymised",
            _ => "not assessed",
        };
}
