using System.Text.Json.Nodes;
using Governance.Evidence.Contracts;
using Governance.Evidence.Storage;
using Governance.Kernel;
using Governance.Platform.Database;
using Governance.Registry.Contracts;
using Governance.Scanning.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Evidence.Produce;

/// <summary>Scans the frozen files; bytes already scanned by the same rules are not scanned twice.</summary>
internal sealed class ScanProducer(
    IArtifactScanner scanner,
    IRegistryReader registry,
    IDbContextFactory<GovernanceDb> databases,
    Platform.Blobs.IBlobStore blobs
) : IEvidenceProducer
{
    public EvidenceKind Kind => EvidenceKind.Scan;

    public async Task<Produced> ProduceAsync(VersionView version, CancellationToken cancellationToken)
    {
        if (await ReusableAsync(version.ManifestDigest, cancellationToken) is { } known)
        {
            return known;
        }

        var source =
            await registry.OpenAsync(version.Ref, cancellationToken)
            ?? throw new InvalidOperationException("The version has no files.");
        var report = await scanner.ScanAsync(source, cancellationToken);
        var worst = report.Findings.Where(finding => finding.Class != ScanClass.Clean).ToList();
        return new Produced(OutcomeOf(report.Class), report.RulesVersion, Word(report.Class), Summary(report))
        {
            Reasons =
            [
                .. worst
                    .Take(20)
                    .Select(finding => $"{Word(finding.Class)}: {finding.Detail} in {finding.Path} ({finding.Rule})."),
            ],
            Document = CanonicalJson.Serialize(Document(version, report)),
        };
    }

    private async Task<Produced?> ReusableAsync(Digest manifest, CancellationToken cancellationToken)
    {
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var row = await db.Set<EvidenceRow>()
            .AsNoTracking()
            .Where(known =>
                known.Kind == EvidenceKind.Scan
                && known.Subject == manifest
                && known.RulesVersion == scanner.RulesVersion
                && known.Document != null
            )
            .OrderByDescending(known => known.Id)
            .FirstOrDefaultAsync(cancellationToken);
        if (row?.Document is not { } document)
        {
            return null;
        }

        var opened = await blobs.OpenAsync(document, cancellationToken);
        if (!opened.Ok)
        {
            return null;
        }

        await using var stream = opened.Value;
        var bytes = new byte[stream.Length];
        await stream.ReadExactlyAsync(bytes, cancellationToken);
        return new Produced(row.Outcome, row.RulesVersion, row.Class, row.Summary)
        {
            Reasons =
                System.Text.Json.JsonSerializer.Deserialize(row.Reasons, EvidenceJson.Default.IReadOnlyListString)
                ?? [],
            Document = bytes,
        };
    }

    private static EvidenceOutcome OutcomeOf(ScanClass scanClass) =>
        scanClass switch
        {
            ScanClass.Clean or ScanClass.ContainsCode or ScanClass.Suspicious => EvidenceOutcome.Passed,
            _ => EvidenceOutcome.Failed,
        };

    private static string Summary(ScanReport report) =>
        $"Artifact scan: {Word(report.Class)} ({report.FilesScanned} files, {report.BytesScanned} bytes).";

    private static string Word(ScanClass scanClass) =>
        scanClass switch
        {
            ScanClass.ContainsCode => "contains-code",
            ScanClass.TimedOut => "timed-out",
            _ => scanClass.ToString().ToLowerInvariant(),
        };

    private static JsonObject Document(VersionView version, ScanReport report) =>
        new()
        {
            ["manifest"] = version.ManifestDigest.Hex,
            ["rules"] = report.RulesVersion,
            ["class"] = Word(report.Class),
            ["files"] = report.FilesScanned,
            ["bytes"] = report.BytesScanned,
            ["findings"] = new JsonArray([
                .. report.Findings.Select(finding => new JsonObject
                {
                    ["path"] = finding.Path,
                    ["class"] = Word(finding.Class),
                    ["rule"] = finding.Rule,
                    ["detail"] = finding.Detail,
                    ["offset"] = finding.Offset,
                }),
            ]),
        };
}
