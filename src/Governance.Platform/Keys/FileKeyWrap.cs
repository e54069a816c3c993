using System.Security.Cryptography;
using System.Text;
using Governance.Platform.Blobs;
using Microsoft.Extensions.Logging;

namespace Governance.Platform.Keys;

/// <summary>
/// The key-encryption key from a file outside the data directory, in clear or encrypted by a token (<see cref="TokenKeyFile"/>);
/// generated on first run. Layout of a wrapped key:
/// version 1 (1 byte) ‖ nonce (12) ‖ tag (16) ‖ ciphertext.
/// </summary>
internal sealed partial class FileKeyWrap : IKeyWrap, IDisposable
{
    private const byte Version = 1;
    private const int KeySize = 32;
    private const int NonceSize = 12;
    private const int TagSize = 16;
    private const int HeaderSize = 1 + NonceSize + TagSize;
    private readonly byte[] _key;

    public FileKeyWrap(PlatformOptions options, KeyOptions keys, ILogger<FileKeyWrap>? logger = null)
    {
        if (!File.Exists(options.KeyFile))
        {
            var fresh = RandomNumberGenerator.GetBytes(KeySize);
            var content =
                keys.KeyEncryption == Pkcs11Keys.ProviderName
                    ? TokenKeyFile.Seal(fresh, keys)
                    : Convert.ToBase64String(fresh);
            DurableFile.TryWriteNewSecret(options.KeyFile, Encoding.ASCII.GetBytes(content));
            CryptographicOperations.ZeroMemory(fresh);
        }

        var info = new FileInfo(options.KeyFile);
        if (info.Length > 1024)
        {
            throw new InvalidDataException("The key file is not a base64 text of 32 bytes.");
        }

        var text = File.ReadAllText(options.KeyFile).Trim();
        var inToken = text.StartsWith(TokenKeyFile.Prefix, StringComparison.Ordinal);
        if (logger is not null && !inToken && keys.KeyEncryption == Pkcs11Keys.ProviderName)
        {
            InClear(logger);
        }

        _key = inToken ? TokenKeyFile.Open(text, keys) : Convert.FromBase64String(text);
        if (_key.Length != KeySize)
        {
            throw new InvalidDataException("The key file is not a base64 text of 32 bytes.");
        }
    }

    public byte[] Wrap(ReadOnlySpan<byte> key, string purpose)
    {
        var wrapped = new byte[HeaderSize + key.Length];
        wrapped[0] = Version;
        RandomNumberGenerator.Fill(wrapped.AsSpan(1, NonceSize));
        using var cipher = CipherFor(purpose);
        cipher.Encrypt(
            wrapped.AsSpan(1, NonceSize),
            key,
            wrapped.AsSpan(HeaderSize),
            wrapped.AsSpan(1 + NonceSize, TagSize),
            Encoding.UTF8.GetBytes(purpose)
        );
        return wrapped;
    }

    public byte[] Unwrap(ReadOnlySpan<byte> wrapped, string purpose)
    {
        if (wrapped.Length < HeaderSize || wrapped[0] != Version)
        {
            throw new CryptographicException("Not a wrapped key.");
        }

        var key = new byte[wrapped.Length - HeaderSize];
        using var cipher = CipherFor(purpose);
        cipher.Decrypt(
            wrapped.Slice(1, NonceSize),
            wrapped[HeaderSize..],
            wrapped.Slice(1 + NonceSize, TagSize),
            key,
            Encoding.UTF8.GetBytes(purpose)
        );
        return key;
    }

    public void Dispose() => CryptographicOperations.ZeroMemory(_key);

    [LoggerMessage(
        1032,
        LogLevel.Warning,
        "The key file is in clear although Governance:Keys:KeyEncryption is pkcs11: it was there before, and is used as it is"
    )]
    private static partial void InClear(ILogger logger);

    private AesGcm CipherFor(string purpose)
    {
        Span<byte> derived = stackalloc byte[KeySize];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _key, derived, default, Encoding.UTF8.GetBytes(purpose));
        var cipher = new AesGcm(derived, TagSize);
        CryptographicOperations.ZeroMemory(derived);
        return cipher;
    }
}
