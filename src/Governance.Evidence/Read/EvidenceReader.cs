using System.Text.Json;
using System.Text.Json.Nodes;
using Governance.Evidence.Contracts;
using Governance.Evidence.Signatures;
using Governance.Evidence.Storage;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Platform.Database;
using Governance.Policy.Contracts;
using Governance.Privacy.Contracts;
using Governance.Registry.Contracts;
using Governance.Scanning.Contracts;
using Microsoft.EntityFrameworkCore;

namespace Governance.Evidence.Read;

/// <summary>
/// Reads evidence as it counts now: of the current subject, by the current rules, not stale. Everything else is missing.
/// </summary>
internal sealed class EvidenceReader(
    IDbContextFactory<GovernanceDb> databases,
    IRegistryReader registry,
    IArtifactScanner scanner,
    IDatasets datasets,
    IPolicies policies,
    IBlobStore blobs
) : IEvidence
{
    public async Task<VersionEvidence?> OfAsync(ModelVersionRef version, CancellationToken cancellationToken) =>
        (await OfManyAsync([version], cancellationToken)).GetValueOrDefault(version);

    public async Task<IReadOnlyDictionary<ModelVersionRef, VersionEvidence>> OfManyAsync(
        IReadOnlyCollection<ModelVersionRef> versions,
        CancellationToken cancellationToken
    )
    {
        var views = await registry.FindVersionsAsync(versions, cancellationToken);
        var models = views.Values.Select(view => view.ModelId).Distinct().ToList();
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        var numbers = views.Values.Select(view => view.Ref.Version).Distinct().ToList();
        var rows = await db.Set<EvidenceRow>()
            .AsNoTracking()
            .Where(row => models.Contains(row.ModelId) && numbers.Contains(row.Version) && !row.Stale)
            .ToListAsync(cancellationToken);
        var signatures = SignatureRules.Version((await policies.SignersAsync(cancellationToken)).Digest);
        var byVersion = rows.ToLookup(row => (row.ModelId, row.Version));
        return views.ToDictionary(
            pair => pair.Key,
            pair => Compose(pair.Value, [.. byVersion[(pair.Value.ModelId, pair.Value.Ref.Version)]], signatures)
        );
    }

    public async Task<Digest> DigestAsync(
        WriteSession session,
        VersionView version,
        CancellationToken cancellationToken
    )
    {
        var rows = await session
            .Db.Set<EvidenceRow>()
            .AsNoTracking()
            .Where(row => row.ModelId == version.ModelId && row.Version == version.Ref.Version && !row.Stale)
            .ToListAsync(cancellationToken);
        var signatures = SignatureRules.Version(await policies.SignersDigestAsync(session, cancellationToken));
        return Compose(version, rows, signatures).Digest;
    }

    public Task<byte[]?> DocumentAsync(
        ModelVersionRef version,
        EvidenceKind kind,
        CancellationToken cancellationToken
    ) => ReadAsync(version, kind, item => item.Document, cancellationToken);

    public Task<byte[]?> AttestationAsync(
        ModelVersionRef version,
        EvidenceKind kind,
        CancellationToken cancellationToken
    ) => ReadAsync(version, kind, item => item.Attestation, cancellationToken);

    private async Task<byte[]?> ReadAsync(
        ModelVersionRef version,
        EvidenceKind kind,
        Func<EvidenceItem, Digest?> part,
        CancellationToken cancellationToken
    ) =>
        await OfAsync(version, cancellationToken) is { } evidence && part(evidence[kind]) is { } digest
            ? await EvidenceDocuments.ReadAsync(blobs, digest, cancellationToken)
            : null;

    private VersionEvidence Compose(VersionView view, List<EvidenceRow> rows, string signatures)
    {
        var items = Enum.GetValues<EvidenceKind>().Select(kind => Item(view, kind, rows, signatures)).ToList();
        var canonical = new JsonArray([
            .. items.Select(item => new JsonObject
            {
                ["class"] = item.Class,
                ["document"] = item.Document?.Hex,
                ["kind"] = item.Kind.ToString(),
                ["outcome"] = item.Outcome.ToString(),
                ["rules"] = item.RulesVersion,
                ["subject"] = item.Subject.Hex,
            }),
        ]);
        return new VersionEvidence(
            view.Ref,
            view.EvidenceSubject,
            view.ManifestDigest,
            items,
            Digest.Of(CanonicalJson.Serialize(canonical))
        );
    }

    private EvidenceItem Item(VersionView view, EvidenceKind kind, List<EvidenceRow> rows, string signatures)
    {
        var subject = Subjects.Of(kind, view);
        var row = rows.Where(candidate =>
                candidate.Kind == kind && candidate.Subject == subject && IsCurrent(candidate, signatures)
            )
            .MaxBy(candidate => candidate.Id);
        return row is null
            ? new EvidenceItem
            {
                Kind = kind,
                Outcome = EvidenceOutcome.Missing,
                Subject = subject,
                RulesVersion = "",
                Class = "",
                Summary = "Not produced yet for this subject by the current rules.",
                Reasons = [],
                Document = null,
                ProducedAt = default,
                EntryId = Guid.Empty,
            }
            : new EvidenceItem
            {
                Kind = kind,
                Outcome = row.Outcome,
                Subject = row.Subject,
                RulesVersion = row.RulesVersion,
                Class = row.Class,
                Summary = row.Summary,
                Reasons = JsonSerializer.Deserialize(row.Reasons, EvidenceJson.Default.IReadOnlyListString) ?? [],
                Document = row.Document,
                Attestation = row.Attestation,
                ProducedAt = row.ProducedAt,
                EntryId = row.EntryId,
            };
    }

    private bool IsCurrent(EvidenceRow row, string signatures) =>
        row.Kind switch
        {
            EvidenceKind.Scan => row.RulesVersion == scanner.RulesVersion,
            EvidenceKind.Privacy => row.RulesVersion == datasets.RulesVersion,
            EvidenceKind.Signature => row.RulesVersion == signatures,
            _ => true,
        };
}

/// <summary>What each kind of evidence examines.</summary>
internal static class Subjects
{
    /// <summary>Scan and signature speak about bytes alone; the others about this version with its inputs.</summary>
    public static Digest Of(EvidenceKind kind, VersionView version) =>
        kind is EvidenceKind.Scan or EvidenceKind.Signature ? version.ManifestDigest : version.EvidenceSubject;
}
