using System.Security.Cryptography;

namespace Governance.Platform.Keys;

/// <summary>
/// Seals under the key of one subject (AES-256-GCM), for as long as that is there. Layout: nonce (12, random) ‖ ciphertext ‖
/// tag (16). Thread-safe: what destroys the key waits for what uses it.
/// </summary>
public sealed class SubjectCipher
{
    /// <summary>Bytes that sealing adds.</summary>
    public const int Overhead = NonceSize + TagSize;

    private const int NonceSize = 12;
    private const int TagSize = 16;
    private readonly Lock _gate = new();
    private byte[]? _key;

    internal SubjectCipher(string subject, StoredSubjectKey stored)
    {
        Subject = subject;
        Erased = stored.Erased;
        _key = stored.Erased is null ? stored.Key : null;
    }

    /// <summary>Pseudonym.</summary>
    public string Subject { get; }

    /// <summary>The erasure, once the key is destroyed.</summary>
    public SubjectErasure? Erased { get; private set; }

    /// <summary>Seals; null when the key is destroyed.</summary>
    /// <param name="plain">What is sealed.</param>
    /// <param name="context">What it belongs to; the same is asked when it is opened.</param>
    public byte[]? Seal(ReadOnlySpan<byte> plain, ReadOnlySpan<byte> context)
    {
        var sealedBytes = new byte[plain.Length + Overhead];
        RandomNumberGenerator.Fill(sealedBytes.AsSpan(0, NonceSize));
        lock (_gate)
        {
            if (_key is null)
            {
                return null;
            }

            using var cipher = new AesGcm(_key, TagSize);
            cipher.Encrypt(
                sealedBytes.AsSpan(0, NonceSize),
                plain,
                sealedBytes.AsSpan(NonceSize, plain.Length),
                sealedBytes.AsSpan(^TagSize..),
                context
            );
        }

        return sealedBytes;
    }

    /// <summary>
    /// Opens what was sealed; null when the key is destroyed. Throws <see cref="CryptographicException"/> when it was sealed
    /// under another key, for something else, or was altered.
    /// </summary>
    public byte[]? Open(ReadOnlySpan<byte> sealedBytes, ReadOnlySpan<byte> context)
    {
        if (sealedBytes.Length < Overhead)
        {
            throw new CryptographicException("Too short to be sealed.");
        }

        var plain = new byte[sealedBytes.Length - Overhead];
        lock (_gate)
        {
            if (_key is null)
            {
                return null;
            }

            using var cipher = new AesGcm(_key, TagSize);
            cipher.Decrypt(
                sealedBytes[..NonceSize],
                sealedBytes[NonceSize..^TagSize],
                sealedBytes[^TagSize..],
                plain,
                context
            );
        }

        return plain;
    }

    /// <summary>Forgets the key: whoever still has this can do nothing with it.</summary>
    internal void Destroy(SubjectErasure erasure)
    {
        lock (_gate)
        {
            Erased = erasure;
            CryptographicOperations.ZeroMemory(_key);
            _key = null;
        }
    }
}
