using System.Security.Cryptography;

namespace Governance.Platform.Keys;

/// <summary>An ECDSA P-256 key without a certificate, in a wrapped file of its own.</summary>
public sealed class PlainKey : IDisposable
{
    private PlainKey(ECDsa key, DateTimeOffset createdAt)
    {
        (Key, CreatedAt) = (key, createdAt);
        Spki = key.ExportSubjectPublicKeyInfo();
    }

    /// <summary>The private key; not safe for several threads.</summary>
    public ECDsa Key { get; }

    /// <summary>SubjectPublicKeyInfo, DER.</summary>
    public byte[] Spki { get; }

    /// <summary>When it was made, UTC, whole seconds.</summary>
    public DateTimeOffset CreatedAt { get; }

    /// <summary>Reads the key from <c>keys/{file}.key</c> of the data directory, or makes one there; as <see cref="WrappedKeyFile"/>.</summary>
    public static PlainKey LoadOrCreate(
        string file,
        string purpose,
        PlatformOptions platform,
        IKeyWrap wrap,
        TimeProvider clock
    )
    {
        var (key, createdAt) = WrappedEcdsaKey.LoadOrCreate(file, purpose, platform, wrap, clock);
        return new PlainKey(key, createdAt);
    }

    /// <inheritdoc />
    public void Dispose() => Key.Dispose();
}
