using Governance.Evidence.Contracts;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Evidence.Produce;

/// <summary>Signs the frozen digests and checks its own signature before recording it.</summary>
internal sealed class SignatureProducer(ISigner signer, IVerifier verifier, IRegistryReader registry)
    : IEvidenceProducer
{
    public EvidenceKind Kind => EvidenceKind.Signature;

    public async Task<Produced> ProduceAsync(VersionView version, CancellationToken cancellationToken)
    {
        var manifest =
            await registry.ManifestOfAsync(version.Ref, cancellationToken)
            ?? throw new InvalidOperationException("The version has no manifest.");
        var bundle = await signer.SignModelAsync(version.Ref.Model, manifest, version.RegisteredBy, cancellationToken);
        var verified = verifier.VerifyModel(
            bundle,
            manifest,
            signer.TrustedRoot,
            signer.PolicyFor(version.RegisteredBy)
        );
        return verified.Ok
            ? new Produced(EvidenceOutcome.Passed, "oms-1.0", "signed", SummaryOf(verified.Value)) { Document = bundle }
            : throw new InvalidOperationException(verified.Failure.Code);
    }

    private static string SummaryOf(VerifiedStatement statement) =>
        statement.Signer is { } signer
            ? $"Signed for {signer.Subject}, in the signature log."
            : $"Signed with key {statement.KeyHint[..16]}….";
}
