using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.Pkcs;
using System.Security.Cryptography.X509Certificates;

namespace Governance.Signing.Engine;

/// <summary>Timestamp responses of RFC 3161 with SHA-256, whole seconds, and the authority's certificate inside.</summary>
internal static class Rfc3161
{
    private const string Sha256 = "2.16.840.1.101.3.4.2.1";
    private const string TimestampInfo = "1.2.840.113549.1.9.16.1.4";
    private const string SigningCertificateV2 = "1.2.840.113549.1.9.16.2.47";

    // The policy that Sigstore's own timestamp authority names when it is run privately.
    private const string Policy = "1.3.6.1.4.1.57264.2";
    private const int MaxBytes = 64 * 1024;

    /// <summary>A granted response over the data; its serial number is a hash of them, for no data are stamped twice.</summary>
    /// <param name="data">What is stamped: the raw bytes of a signature.</param>
    /// <param name="authority">The authority's certificate.</param>
    /// <param name="key">Its key.</param>
    /// <param name="now">The time, UTC; fractions of seconds are cut off.</param>
    public static byte[] Issue(ReadOnlySpan<byte> data, X509Certificate2 authority, ECDsa key, DateTimeOffset now)
    {
        var imprint = SHA256.HashData(data);
        var cms = new SignedCms(new ContentInfo(new Oid(TimestampInfo), Info(imprint, now)), detached: false);
        var signer = new CmsSigner(SubjectIdentifierType.IssuerAndSerialNumber, authority, key)
        {
            DigestAlgorithm = new Oid(Sha256),
            IncludeOption = X509IncludeOption.EndCertOnly,
        };
        signer.SignedAttributes.Add(new Pkcs9SigningTime(now.UtcDateTime));
        signer.SignedAttributes.Add(new AsnEncodedData(new Oid(SigningCertificateV2), CertificateId(authority)));
        cms.ComputeSignature(signer, silent: true);
        var response = new AsnWriter(AsnEncodingRules.DER);
        using (response.PushSequence())
        {
            using (response.PushSequence())
            {
                response.WriteInteger(0);
            }

            response.WriteEncodedValue(cms.Encode());
        }

        return response.Encode();
    }

    /// <summary>The token of a granted response; null when it is not one or anything follows it.</summary>
    public static Rfc3161TimestampToken? Read(ReadOnlyMemory<byte> response)
    {
        try
        {
            var reader = new AsnReader(response, AsnEncodingRules.DER);
            var body = reader.ReadSequence();
            var status = body.ReadSequence();
            var token = body.ReadEncodedValue();
            return
                response.Length <= MaxBytes
                && status.TryReadInt32(out var granted)
                && granted == 0
                && !status.HasData
                && !body.HasData
                && !reader.HasData
                && Rfc3161TimestampToken.TryDecode(token, out var decoded, out var read)
                && read == token.Length
                ? decoded
                : null;
        }
        catch (Exception exception) when (exception is AsnContentException or CryptographicException)
        {
            return null;
        }
    }

    /// <summary>Whether the token is over the data.</summary>
    public static bool IsOver(this Rfc3161TimestampToken token, ReadOnlySpan<byte> data) =>
        token.TokenInfo.HashAlgorithmId.Value == Sha256
        && token.TokenInfo.GetMessageHash().Span.SequenceEqual(SHA256.HashData(data));

    /// <summary>Whether exactly this certificate, which must be for timestamping, signed the token over the data.</summary>
    public static bool IsSignedBy(this Rfc3161TimestampToken token, X509Certificate2 authority, ReadOnlySpan<byte> data)
    {
        try
        {
            return token.VerifySignatureForData(data, out var signer, [authority])
                && signer is not null
                && signer.RawData.AsSpan().SequenceEqual(authority.RawData);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static byte[] Info(byte[] imprint, DateTimeOffset now)
    {
        var serial = SHA256.HashData(imprint)[..16];
        serial[0] = (byte)((serial[0] & 0x7F) | 0x40);
        var info = new AsnWriter(AsnEncodingRules.DER);
        using (info.PushSequence())
        {
            info.WriteInteger(1);
            info.WriteObjectIdentifier(Policy);
            using (info.PushSequence())
            {
                using (info.PushSequence())
                {
                    info.WriteObjectIdentifier(Sha256);
                    info.WriteNull();
                }

                info.WriteOctetString(imprint);
            }

            info.WriteInteger(serial);
            info.WriteGeneralizedTime(now, omitFractionalSeconds: true);
        }

        return info.Encode();
    }

    // RFC 5816: the certificate that signs is itself signed, so that no other with the same key can take its place.
    private static byte[] CertificateId(X509Certificate2 authority)
    {
        var attribute = new AsnWriter(AsnEncodingRules.DER);
        using (attribute.PushSequence())
        using (attribute.PushSequence())
        using (attribute.PushSequence())
        {
            attribute.WriteOctetString(SHA256.HashData(authority.RawData));
        }

        return attribute.Encode();
    }
}
