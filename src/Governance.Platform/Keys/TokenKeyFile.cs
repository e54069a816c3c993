using System.Security.Cryptography;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;
using Net.Pkcs11Interop.HighLevelAPI.Factories;

namespace Governance.Platform.Keys;

/// <summary>
/// The key-encryption key, encrypted by an AES-256 key of a PKCS#11 token that cannot be taken out (CKM_AES_GCM). Its file then says
/// <c>pkcs11:ID:SEALED</c>: the CKA_ID of that key, hex, and nonce (12 bytes) ‖ ciphertext ‖ tag (16), base64.
/// </summary>
internal static class TokenKeyFile
{
    public const string Prefix = "pkcs11:";
    private const int IdLength = 16;
    private const int NonceLength = 12;
    private const ulong TagBits = 128;

    private static IObjectAttributeFactory Attributes => Pkcs11Modules.Factories.ObjectAttributeFactory;

    /// <summary>Makes a key in the token and encrypts with it; gives back what the file is to say.</summary>
    public static string Seal(byte[] key, KeyOptions options)
    {
        using var sessions = new Pkcs11Sessions(options);
        return sessions.Use(
            "encrypt the key-encryption key",
            session =>
            {
                var id = RandomNumberGenerator.GetBytes(IdLength);
                var nonce = RandomNumberGenerator.GetBytes(NonceLength);
                using var mechanism = Gcm(nonce);
                var encrypted = session.Encrypt(mechanism, Make(session, id), key);
                return $"{Prefix}{Convert.ToHexStringLower(id)}:{Convert.ToBase64String([.. nonce, .. encrypted])}";
            }
        );
    }

    /// <summary>Decrypts what <see cref="Seal"/> gave; throws <see cref="KeyUnavailableException"/>.</summary>
    public static byte[] Open(string text, KeyOptions options)
    {
        var parts = text[Prefix.Length..].Split(':');
        byte[] id;
        byte[] encrypted;
        try
        {
            id = Convert.FromHexString(parts[0]);
            encrypted = Convert.FromBase64String(parts.ElementAtOrDefault(1) ?? "");
        }
        catch (FormatException exception)
        {
            throw new KeyUnavailableException("The key file is damaged.", exception);
        }

        if (id.Length != IdLength || encrypted.Length <= NonceLength)
        {
            throw new KeyUnavailableException("The key file is damaged.");
        }

        using var sessions = new Pkcs11Sessions(options);
        return sessions.Use(
            "decrypt the key-encryption key",
            session =>
            {
                using var mechanism = Gcm(encrypted[..NonceLength]);
                return session.Decrypt(mechanism, Find(session, id), encrypted[NonceLength..]);
            }
        );
    }

    private static IObjectHandle Make(ISession session, byte[] id)
    {
        using var mechanism = Pkcs11Modules.Factories.MechanismFactory.Create(CKM.CKM_AES_KEY_GEN);
        return session.GenerateKey(
            mechanism,
            [
                Attributes.Create(CKA.CKA_TOKEN, true),
                Attributes.Create(CKA.CKA_PRIVATE, true),
                Attributes.Create(CKA.CKA_LABEL, "governance key-encryption"),
                Attributes.Create(CKA.CKA_ID, id),
                Attributes.Create(CKA.CKA_VALUE_LEN, 32),
                Attributes.Create(CKA.CKA_SENSITIVE, true),
                Attributes.Create(CKA.CKA_EXTRACTABLE, false),
                Attributes.Create(CKA.CKA_ENCRYPT, true),
                Attributes.Create(CKA.CKA_DECRYPT, true),
            ]
        );
    }

    private static IObjectHandle Find(ISession session, byte[] id)
    {
        var found = session.FindAllObjects([
            Attributes.Create(CKA.CKA_CLASS, CKO.CKO_SECRET_KEY),
            Attributes.Create(CKA.CKA_ID, id),
            Attributes.Create(CKA.CKA_SENSITIVE, true),
            Attributes.Create(CKA.CKA_EXTRACTABLE, false),
        ]);
        return found is [var only]
            ? only
            : throw new KeyUnavailableException("The PKCS#11 token has no key that decrypts the key-encryption key.");
    }

    private static IMechanism Gcm(byte[] nonce) =>
        Pkcs11Modules.Factories.MechanismFactory.Create(
            CKM.CKM_AES_GCM,
            Pkcs11Modules.Factories.MechanismParamsFactory.CreateCkGcmParams(
                nonce,
                (ulong)nonce.Length * 8,
                System.Text.Encoding.ASCII.GetBytes(Prefix),
                TagBits
            )
        );
}
