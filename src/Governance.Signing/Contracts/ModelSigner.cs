using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Signing.Engine;

namespace Governance.Signing.Contracts;

/// <summary>Signs with one ECDSA P-256 key, without any service: the gateway's signer and <c>govern sign</c> share it. Thread-safe.</summary>
public sealed class ModelSigner : IDisposable
{
    private readonly ECDsa _key;
    private readonly Lock _lock = new();

    /// <summary>Takes ownership of the key.</summary>
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
            ? new ModelSigner(key)
            : SigningFailure.Of("bad_key", "The key is not an unencrypted ECDSA P-256 private key in PEM.");
    }

    /// <summary>An OpenSSF Model Signing bundle over known digests. Throws on an empty manifest: that is a bug of the caller.</summary>
    public byte[] SignModel(string name, Manifest manifest)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(manifest);
        return Sign(ModelStatement.Payload(name, manifest));
    }

    /// <summary>A bundle over an in-toto statement; throws when it is not one.</summary>
    public byte[] SignStatement(JsonObject statement)
    {
        ArgumentNullException.ThrowIfNull(statement);
        return InTotoStatement.IsStatement(statement)
            ? Sign(CanonicalJson.Serialize(statement))
            : throw new ArgumentException("Not an in-toto statement v1.", nameof(statement));
    }

    /// <inheritdoc />
    public void Dispose() => _key.Dispose();

    private byte[] Sign(byte[] payload)
    {
        lock (_lock)
        {
            return new SignedBundle(KeyHint, payload, Dsse.Sign(_key, payload)).Write();
        }
    }
}
