using System.Security.Cryptography;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Platform;
using Governance.Platform.Keys;
using NSec.Cryptography;

namespace Governance.Audit.Keys;

/// <summary>The Ed25519 key of the log, wrapped in <c>keys/log.key</c>, made on the first run.</summary>
internal sealed class LogKey : ILogKey, IDisposable
{
    private const string Purpose = "audit-log-key";
    private readonly Key _key;

    public LogKey(PlatformOptions platform, AuditOptions options, IKeyWrap wrap, TimeProvider clock)
    {
        var stored = WrappedKeyFile.LoadOrCreate(
            Path.Combine(platform.DataDirectory, "keys", "log.key"),
            Purpose,
            wrap,
            clock,
            () => RandomNumberGenerator.GetBytes(SignatureAlgorithm.Ed25519.PrivateKeySize)
        );
        _key = Key.Import(SignatureAlgorithm.Ed25519, stored.Key, KeyBlobFormat.RawPrivateKey);
        CryptographicOperations.ZeroMemory(stored.Key);
        CreatedAt = stored.CreatedAt;
        Public = NoteKey.Create(options.Origin, _key.PublicKey);
    }

    public string Origin => Public.Name;

    public string VerifierKey => Public.VerifierKey;

    public IReadOnlyList<byte> RawPublicKey => Public.RawKey;

    public DateTimeOffset CreatedAt { get; }

    public NoteKey Public { get; }

    public string Sign(Checkpoint checkpoint) => checkpoint.Sign(Public, _key);

    public void Dispose() => _key.Dispose();
}
