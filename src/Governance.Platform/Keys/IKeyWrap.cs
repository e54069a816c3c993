namespace Governance.Platform.Keys;

/// <summary>
/// Wraps keys at rest under the key-encryption key of the installation (AES-256-GCM under an HKDF-SHA-256 key per purpose).
/// The key-encryption key never lies in the data directory.
/// </summary>
public interface IKeyWrap
{
    /// <summary>Encrypts a key for one purpose; the purpose is authenticated and must match on unwrapping.</summary>
    byte[] Wrap(ReadOnlySpan<byte> key, string purpose);

    /// <summary>Decrypts; throws <see cref="System.Security.Cryptography.CryptographicException"/> when key, purpose or bytes differ.</summary>
    byte[] Unwrap(ReadOnlySpan<byte> wrapped, string purpose);
}
