using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Platform.Keys;
using Governance.Signing.Engine;

namespace Governance.Signing.Contracts;

/// <summary>Signs with one ECDSA P-256 key, without any service: the gateway's signer and <c>govern sign</c> share it. Thread-safe.</summary>
public sealed class ModelSigner : IDisposable
{
    private readonly ECDsa _key;

    /// <summary>Takes ownership of the key, which must be safe for several threads.</summary>
    internal ModelSigner(ECDsa key)
    {
        _key = key;
        var spki = key.ExportSubjectPublicKeyInfo();
        var trusted = TrustedRootDocument.SigningKey("", spki, DateTimeOffset.MinValue, null);
        PublicKeyPem = trusted.Pem;
        KeyHint = trusted.Hint;
        SubjectPublicKeyInfo = spki;
    }

    /// <summary>PEM SubjectPublicKeyInfo, with final newline.</summary>
    public string PublicKeyPem { get; }

    /// <summary>Lower-case hex SHA-256 of <see cref="PublicKeyPem"/>.</summary>
    public string KeyHint { get; }

    internal byte[] SubjectPublicKeyInfo { get; }

    /// <summary>Reads a private key from PEM (PKCS#8 or SEC 1, unencrypted). Code <c>signing.bad_key</c>.</summary>
    public static Result<ModelSigner> FromPem(Secret pem)
    {
        ArgumentNullException.ThrowIfNull(pem);
        return SigningKeyPem.ReadPrivate(pem.Reveal()) is { } key
            ? new ModelSigner(HeldKey.Of(key))
            : SigningFailure.Of("bad_key", "The key is not an unencrypted ECDSA P-256 private key in PEM.");
    }

    /// <summary>An OpenSSF Model Signing bundle over known digests. Throws on an empty manifest: that is a bug of the caller.</summary>
    public byte[] SignModel(string name, Manifest manifest)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(manifest);
        return SignModel(name, manifest, null);
    }

    /// <summary>The same with a timestamp over the signature.</summary>
    internal byte[] SignModel(string name, Manifest manifest, Timestamper? stamp) =>
        Sign(ModelStatement.Payload(name, manifest), stamp);

    /// <summary>A bundle over an in-toto statement; throws when it is not one.</summary>
    public byte[] SignStatement(JsonObject statement) => SignStatement(statement, null);

    /// <summary>The same with a timestamp over the signature.</summary>
    internal byte[] SignStatement(JsonObject statement, Timestamper? stamp)
    {
        ArgumentNullException.ThrowIfNull(statement);
        return InTotoStatement.IsStatement(statement)
            ? Sign(CanonicalJson.Serialize(statement), stamp)
            : throw new ArgumentException("Not an in-toto statement v1.", nameof(statement));
    }

    /// <summary>The subject of a model's signature: SHA-256 over the digests of its files, in the order of the manifest.</summary>
    public static Digest RootOf(Manifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return ModelStatement.Root(manifest.Files.Select(file => file.Digest));
    }

    /// <inheritdoc />
    public void Dispose() => _key.Dispose();

    /// <summary>RFC 3161 response over a signature.</summary>
    internal delegate byte[] Timestamper(ReadOnlySpan<byte> signature);

    private byte[] Sign(byte[] payload, Timestamper? stamp)
    {
        var signature = Dsse.Sign(_key, payload);
        return new SignedBundle(KeyHint, payload, signature) { Timestamp = stamp?.Invoke(signature) }.Write();
    }
}
