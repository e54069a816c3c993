using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Signing.Engine;

namespace Governance.Signing.Contracts;

/// <summary>
/// Verifies bundles with nothing but bytes and the time: no service, no network, no file. A key bundle carries no trusted
/// time, so its key must be valid at the time of verification; receipts bring the time of their log entry instead.
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
        ReadOnlySpan<byte> trustedRoot
    )
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var verified = VerifyStatement(bundle, trustedRoot);
        return verified.Ok && ModelStatement.Check(verified.Value.Payload, manifest) is { } failure
            ? failure
            : verified;
    }

    /// <inheritdoc />
    public Result<VerifiedStatement> VerifyStatement(ReadOnlySpan<byte> bundle, ReadOnlySpan<byte> trustedRoot)
    {
        var root = TrustedRootDocument.Read(trustedRoot);
        if (!root.Ok)
        {
            return root.Failure;
        }

        var parsed = SignedBundle.Read(bundle);
        return parsed.Ok ? Verify(parsed.Value, root.Value, clock.GetUtcNow()) : parsed.Failure;
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
        if (SigningKeyPem.ReadPublic(publicKeyPem) is not { } spki)
        {
            return SigningFailure.Of("bad_key", "The key is not an ECDSA P-256 public key in PEM.");
        }

        var key = TrustedRootDocument.SigningKey("", spki, DateTimeOffset.MinValue, null);
        var parsed = SignedBundle.Read(bundle);
        if (!parsed.Ok)
        {
            return parsed.Failure;
        }

        var verified = Verify(parsed.Value, new TrustedRootDocument([key]), DateTimeOffset.MaxValue);
        return verified.Ok && ModelStatement.Check(verified.Value.Payload, manifest) is { } failure
            ? failure
            : verified;
    }

    internal static Result<VerifiedStatement> Verify(SignedBundle bundle, TrustedRootDocument root, DateTimeOffset at)
    {
        if (root.FindSigningKey(bundle.KeyHint) is not { } key)
        {
            return SigningFailure.Of("unknown_key", "The bundle names a key that the trusted root does not list.");
        }

        if (!key.IsValidAt(at))
        {
            return SigningFailure.Of("key_not_valid", "The signing key was not valid at that time.");
        }

        if (!IsSigned(key, bundle))
        {
            return SigningFailure.Of("signature_invalid", "The signature does not belong to this payload and key.");
        }

        // The payload is read only now, from the very bytes that the signature covers.
        return InTotoStatement.Read(bundle.Payload).Map(payload => new VerifiedStatement(payload, bundle.KeyHint));
    }

    private static bool IsSigned(TrustedKey key, SignedBundle bundle)
    {
        using var ecdsa = ECDsa.Create();
        try
        {
            ecdsa.ImportSubjectPublicKeyInfo(key.Spki, out var read);
            return read == key.Spki.Length
                && ecdsa.KeySize == 256
                && Dsse.Verify(ecdsa, bundle.Payload, bundle.Signature);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
