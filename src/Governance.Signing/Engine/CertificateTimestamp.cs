using System.Buffers.Binary;
using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>
/// A signed certificate timestamp inside a certificate (RFC 6962 §3.2, §3.3): version 1, ECDSA P-256, no extensions, the only one
/// of its list.
/// </summary>
internal sealed record CertificateTimestamp(byte[] LogId, DateTimeOffset At, byte[] Signature)
{
    public const string Oid = "1.3.6.1.4.1.11129.2.4.2";
    private const byte Sha256 = 4;
    private const byte Ecdsa = 3;

    // The year 10000.
    private const long MaxMilliseconds = 253_402_300_800_000;

    // Length of the list, of the SCT; version, log, time; length of extensions; algorithm; length of the signature.
    private const int HeaderLength = 2 + 2 + 1 + 32 + 8 + 2 + 2 + 2;

    public static CertificateTimestamp Sign(X509Certificate2 bare, byte[] issuerSpki, ECDsa logKey, DateTimeOffset now)
    {
        var at = DateTimeOffset.FromUnixTimeMilliseconds(now.ToUnixTimeMilliseconds());
        return new CertificateTimestamp(
            SHA256.HashData(logKey.ExportSubjectPublicKeyInfo()),
            at,
            EcdsaP256.Sign(logKey, Signed(at, issuerSpki, WithoutTimestamps(bare)))
        );
    }

    /// <summary>The value of the extension: an OCTET STRING of the TLS list.</summary>
    public byte[] Encode()
    {
        var list = new byte[HeaderLength + Signature.Length];
        var writer = list.AsSpan();
        BinaryPrimitives.WriteUInt16BigEndian(writer, (ushort)(list.Length - 2));
        BinaryPrimitives.WriteUInt16BigEndian(writer[2..], (ushort)(list.Length - 4));
        LogId.CopyTo(writer[5..]);
        BinaryPrimitives.WriteInt64BigEndian(writer[37..], At.ToUnixTimeMilliseconds());
        (writer[47], writer[48]) = (Sha256, Ecdsa);
        BinaryPrimitives.WriteUInt16BigEndian(writer[49..], (ushort)Signature.Length);
        Signature.CopyTo(writer[51..]);
        var asn = new AsnWriter(AsnEncodingRules.DER);
        asn.WriteOctetString(list);
        return asn.Encode();
    }

    /// <summary>The SCT of a certificate; null unless there is exactly one, in exactly the form that <see cref="Encode"/> writes.</summary>
    public static CertificateTimestamp? Read(X509Certificate2 certificate)
    {
        if (certificate.Extensions.Where(extension => extension.Oid?.Value == Oid).ToList() is not [var extension])
        {
            return null;
        }

        try
        {
            var list = new AsnReader(extension.RawData, AsnEncodingRules.DER).ReadOctetString();
            var at = list.Length > HeaderLength ? BinaryPrimitives.ReadInt64BigEndian(list.AsSpan(37)) : -1;
            if (at is < 0 or >= MaxMilliseconds)
            {
                return null;
            }

            var read = new CertificateTimestamp(
                list[5..37],
                DateTimeOffset.FromUnixTimeMilliseconds(at),
                list[HeaderLength..]
            );
            return read.Encode().AsSpan().SequenceEqual(extension.RawData) ? read : null;
        }
        catch (AsnContentException)
        {
            return null;
        }
    }

    /// <summary>Whether the log signed this certificate, as issued by this authority.</summary>
    public bool Verify(X509Certificate2 certificate, byte[] issuerSpki, ReadOnlySpan<byte> logSpki) =>
        EcdsaP256.Verify(logSpki, Signed(At, issuerSpki, WithoutTimestamps(certificate)), Signature);

    // digitally-signed struct of RFC 6962 §3.2: version 1, certificate_timestamp, precert_entry, no extensions.
    private static byte[] Signed(DateTimeOffset at, byte[] issuerSpki, byte[] body)
    {
        var header = new byte[12];
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(2), at.ToUnixTimeMilliseconds());
        header[11] = 1;
        return
        [
            .. header,
            .. SHA256.HashData(issuerSpki),
            (byte)(body.Length >> 16),
            (byte)(body.Length >> 8),
            (byte)body.Length,
            .. body,
            0,
            0,
        ];
    }

    /// <summary>The TBSCertificate with the SCT extension taken out: what the log saw before there was an SCT.</summary>
    private static byte[] WithoutTimestamps(X509Certificate2 certificate)
    {
        var extensionsTag = new Asn1Tag(TagClass.ContextSpecific, 3, isConstructed: true);
        var body = new AsnReader(certificate.RawData, AsnEncodingRules.DER).ReadSequence().ReadSequence();
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            while (body.HasData)
            {
                if (body.PeekTag() != extensionsTag)
                {
                    writer.WriteEncodedValue(body.ReadEncodedValue().Span);
                    continue;
                }

                var extensions = body.ReadSequence(extensionsTag).ReadSequence();
                using (writer.PushSequence(extensionsTag))
                using (writer.PushSequence())
                {
                    while (extensions.HasData)
                    {
                        var encoded = extensions.ReadEncodedValue();
                        if (new AsnReader(encoded, AsnEncodingRules.DER).ReadSequence().ReadObjectIdentifier() != Oid)
                        {
                            writer.WriteEncodedValue(encoded.Span);
                        }
                    }
                }
            }
        }

        return writer.Encode();
    }
}
