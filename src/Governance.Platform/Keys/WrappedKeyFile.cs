using System.Buffers.Binary;
using System.Security.Cryptography;
using Governance.Platform.Blobs;

namespace Governance.Platform.Keys;

/// <summary>A key as it lies in its file.</summary>
/// <param name="CreatedAt">UTC, whole seconds; start of its validity.</param>
/// <param name="Key">The key itself; the caller zeroes it after use.</param>
public sealed record StoredKey(DateTimeOffset CreatedAt, byte[] Key);

/// <summary>A key in a file of its own, wrapped; made on the first run, by one of those who try at once, and never overwritten.</summary>
public static class WrappedKeyFile
{
    private const int MaxLength = 4096;
    private const int TimeLength = sizeof(long);

    /// <summary>
    /// Reads the key, or makes and stores one durably when the file is absent. Throws <see cref="CryptographicException"/>
    /// when the file does not unwrap: a damaged key is never replaced by a new one.
    /// </summary>
    public static StoredKey LoadOrCreate(
        string path,
        string purpose,
        IKeyWrap wrap,
        TimeProvider clock,
        Func<byte[]> generate
    )
    {
        if (!File.Exists(path))
        {
            Create(path, purpose, wrap, clock, generate);
        }

        var content = wrap.Unwrap(Read(path), purpose);
        var stored = new StoredKey(
            DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadInt64BigEndian(content)),
            content[TimeLength..]
        );
        CryptographicOperations.ZeroMemory(content);
        return stored;
    }

    private static void Create(string path, string purpose, IKeyWrap wrap, TimeProvider clock, Func<byte[]> generate)
    {
        var key = generate();
        var content = new byte[TimeLength + key.Length];
        BinaryPrimitives.WriteInt64BigEndian(content, clock.GetUtcNow().ToUnixTimeSeconds());
        key.CopyTo(content.AsSpan(TimeLength));
        DurableFile.TryWriteNewSecret(path, wrap.Wrap(content, purpose));
        CryptographicOperations.ZeroMemory(key);
        CryptographicOperations.ZeroMemory(content);
    }

    private static byte[] Read(string path)
    {
        using var file = File.OpenRead(path);
        if (file.Length > MaxLength)
        {
            throw new CryptographicException("The key file is too long to be one.");
        }

        var content = new byte[file.Length];
        file.ReadExactly(content);
        return content;
    }
}
