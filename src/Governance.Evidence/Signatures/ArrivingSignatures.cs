using Governance.Identity.Contracts;
using Governance.Kernel;
using Governance.Platform.Blobs;
using Governance.Policy.Contracts;
using Governance.Signing.Contracts;

namespace Governance.Evidence.Signatures;

/// <summary>What came of a signature among the files of a version.</summary>
/// <param name="Refused">The policy asks for one, and none counts.</param>
/// <param name="Signer">Name in the policy of whoever signed; null when none counts.</param>
/// <param name="Sentence">For people; empty when there is nothing to say.</param>
internal sealed record ArrivingVerdict(bool Refused, string? Signer, string Sentence)
{
    public static ArrivingVerdict Nothing { get; } = new(false, null, "");
}

/// <summary>
/// Judges a signature that came with the files of a version by the signer policy. It is never trusted for being there: somebody
/// the policy names must have signed exactly the other files.
/// </summary>
internal static class ArrivingSignatures
{
    // What says only that somebody else signed; anything else is the better reason.
    private static readonly string[] AboutWho =
    [
        "signing.unknown_key",
        "signing.unknown_log",
        "signing.signed_by_certificate",
        "signing.signer_not_allowed",
    ];

    public static async Task<ArrivingVerdict> JudgeAsync(
        IArtifactSource source,
        SignersRule rule,
        IVerifier verifier,
        byte[] ownRoot,
        CancellationToken cancellationToken
    )
    {
        if (rule.Arriving == Strictness.Off)
        {
            return ArrivingVerdict.Nothing;
        }

        var found = await FindAsync(source, cancellationToken);
        if (!found.Ok)
        {
            return Wrong(rule, found.Failure);
        }

        var (file, bundle) = found.Value;
        if (ArrivingBundle.Without(source.Manifest, file) is not { } rest)
        {
            return Wrong(rule, Failure.Invalid("signing.empty", "The signature covers no file."));
        }

        Failure? reason = null;
        foreach (var signer in rule.Signers)
        {
            var verified = Verify(signer, bundle, rest, verifier, ownRoot);
            if (verified.Ok)
            {
                var whom = verified.Value.Signer?.Subject ?? $"key {verified.Value.KeyHint[..16]}…";
                return new ArrivingVerdict(
                    false,
                    signer.Name,
                    $"{file.Path} came with the files: signed by {signer.Name} ({whom})."
                );
            }

            reason = reason is null || AboutWho.Contains(reason.Code) ? verified.Failure : reason;
        }

        return Wrong(rule, reason!);
    }

    private static Result<VerifiedStatement> Verify(
        AllowedSigner signer,
        byte[] bundle,
        Manifest manifest,
        IVerifier verifier,
        byte[] ownRoot
    )
    {
        if (signer.KeyPem is { } pem)
        {
            return verifier.VerifyArrivingByKey(bundle, manifest, pem);
        }

        var root = signer.TrustedRoot is { } text ? System.Text.Encoding.UTF8.GetBytes(text) : ownRoot;
        var verified = verifier.VerifyArriving(bundle, manifest, root);
        return
            verified.Ok
            && !(
                verified.Value.Signer is { } identity
                && identity.Issuer == signer.Issuer
                && NamePattern.Matches(signer.Identity, identity.Subject)
            )
            ? Failure.Invalid(
                "signing.signer_not_allowed",
                "Somebody else signed than the policy allows for this model."
            )
            : verified;
    }

    private static async Task<Result<(ManifestFile File, byte[] Bundle)>> FindAsync(
        IArtifactSource source,
        CancellationToken cancellationToken
    )
    {
        var found = new List<(ManifestFile File, byte[] Bundle)>();
        foreach (var file in ArrivingBundle.Candidates(source.Manifest))
        {
            if (file.Size > ArrivingBundle.MaxBytes)
            {
                return Failure.Invalid("signing.bundle_too_large", $"The signature file {file.Path} is too large.");
            }

            var content = new byte[file.Size];
            await using var stream = await source.OpenAsync(file, cancellationToken);
            await stream.ReadExactlyAsync(content, cancellationToken);
            if (ArrivingBundle.IsModelSignature(file, content))
            {
                found.Add((file, content));
            }
        }

        return found.Count switch
        {
            1 => found[0],
            0 => Failure.Invalid("signing.not_signed", "No signature came with the files."),
            // Which of them counts would be the sender's choice.
            _ => Failure.Invalid("signing.several_signatures", "More than one signature came with the files."),
        };
    }

    private static ArrivingVerdict Wrong(SignersRule rule, Failure failure) =>
        new(rule.Arriving == Strictness.Enforce, null, $"{failure.Code}: {failure.Message}");
}
