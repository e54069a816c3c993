using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Compliance.Contracts;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Promotion.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Compliance.Offline;

/// <summary>Gathers the statements that evidence and promotions have; a statement that no longer counts is not among them.</summary>
internal sealed class Attestations(IEvidence evidence, IPromotions promotions, IAuditLog log, ILogKey logKey)
    : IAttestations
{
    private const string PromotionPrefix = "promotion-";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private static readonly (string Id, EvidenceKind Kind)[] Kinds =
    [
        ("privacy", EvidenceKind.Privacy),
        ("provenance", EvidenceKind.Lineage),
        ("sbom", EvidenceKind.Sbom),
        ("scan", EvidenceKind.Scan),
        ("signature", EvidenceKind.Signature),
    ];

    public async Task<IReadOnlyList<AttestationView>> OfAsync(
        ModelVersionRef version,
        CancellationToken cancellationToken
    )
    {
        if (await evidence.OfAsync(version, cancellationToken) is not { } found)
        {
            return [];
        }

        var promoted = await promotions.StatementsOfAsync(version, cancellationToken);
        // A stable sort: what has one type keeps its order.
        return
        [
            .. Kinds
                .Select(kind => View(kind.Id, found[kind.Kind]))
                .OfType<AttestationView>()
                .Concat(
                    promoted.Select(one => new AttestationView(
                        $"{PromotionPrefix}{one.ReceiptId}",
                        Attestation.Promotion,
                        Digest.Of(one.Bundle),
                        one.At,
                        one.EntryId
                    ))
                )
                .OrderBy(view => view.PredicateType, StringComparer.Ordinal),
        ];
    }

    public async Task<byte[]?> BundleAsync(ModelVersionRef version, string id, CancellationToken cancellationToken)
    {
        if (id.StartsWith(PromotionPrefix, StringComparison.Ordinal))
        {
            var promoted = await promotions.StatementsOfAsync(version, cancellationToken);
            return promoted.FirstOrDefault(one => $"{PromotionPrefix}{one.ReceiptId}" == id)?.Bundle;
        }

        return Array.Find(Kinds, known => known.Id == id) is not { Id: not null } kind ? null
            : kind.Kind == EvidenceKind.Signature ? await evidence.DocumentAsync(version, kind.Kind, cancellationToken)
            : await evidence.AttestationAsync(version, kind.Kind, cancellationToken);
    }

    public async Task<JsonObject?> ReceiptAsync(ModelVersionRef version, string id, CancellationToken cancellationToken)
    {
        if ((await OfAsync(version, cancellationToken)).FirstOrDefault(one => one.Id == id) is not { } view)
        {
            return null;
        }

        return
            view.PredicateType != Attestation.ModelSignature
            && await BundleAsync(version, id, cancellationToken) is { } bundle
            && await log.AwaitProofAsync(view.EntryId, Patience, cancellationToken) is { } proof
            && (await log.FindAsync([view.EntryId], cancellationToken)).TryGetValue(view.EntryId, out var entry)
            ? ReceiptVerifier.Compose(bundle, entry, proof, logKey.VerifierKey)
            : null;
    }

    // The signature is a statement itself; of everything else there is one.
    private static AttestationView? View(string id, EvidenceItem item) =>
        (item.Kind == EvidenceKind.Signature ? item.Document : item.Attestation) is { } sha256
            ? new AttestationView(
                id,
                Attestation.PredicateTypeOf(item.Kind) ?? Attestation.ModelSignature,
                sha256,
                item.ProducedAt,
                item.EntryId
            )
            : null;
}
