using System.Text.Json.Nodes;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Lineage.Contracts;
using Governance.Platform.Graph;
using Governance.Registry.Contracts;

namespace Governance.Evidence.Produce;

/// <summary>Records what stands behind the version when it was registered: run, logged model, datasets and their parents.</summary>
internal sealed class LineageProducer(ILineage lineage) : IEvidenceProducer
{
    private const int Depth = 16;
    private const int MaxNodes = 1000;

    public EvidenceKind Kind => EvidenceKind.Lineage;

    public async Task<Produced> ProduceAsync(VersionView version, CancellationToken cancellationToken)
    {
        var urn = Urn.Version(version.Ref);
        var graph = await lineage.WalkAsync(urn, Direction.Up, Depth, MaxNodes, static _ => true, cancellationToken);
        var nodes = graph?.Nodes ?? [];
        var runs = nodes.Count(node => node.Kind == GraphNodeKind.Run);
        var datasets = nodes.Count(node => node.Kind == GraphNodeKind.Dataset);
        var known = version.RunId is not null && runs > 0 && graph?.Truncated is null;
        return new Produced(
            known ? EvidenceOutcome.Passed : EvidenceOutcome.Incomplete,
            "1",
            known ? "recorded" : "incomplete",
            $"Runs behind it: {runs}; datasets, with those they were made of: {datasets}."
        )
        {
            Reasons = known
                ? []
                : ["No run stands behind this version, or its upstream graph is larger than the limit."],
            Document = CanonicalJson.Serialize(
                new JsonObject
                {
                    ["start"] = urn,
                    ["nodes"] = new JsonArray([.. nodes.Select(node => (JsonNode)node.Urn)]),
                    ["edges"] = new JsonArray([
                        .. (graph?.Edges ?? []).Select(edge => new JsonObject
                        {
                            ["from"] = edge.From,
                            ["to"] = edge.To,
                            ["verb"] = edge.Verb.ToString(),
                            ["grade"] = edge.Grade.ToString(),
                        }),
                    ]),
                }
            ),
        };
    }
}
