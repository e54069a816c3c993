using Governance.Kernel;
using Governance.Signing.Engine;

namespace Governance.Signing.Contracts;

/// <summary>
/// Verifies bundles with nothing but bytes and the time: no service, no network, no file. A bundle of the gateway carries a
/// timestamp, at which its key or certificate must have been valid. A key bundle without one has no trusted time, so its key
/// must be valid at the time of verification, or at that of the log entry for a receipt.
/// </summary>
/// <param name="clock">The time at which keys must be valid.</param>
public sealed class OfflineVerifier(TimeProvider clock) : IVerifier
{
    /// <summary>A verifier by the system's clock, for use without dependency injection.</summary>
    public static OfflineVerifier Create() => new(TimeProvider.System);

    /// <inheritdoc />
    public Result<VerifiedStatement> VerifyModel(
        ReadOnlySpan<byte> bundle,
        Manifest manifest,
        ReadOnlySpan<byte> trustedRoot,
        SignerPolicy policy
    )
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(policy);
        var (parsed, root) = Open(bundle, trustedRoot);
        if (!parsed.Ok)
        {
            return parsed.Failure;
        }

        var verified = parsed.Value.Identity is { } material
            ? VerifyIdentity(parsed.Value, material, root!)
            : Verify(parsed.Value, root!, clock.GetUtcNow());
        return !verified.Ok ? verified
            : Check(policy, verified.Value.Signer) is { } stranger ? stranger
            : ModelStatement.Check(verified.Value.Payload, manifest) is { } failure ? failure
            : verified;
    }

    /// <inheritdoc />
    public Result<VerifiedStatement> VerifyStatement(ReadOnlySpan<byte> bundle, ReadOnlySpan<byte> trustedRoot)
    {
        var (parsed, root) = Open(bundle, trustedRoot);
        return parsed.Ok ? Verify(parsed.Value, root!, clock.GetUtcNow()) : parsed.Failure;
    }

    /// <summary>
    /// Verifies a model bundle by one public key given as PEM text, for folders signed with a key of one's own: the caller vouches
    /// for key and time. Codes as <see cref="VerifyModel"/>, and <c>signing.bad_key</c>.
    /// </summary>
    public static Result<VerifiedStatement> VerifyModelByKey(
        ReadOnlySpan<byte> bundle,
        Manifest manifest,
        string publicKeyPem
    )
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var verified = VerifyByKey(bundle, publicKeyPem);
        return verified.Ok && ModelStatement.Check(verified.Value.Payload, manifest) is { } failure
            ? failure
            : verified;
    }

    private static Result<VerifiedStatement> VerifyByKey(ReadOnlySpan<byte> bundle, string publicKeyPem)
    {
        if (SigningKeyPem.ReadPublic(publicKeyPem) is not { } spki)
        {
            return SigningFailure.Of("bad_key", "The key is not an ECDSA P-256 public key in PEM.");
        }

        var key = TrustedRootDocument.SigningKey("", spki, DateTimeOffset.MinValue, null);
        var parsed = SignedBundle.Read(bundle);
        return parsed.Ok
            ? Verify(parsed.Value with { Timestamp = null }, new TrustedRootDocument([key]), DateTimeOffset.MaxValue)
            : parsed.Failure;
    }

    /// <inheritdoc />
    public Result<VerifiedStatement> VerifyArriving(
        ReadOnlySpan<byte> bundle,
        Manifest manifest,
        ReadOnlySpan<byte> trustedRoot
    )
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var root = TrustedRootDocument.Read(trustedRoot);
        if (!root.Ok)
        {
            return root.Failure;
        }

        var parsed = SignedBundle.Read(bundle, foreign: true);
        return !parsed.Ok ? parsed.Failure
            : parsed.Value.Identity is { } material
                ? CheckArriving(VerifyIdentity(parsed.Value, material, root.Value), manifest)
            : CheckArriving(Verify(parsed.Value, root.Value, clock.GetUtcNow()), manifest);
    }

    /// <inheritdoc />
    public Result<VerifiedStatement> VerifyArrivingByKey(
        ReadOnlySpan<byte> bundle,
        Manifest manifest,
        string publicKeyPem
    )
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return CheckArriving(VerifyByKey(bundle, publicKeyPem), manifest);
    }

    private static Result<VerifiedStatement> CheckArriving(Result<VerifiedStatement> verified, Manifest manifest) =>
        verified.Ok && ModelStatement.Check(verified.Value.Payload, manifest, mayNameIgnored: true) is { } failure
            ? failure
            : verified;

    internal static Result<VerifiedStatement> Verify(SignedBundle bundle, TrustedRootDocument root, DateTimeOffset at)
    {
        if (bundle.KeyHint is null)
        {
            return SigningFailure.Of(
                "signed_by_certificate",
                "The bundle is signed by a certificate where a key must have signed."
            );
        }

        if (root.FindSigningKey(bundle.KeyHint) is not { } key)
        {
            return SigningFailure.Of("unknown_key", "The bundle names a key that the trusted root does not list.");
        }

        if (!Dsse.Verify(key.Spki, bundle.Payload, bundle.Signature))
        {
            return NotSigned;
        }

        DateTimeOffset? signedAt = null;
        if (bundle.Timestamp is { } timestamp)
        {
            var stamped = IdentityChecks.CheckTimestamp(bundle, timestamp, root);
            if (!stamped.Ok)
            {
                return stamped.Failure;
            }

            // The time of the signature, whenever somebody asks.
            at = stamped.Value;
            signedAt = at;
        }

        if (!key.IsValidAt(at))
        {
            return SigningFailure.Of("key_not_valid", "The signing key was not valid at that time.");
        }

        // The payload is read only now, from the very bytes that the signature covers.
        return InTotoStatement
            .Read(bundle.Payload)
            .Map(payload => new VerifiedStatement(payload, bundle.KeyHint) { SignedAt = signedAt });
    }

    private static Failure NotSigned =>
        SigningFailure.Of("signature_invalid", "The signature does not belong to this payload and key.");

    private static (Result<SignedBundle> Bundle, TrustedRootDocument? Root) Open(
        ReadOnlySpan<byte> bundle,
        ReadOnlySpan<byte> trustedRoot
    )
    {
        var root = TrustedRootDocument.Read(trustedRoot);
        return root.Ok ? (SignedBundle.Read(bundle), root.Value) : (root.Failure, null);
    }

    private static Result<VerifiedStatement> VerifyIdentity(
        SignedBundle bundle,
        IdentityMaterial material,
        TrustedRootDocument root
    )
    {
        var signer = IdentityChecks.Run(bundle, material, root);
        if (!signer.Ok)
        {
            return signer.Failure;
        }

        return Dsse.Verify(signer.Value.Spki, bundle.Payload, bundle.Signature)
            ? InTotoStatement
                .Read(bundle.Payload)
                .Map(payload => new VerifiedStatement(
                    payload,
                    TrustedRootDocument.SigningKey("", signer.Value.Spki, DateTimeOffset.MinValue, null).Hint
                )
                {
                    Signer = signer.Value.Identity,
                    SignedAt = signer.Value.At,
                })
            : NotSigned;
    }

    private static Failure? Check(SignerPolicy policy, SignerIdentity? signer)
    {
        if (signer is null)
        {
            return policy is { Subject: null, Issuer: null }
                ? null
                : SigningFailure.Of("signed_by_key", "The bundle is signed by a key, which names no signer.");
        }

        return policy.Subject is not null && policy.Subject != signer.Subject
                ? SigningFailure.Of("identity_mismatch", $"The signer is {signer.Subject}, not the one asked for.")
            : policy.Issuer is not null && policy.Issuer != signer.Issuer
                ? SigningFailure.Of(
                    "issuer_mismatch",
                    $"The signer's identity was vouched for by {signer.Issuer}, not by the issuer asked for."
                )
            : null;
    }
}
