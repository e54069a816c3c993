using System.Security.Cryptography;
using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>ECDSA P-256 keys in PEM.</summary>
internal static class SigningKeyPem
{
    /// <summary>The SubjectPublicKeyInfo of a public key, or null when it is anything but P-256.</summary>
    public static byte[]? ReadPublic(string pem)
    {
        using var key = ECDsa.Create();
        try
        {
            if (!PemEncoding.TryFind(pem, out var fields) || pem[fields.Label] != "PUBLIC KEY")
            {
                return null;
            }

            key.ImportSubjectPublicKeyInfo(Convert.FromBase64String(pem[fields.Base64Data]), out _);
            return EcdsaP256.IsP256(key) ? key.ExportSubjectPublicKeyInfo() : null;
        }
        catch (Exception exception) when (exception is CryptographicException or FormatException)
        {
            return null;
        }
    }

    /// <summary>A private key, or null when it is anything but P-256.</summary>
    public static ECDsa? ReadPrivate(string pem)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            if (EcdsaP256.IsP256(key))
            {
                return key;
            }
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            // Falls through: whatever is wrong with the text, it is no key for us.
        }

        key.Dispose();
        return null;
    }
}
