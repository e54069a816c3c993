using System.Formats.Asn1;
using System.Security.Cryptography;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.HighLevelAPI;
using Net.Pkcs11Interop.HighLevelAPI.Factories;

namespace Governance.Platform.Keys;

/// <summary>
/// Keys in a PKCS#11 token (OASIS PKCS#11 2.40 §2.3: CKM_EC_KEY_PAIR_GEN, CKM_ECDSA), sensitive and not extractable. A key is found
/// by its random CKA_ID; a key of that ID that may be taken out is not taken.
/// </summary>
internal sealed class Pkcs11Keys(KeyOptions options) : IKeyProvider, IDisposable
{
    public const string ProviderName = "pkcs11";
    private const int IdLength = 16;

    // namedCurve: 1.2.840.10045.3.1.7.
    private static readonly byte[] Curve = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    private readonly Pkcs11Sessions _sessions = new(options);

    public string Name => ProviderName;

    private static IObjectAttributeFactory Attributes => Pkcs11Modules.Factories.ObjectAttributeFactory;

    public void Check() => _sessions.Use("answer", session => session.GetSessionInfo().State);

    public MadeKey Make(string label) => _sessions.Use("make a key", session => Make(session, label));

    public byte[] Sign(string reference, ReadOnlySpan<byte> digest)
    {
        var data = digest.ToArray();
        return _sessions.Use(
            "sign",
            session =>
            {
                var key = _sessions.Find(reference, () => Find(session, reference));
                using var mechanism = Pkcs11Modules.Factories.MechanismFactory.Create(CKM.CKM_ECDSA);
                return session.Sign(mechanism, key, data);
            }
        );
    }

    public void Forget(string reference) => _sessions.Forget(reference);

    public void Dispose() => _sessions.Dispose();

    private static MadeKey Make(ISession session, string label)
    {
        // Another one for each attempt: a token that made the key and lost its session would have two of a number.
        var id = RandomNumberGenerator.GetBytes(IdLength);
        using var mechanism = Pkcs11Modules.Factories.MechanismFactory.Create(CKM.CKM_EC_KEY_PAIR_GEN);
        session.GenerateKeyPair(
            mechanism,
            [
                Attributes.Create(CKA.CKA_TOKEN, true),
                Attributes.Create(CKA.CKA_LABEL, label),
                Attributes.Create(CKA.CKA_ID, id),
                Attributes.Create(CKA.CKA_VERIFY, true),
                Attributes.Create(CKA.CKA_EC_PARAMS, Curve),
            ],
            [
                Attributes.Create(CKA.CKA_TOKEN, true),
                Attributes.Create(CKA.CKA_PRIVATE, true),
                Attributes.Create(CKA.CKA_LABEL, label),
                Attributes.Create(CKA.CKA_ID, id),
                Attributes.Create(CKA.CKA_SENSITIVE, true),
                Attributes.Create(CKA.CKA_EXTRACTABLE, false),
                Attributes.Create(CKA.CKA_SIGN, true),
            ],
            out var publicKey,
            out _
        );
        var point = session.GetAttributeValue(publicKey, [CKA.CKA_EC_POINT])[0].GetValueAsByteArray();
        return new MadeKey(Convert.ToHexStringLower(id), SpkiOf(point));
    }

    private static IObjectHandle Find(ISession session, string reference)
    {
        var found = session.FindAllObjects([
            Attributes.Create(CKA.CKA_CLASS, CKO.CKO_PRIVATE_KEY),
            Attributes.Create(CKA.CKA_ID, Convert.FromHexString(reference)),
            Attributes.Create(CKA.CKA_SIGN, true),
            Attributes.Create(CKA.CKA_SENSITIVE, true),
            Attributes.Create(CKA.CKA_EXTRACTABLE, false),
        ]);
        return found is [var only]
            ? only
            : throw new KeyUnavailableException(
                $"The PKCS#11 token has {(found.Count == 0 ? "no" : "more than one")} key {reference} that cannot be taken out."
            );
    }

    // A DER OCTET STRING around the uncompressed point; some tokens leave the first out.
    private static byte[] SpkiOf(byte[] value)
    {
        var point =
            value.Length == 67
            && AsnDecoder.TryReadPrimitiveOctetString(value, AsnEncodingRules.DER, out var inner, out _)
                ? inner
                : value;
        if (point.Length != 65 || point[0] != 4)
        {
            throw new KeyUnavailableException("The PKCS#11 token made a key that is not one on P-256.");
        }

        using var key = ECDsa.Create(
            new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                Q = new ECPoint { X = point[1..33].ToArray(), Y = point[33..].ToArray() },
            }
        );
        return key.ExportSubjectPublicKeyInfo();
    }
}
