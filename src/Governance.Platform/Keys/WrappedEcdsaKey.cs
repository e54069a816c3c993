using System.Security.Cryptography;

namespace Governance.Platform.Keys;

/// <summary>ECDSA P-256 keys in wrapped files of their own.</summary>
public static class WrappedEcdsaKey
{
    /// <summary>
    /// Reads the key from <c>keys/{name}.key</c> of the data directory, or makes one there; as <see cref="WrappedKeyFile"/>. The
    /// caller disposes of it.
    /// </summary>
    public static (ECDsa Key, DateTimeOffset CreatedAt) LoadOrCreate(
        string name,
        string purpose,
        PlatformOptions platform,
        IKeyWrap wrap,
        TimeProvider clock
    )
    {
        ArgumentNullException.ThrowIfNull(platform);
        var stored = WrappedKeyFile.LoadOrCreate(
            Path.Combine(platform.DataDirectory, "keys", $"{name}.key"),
            purpose,
            wrap,
            clock,
            Generate
        );
        var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(stored.Key, out _);
        CryptographicOperations.ZeroMemory(stored.Key);
        return (key, stored.CreatedAt);
    }

    private static byte[] Generate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return key.ExportPkcs8PrivateKey();
    }
}
