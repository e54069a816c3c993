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
        var bundle = signer.SignModel(version.Ref.Model, manifest);
        var verified = verifier.VerifyModel(bundle, manifest, signer.TrustedRoot);
        return verified.Ok
            ? new Produced(EvidenceOutcome.Passed, "oms-1.0", "signed", $"Signed with key {signer.KeyHint[..16]}….")
            {
                Document = bundle,
            }
            : throw new InvalidOperationException(verified.Failure.Code);
    }
}
