using Governance.Evidence.Contracts;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Evidence.Signatures;

/// <summary>Judges signatures when it matters: the bundle is verified now, not believed because a row says so.</summary>
internal sealed class SignatureStandings(
    IEvidence evidence,
    IRegistryReader registry,
    ISigner signer,
    IVerifier verifier
) : ISignatures
{
    public async Task<SignatureStanding> OfAsync(VersionView version, CancellationToken cancellationToken)
    {
        if (
            await evidence.OfAsync(version.Ref, cancellationToken) is not { } held
            || held[EvidenceKind.Signature] is not { Outcome: not EvidenceOutcome.Missing } item
            || await evidence.DocumentAsync(version.Ref, EvidenceKind.Signature, cancellationToken) is not { } bundle
            || await registry.ManifestOfAsync(version.Ref, cancellationToken) is not { } manifest
        )
        {
            return new SignatureStanding(null, null, []);
        }

        var verified = verifier.VerifyModel(bundle, manifest, signer.TrustedRoot, SignerPolicy.Anybody);
        var reasons =
            !verified.Ok ? [$"{verified.Failure.Code}: {verified.Failure.Message}"]
            : !signer.IsFor(verified.Value, version.RegisteredBy)
                ? ["signing.identity_mismatch: The signature names somebody else than whoever registered the version."]
            : item.Outcome == EvidenceOutcome.Passed ? []
            : item.Reasons;
        return new SignatureStanding(item, verified.Ok ? verified.Value : null, reasons)
        {
            Verified = verified.Ok && reasons.Count == 0 && item.Outcome == EvidenceOutcome.Passed,
        };
    }
}
