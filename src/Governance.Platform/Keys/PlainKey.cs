using System.Security.Cryptography;

namespace Governance.Platform.Keys;

/// <summary>An ECDSA P-256 key without a certificate, with a wrapped file of its own.</summary>
public sealed class PlainKey : IDisposable
{
    private PlainKey(HeldKey key, DateTimeOffset createdAt)
    {
        (Key, CreatedAt) = (key, createdAt);
        Spki = key.ExportSubjectPublicKeyInfo();
    }

    /// <summary>The key; safe for several threads.</summary>
    public HeldKey Key { get; }

    /// <summary>SubjectPublicKeyInfo, DER.</summary>
    public byte[] Spki { get; }

    /// <summary>When it was made, UTC, whole seconds.</summary>
    public DateTimeOffset CreatedAt { get; }

    /// <summary>Reads the key from <c>keys/{file}.key</c> of the data directory, or makes one; as <see cref="PrivateKeys"/>.</summary>
    public static PlainKey LoadOrCreate(string file, string purpose, PrivateKeys keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var stored = keys.LoadOrCreate(file, purpose, () => keys.Make(file));
        var key = keys.Open(stored.Key);
        CryptographicOperations.ZeroMemory(stored.Key);
        return new PlainKey(key, stored.CreatedAt);
    }

    /// <inheritdoc />
    public void Dispose() => Key.Dispose();
}
