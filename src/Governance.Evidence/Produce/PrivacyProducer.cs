using System.Text.Json.Nodes;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Privacy.Contracts;
using Governance.Registry.Contracts;

namespace Governance.Evidence.Produce;

/// <summary>Judges the input datasets of the version's run.</summary>
internal sealed class PrivacyProducer(IDatasets datasets, IRegistryReader registry) : IEvidenceProducer
{
    public EvidenceKind Kind => EvidenceKind.Privacy;

    public async Task<Produced> ProduceAsync(VersionView version, CancellationToken cancellationToken)
    {
        var run = await registry.RunOfAsync(version, cancellationToken);
        var inputs = (run?.Inputs ?? [])
            .Select(input => new PrivacyInput(input.Name, input.DatasetSha256, input.Context))
            .ToList();
        var verdict = await datasets.JudgeAsync(inputs, cancellationToken);
        var word = verdict.Outcome.ToString().ToLowerInvariant();
        return new Produced(
            verdict.Outcome switch
            {
                PrivacyOutcome.Pass => EvidenceOutcome.Passed,
                PrivacyOutcome.Fail => EvidenceOutcome.Failed,
                _ => EvidenceOutcome.Incomplete,
            },
            verdict.RulesVersion,
            word,
            $"Verdict over its input datasets ({inputs.Count}): {word}."
        )
        {
            Reasons = verdict.Reasons,
            Document = CanonicalJson.Serialize(
                new JsonObject
                {
                    ["subject"] = version.EvidenceSubject.Hex,
                    ["rules"] = verdict.RulesVersion,
                    ["outcome"] = word,
                    ["reasons"] = new JsonArray([.. verdict.Reasons.Select(reason => (JsonNode)reason)]),
                    ["inputs"] = new JsonArray([
                        .. inputs.Select(input => new JsonObject
                        {
                            ["name"] = input.Name,
                            ["sha256"] = input.Sha256?.Hex,
                            ["context"] = input.Context,
                        }),
                    ]),
                }
            ),
        };
    }
}
