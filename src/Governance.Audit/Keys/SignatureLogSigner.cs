using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Kernel;
using Governance.Platform.Keys;

namespace Governance.Audit.Keys;

/// <summary>The ECDSA P-256 keys of the signature log, the first made on the first run.</summary>
internal sealed class SignatureLogSigner : IDisposable
{
    private const string Name = "signature-log";
    private readonly RotatingKey<PlainKey> _keys;
    private readonly Func<string, PlainKey> _load;
    private readonly string _logName;

    public SignatureLogSigner(AuditOptions options, KeyRing ring, PrivateKeys keys, TimeProvider clock)
    {
        _logName = $"{options.Origin}/signatures";
        _load = file => PlainKey.LoadOrCreate(file, "signature-log-key", keys);
        _keys = new RotatingKey<PlainKey>(Name, ring, clock, _load);
    }

    /// <summary>The key that signs now; an entry is signed by one key throughout.</summary>
    public PlainKey Current => _keys.Current;

    /// <summary>All keys, the oldest first.</summary>
    public IReadOnlyList<SignatureLogKey> Keys =>
        [.. _keys.All.Select(key => Public(key.Key) with { End = key.Generation.End, Generation = key.Generation })];

    public SignatureLogKey Public(PlainKey key) => new(_logName, key.Spki, key.CreatedAt) { Place = key.Key.Place };

    /// <summary>Makes the next key in a file of its own; nobody uses it until the ring has it.</summary>
    public void Make(string file) => _load(file).Dispose();

    /// <summary>A checkpoint that one of the keys signed, or null.</summary>
    public SignatureCheckpoint? Open(string note) =>
        _keys
            .All.Reverse()
            .Select(key => SignatureCheckpoint.Open(note, _logName, key.Key.Spki))
            .FirstOrDefault(opened => opened is not null);

    /// <summary>Signs a checkpoint.</summary>
    public string Sign(PlainKey key, long size, byte[] root) =>
        new SignatureCheckpoint(_logName, size, root).Sign(key.Key);

    /// <summary>The signed entry timestamp.</summary>
    public static byte[] Promise(PlainKey key, byte[] body, DateTimeOffset at, long index) =>
        EcdsaP256.Sign(key.Key, SignatureLogVerifier.Promised(body, at, index, key.Spki));

    public void Dispose() => _keys.Dispose();
}
