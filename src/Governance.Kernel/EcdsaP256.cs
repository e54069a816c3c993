using System.Security.Cryptography;

namespace Governance.Kernel;

/// <summary>ECDSA P-256 with SHA-256 and DER signatures (FIPS 186-5, RFC 3279): the one signature that every stock verifier checks.</summary>
public static class EcdsaP256
{
    private const string Curve = "1.2.840.10045.3.1.7";

    /// <summary>Signs; DER.</summary>
    public static byte[] Sign(ECDsa key, ReadOnlySpan<byte> data)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
    }

    /// <summary>Whether the holder of the key signed the data; false for any other kind of key and whatever is malformed.</summary>
    /// <param name="subjectPublicKeyInfo">The key, DER.</param>
    /// <param name="data">What was signed.</param>
    /// <param name="signature">DER.</param>
    public static bool Verify(
        ReadOnlySpan<byte> subjectPublicKeyInfo,
        ReadOnlySpan<byte> data,
        ReadOnlySpan<byte> signature
    )
    {
        using var key = ECDsa.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(subjectPublicKeyInfo, out var read);
            return read == subjectPublicKeyInfo.Length
                && IsP256(key)
                && key.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    /// <summary>Whether the key lies on P-256.</summary>
    public static bool IsP256(ECDsa key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return key.ExportParameters(false).Curve.Oid.Value == Curve;
    }
}
