using System.Security.Cryptography;

namespace Governance.Platform.Keys;

/// <summary>
/// An ECDSA P-256 key of which only the public half can be taken out, wherever the private one lies. Thread-safe, which the
/// platform's own keys are not.
/// </summary>
public sealed class HeldKey : ECDsa
{
    private readonly Func<byte[], byte[]> _sign;
    private readonly ECDsa _public;
    private readonly ECDsa? _own;

    private HeldKey(string place, ECDsa publicKey, Func<byte[], byte[]> sign, ECDsa? own = null)
    {
        Place = place;
        LegalKeySizesValue = [new KeySizes(256, 256, 0)];
        KeySizeValue = 256;
        (_public, _sign, _own) = (publicKey, sign, own);
    }

    /// <summary>Where the private half lies: a provider's name, or <see cref="PrivateKeys.InFiles"/>.</summary>
    public string Place { get; }

    /// <summary>A key in the memory of this process; takes ownership of it.</summary>
    public static HeldKey Of(ECDsa key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return new HeldKey(
            PrivateKeys.InFiles,
            Create(key.ExportParameters(false)),
            digest => SignAlone(key, digest),
            key
        );
    }

    /// <summary>A key of a provider. What it signs is checked before it is given out: the place may hold another key by now.</summary>
    /// <param name="provider">Where it lies.</param>
    /// <param name="reference">What finds it there.</param>
    /// <param name="spki">The public half as it was when the key was made, DER.</param>
    internal static HeldKey At(IKeyProvider provider, string reference, ReadOnlySpan<byte> spki)
    {
        var publicKey = Create();
        publicKey.ImportSubjectPublicKeyInfo(spki, out _);
        return new HeldKey(
            provider.Name,
            publicKey,
            digest =>
            {
                if (TrySign(digest) is { } signature)
                {
                    return signature;
                }

                provider.Forget(reference);
                return TrySign(digest)
                    ?? throw new KeyUnavailableException(
                        $"What {provider.Name} signed with the key {reference} is not by the key that was made there."
                    );
            }
        );

        byte[]? TrySign(byte[] digest)
        {
            var signature = provider.Sign(reference, digest);
            lock (publicKey)
            {
                return publicKey.VerifyHash(digest, signature) ? signature : null;
            }
        }
    }

    /// <summary>Throws <see cref="KeyUnavailableException"/> unless the key signs now.</summary>
    public void Check()
    {
        // A text that no protocol signs.
        var nonce = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        _ = SignHash(SHA256.HashData(System.Text.Encoding.ASCII.GetBytes($"governance: does this key sign? {nonce}")));
    }

    /// <inheritdoc />
    public override byte[] SignHash(byte[] hash) => _sign(hash);

    /// <inheritdoc />
    public override bool VerifyHash(byte[] hash, byte[] signature)
    {
        lock (_public)
        {
            return _public.VerifyHash(hash, signature);
        }
    }

    /// <inheritdoc />
    public override ECParameters ExportParameters(bool includePrivateParameters)
    {
        if (includePrivateParameters)
        {
            throw new CryptographicException("The private half of this key stays where it is.");
        }

        lock (_public)
        {
            return _public.ExportParameters(false);
        }
    }

    /// <inheritdoc />
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _own?.Dispose();
            _public.Dispose();
        }

        base.Dispose(disposing);
    }

    private static byte[] SignAlone(ECDsa key, byte[] digest)
    {
        lock (key)
        {
            return key.SignHash(digest);
        }
    }
}
