using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Compliance.Contracts;
using Governance.Evidence.Contracts;
using Governance.Kernel;
using Governance.Promotion.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Compliance.Offline;

/// <summary>A statement with what reads its bundle, which gives null when it no longer counts.</summary>
internal sealed record Statement(AttestationView View, Func<CancellationToken, Task<byte[]?>> ReadAsync);

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
    ) => [.. (await StatementsOfAsync(version, cancellationToken)).Select(one => one.View)];

    /// <summary>The same, each with what reads its bundle.</summary>
    public async Task<IReadOnlyList<Statement>> StatementsOfAsync(
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
                .Select(view => new Statement(view, token => BundleAsync(version, view.Id, token)))
                .Concat(promoted.Select(Promotion))
                .OrderBy(one => one.View.PredicateType, StringComparer.Ordinal),
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

    /// <summary>
    /// The bundle of a statement with the log entry that names it and the proof of that entry (<see cref="ReceiptVerifier"/>);
    /// null when it is not under a checkpoint within two seconds. The signature of the files has none.
    /// </summary>
    public async Task<JsonObject?> ReceiptAsync(Statement statement, CancellationToken cancellationToken)
    {
        var id = statement.View.EntryId;
        return
            await statement.ReadAsync(cancellationToken) is { } bundle
            && await log.AwaitProofAsync(id, Patience, cancellationToken) is { } proof
            && (await log.FindAsync([id], cancellationToken)).TryGetValue(id, out var entry)
            ? ReceiptVerifier.Compose(bundle, entry, proof, logKey.VerifierKey)
            : null;
    }

    private static Statement Promotion(PromotionStatement one) =>
        new(
            new AttestationView(
                $"{PromotionPrefix}{one.ReceiptId}",
                Attestation.Promotion,
                Digest.Of(one.Bundle),
                one.At,
                one.EntryId
            ),
            _ => Task.FromResult<byte[]?>(one.Bundle)
        );

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
