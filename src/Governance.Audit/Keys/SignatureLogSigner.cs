using System.Security.Cryptography;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Keys;

namespace Governance.Audit.Keys;

/// <summary>The ECDSA P-256 key of the signature log, wrapped in <c>keys/signature-log.key</c>, made on the first run.</summary>
internal sealed class SignatureLogSigner : IDisposable
{
    private readonly ECDsa _key;

    public SignatureLogSigner(PlatformOptions platform, AuditOptions options, IKeyWrap wrap, TimeProvider clock)
    {
        (_key, var createdAt) = WrappedEcdsaKey.LoadOrCreate(
            "signature-log",
            "signature-log-key",
            platform,
            wrap,
            clock
        );
        Public = new SignatureLogKey($"{options.Origin}/signatures", _key.ExportSubjectPublicKeyInfo(), createdAt);
    }

    public SignatureLogKey Public { get; }

    /// <summary>Signs a checkpoint. The writer may run units beside each other, and the key is one.</summary>
    public string Sign(long size, byte[] root)
    {
        lock (_key)
        {
            return new SignatureCheckpoint(Public.Name, size, root).Sign(_key);
        }
    }

    /// <summary>The signed entry timestamp.</summary>
    public byte[] Promise(byte[] body, DateTimeOffset at, long index)
    {
        lock (_key)
        {
            return EcdsaP256.Sign(_key, SignatureLogVerifier.Promised(body, at, index, Public.Spki));
        }
    }

    public void Dispose() => _key.Dispose();
}
