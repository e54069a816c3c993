using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Signing.Contracts;

/// <summary>Signs with the gateway's keys (ECDSA P-256).</summary>
public interface ISigner
{
    /// <summary>PEM SubjectPublicKeyInfo of the current key, with final newline.</summary>
    string PublicKeyPem { get; }

    /// <summary>Lower-case hex SHA-256 of <see cref="PublicKeyPem"/>: the OMS key hint.</summary>
    string KeyHint { get; }

    /// <summary>
    /// OpenSSF Model Signing v1.0 bundle (Sigstore bundle v0.3) over known digests, UTF-8 JSON. In identity mode for the registrant,
    /// with the entry in the signature log durable when this returns; in key mode with the gateway's key.
    /// </summary>
    /// <param name="name">The model.</param>
    /// <param name="manifest">Its files; at least one.</param>
    /// <param name="registrant">Actor id of whoever registered the version.</param>
    /// <param name="cancellationToken">Cancels the wait for the log.</param>
    Task<byte[]> SignModelAsync(string name, Manifest manifest, string registrant, CancellationToken cancellationToken);

    /// <summary>Whom <see cref="SignModelAsync"/> signs for; anybody in key mode.</summary>
    SignerPolicy PolicyFor(string registrant);

    /// <summary>
    /// Whether a verified signature of a version speaks of whoever registered it: a certificate must name their pseudonym at the
    /// address that it was issued at; a key names nobody.
    /// </summary>
    bool IsFor(VerifiedStatement statement, string registrant);

    /// <summary>Sigstore bundle v0.3 with a DSSE envelope over an in-toto statement (RFC 8785 bytes of <paramref name="statement"/>).</summary>
    byte[] SignStatement(JsonObject statement);

    /// <summary>The same without a timestamp, for a statement that is never without the log entry that gives its time.</summary>
    byte[] SignLoggedStatement(JsonObject statement);

    /// <summary>trusted_root.json: signing keys with validity windows and the audit log's key. UTF-8 JSON.</summary>
    byte[] TrustedRoot { get; }

    /// <summary>client_trust_config.json: the trusted root as Sigstore's Python clients read it. UTF-8 JSON.</summary>
    byte[] ClientTrustConfig { get; }
}

/// <summary>What a verified statement says.</summary>
/// <param name="Payload">The exact bytes that were signed, parsed.</param>
/// <param name="KeyHint">Key that signed.</param>
public sealed record VerifiedStatement(JsonObject Payload, string KeyHint)
{
    /// <summary>Whom the certificate names that signed; null when a key of the trusted root did.</summary>
    public SignerIdentity? Signer { get; init; }

    /// <summary>When the timestamp authority saw the signature, UTC; null when there is none.</summary>
    public DateTimeOffset? SignedAt { get; init; }
}

/// <summary>Offline verification; static, pure, needs only the bytes given. Used by gateway and CLI alike.</summary>
public interface IVerifier
{
    /// <summary>
    /// Verifies a model bundle against a manifest: signature by a key of the trusted root, or by a certificate of it with log entry
    /// and timestamp, and exactly the files of the manifest. Codes <c>signing.*</c> and <c>audit.*</c>; each says which check failed
    /// and for which file.
    /// </summary>
    Result<VerifiedStatement> VerifyModel(
        ReadOnlySpan<byte> bundle,
        Manifest manifest,
        ReadOnlySpan<byte> trustedRoot,
        SignerPolicy policy
    );

    /// <summary>
    /// Verifies a model signature that somebody else made, by a trusted root of theirs or ours, over exactly these files: the
    /// signature file itself is not among them. Paths that the signer would ignore are not ignored. Codes as <see cref="VerifyModel"/>.
    /// </summary>
    Result<VerifiedStatement> VerifyArriving(
        ReadOnlySpan<byte> bundle,
        Manifest manifest,
        ReadOnlySpan<byte> trustedRoot
    );

    /// <summary>The same by one public key, PEM; also code <c>signing.bad_key</c>.</summary>
    Result<VerifiedStatement> VerifyArrivingByKey(ReadOnlySpan<byte> bundle, Manifest manifest, string publicKeyPem);

    /// <summary>Verifies a statement bundle by a key of the trusted root; a certificate signs models only. Codes <c>signing.*</c>.</summary>
    Result<VerifiedStatement> VerifyStatement(ReadOnlySpan<byte> bundle, ReadOnlySpan<byte> trustedRoot);
}
