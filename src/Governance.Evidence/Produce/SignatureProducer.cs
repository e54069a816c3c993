using Governance.Evidence.Contracts;
using Governance.Evidence.Signatures;
using Governance.Kernel;
using Governance.Policy.Contracts;
using Governance.Registry.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Evidence.Produce;

/// <summary>
/// Signs the frozen digests once and checks the signature before recording it; judged again, by another signer policy or after
/// a key was revoked, the same signature is looked at. Beside it, what came with the files.
/// </summary>
internal sealed class SignatureProducer(
    ISigner signer,
    IVerifier verifier,
    IRegistryReader registry,
    IPolicies policies,
    RecordedBundles recorded
) : IEvidenceProducer
{
    public EvidenceKind Kind => EvidenceKind.Signature;

    public async Task<Produced> ProduceAsync(VersionView version, CancellationToken cancellationToken)
    {
        var source =
            await registry.OpenAsync(version.Ref, cancellationToken)
            ?? throw new InvalidOperationException("The version has no manifest.");
        var policy = await policies.SignersAsync(cancellationToken);
        var known = await recorded.FindAsync(version, cancellationToken);
        var bundle =
            known
            ?? await signer.SignModelAsync(version.Ref.Model, source.Manifest, version.RegisteredBy, cancellationToken);
        var verified = verifier.VerifyModel(bundle, source.Manifest, signer.TrustedRoot, SignerPolicy.Anybody);
        if (known is null && (!verified.Ok || !signer.IsFor(verified.Value, version.RegisteredBy)))
        {
            throw new InvalidOperationException(verified.Failure?.Code ?? "signing.identity_mismatch");
        }

        var arriving = await ArrivingSignatures.JudgeAsync(
            source,
            policy.For(version.Ref.Model),
            verifier,
            signer.TrustedRoot,
            cancellationToken
        );
        return Compose(verified, arriving) with
        {
            RulesVersion = SignatureRules.Version(policy.Digest),
            Document = bundle,
        };
    }

    private static Produced Compose(Result<VerifiedStatement> verified, ArrivingVerdict arriving)
    {
        if (!verified.Ok)
        {
            return new Produced(EvidenceOutcome.Failed, "", "refused", "The signature does not verify any more.")
            {
                Reasons = [$"{verified.Failure.Code}: {verified.Failure.Message}"],
            };
        }

        return new Produced(
            arriving.Refused ? EvidenceOutcome.Failed : EvidenceOutcome.Passed,
            "",
            arriving.Refused ? "arriving-refused"
                : arriving.Signer is null ? "signed"
                : "arriving-verified",
            arriving.Signer is null ? SummaryOf(verified.Value) : $"{SummaryOf(verified.Value)} {arriving.Sentence}"
        )
        {
            Reasons = arriving.Signer is null && arriving.Sentence.Length > 0 ? [arriving.Sentence] : [],
        };
    }

    private static string SummaryOf(VerifiedStatement statement) =>
        statement.Signer is { } signer
            ? $"Signed for {signer.Subject}, in the signature log."
            : $"Signed with key {statement.KeyHint[..16]}….";
}
