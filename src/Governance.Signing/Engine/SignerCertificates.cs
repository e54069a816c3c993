using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Signing.Contracts;

namespace Governance.Signing.Engine;

/// <summary>
/// Issues the certificates of the embedded authorities in the shapes that stock verifiers accept: Fulcio's for signers,
/// RFC 3161 §2.3 for the timestamp authority. ECDSA P-256 and SHA-256 throughout.
/// </summary>
internal static class SignerCertificates
{
    public const string CodeSigning = "1.3.6.1.5.5.7.3.3";
    public const string TimeStamping = "1.3.6.1.5.5.7.3.8";
    public const string AlternativeName = "2.5.29.17";

    /// <summary>Fulcio: the issuer of the identity, DER UTF8String; the older one holds the bare bytes.</summary>
    public const string IssuerOid = "1.3.6.1.4.1.57264.1.8";
    private const string OldIssuerOid = "1.3.6.1.4.1.57264.1.1";
    private const string Organization = "O=Governance, CN=Governance";

    public static X509Certificate2 Root(ECDsa key, DateTimeOffset start, DateTimeOffset end)
    {
        var request = Authority("root", key, pathLength: 1);
        request.CertificateExtensions.Add(
            X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier(
                request.CertificateExtensions.OfType<X509SubjectKeyIdentifierExtension>().Single()
            )
        );
        return request.Create(
            request.SubjectName,
            X509SignatureGenerator.CreateForECDsa(key),
            start,
            end,
            SerialOf(key)
        );
    }

    /// <summary>The authority that issues to signers and to nobody else.</summary>
    public static X509Certificate2 Intermediate(
        ECDsa key,
        X509Certificate2 root,
        ECDsa rootKey,
        DateTimeOffset start,
        DateTimeOffset end
    )
    {
        var request = Authority("signers", key, pathLength: 0);
        request.CertificateExtensions.Add(Usage(CodeSigning, critical: false));
        return Issue(request, key, root, rootKey, start, end);
    }

    public static X509Certificate2 TimestampAuthority(
        ECDsa key,
        X509Certificate2 root,
        ECDsa rootKey,
        DateTimeOffset start,
        DateTimeOffset end
    )
    {
        var request = Request($"{Organization} time", key);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(Usage(TimeStamping, critical: true));
        return Issue(request, key, root, rootKey, start, end);
    }

    /// <summary>
    /// A signer's certificate with an SCT. It is made twice: the first, without, is what the SCT signs (RFC 6962 §3.2).
    /// </summary>
    public static X509Certificate2 Signer(
        ECDsa key,
        SignerIdentity identity,
        X509Certificate2 authority,
        ECDsa authorityKey,
        ECDsa logKey,
        DateTimeOffset now,
        DateTimeOffset end
    )
    {
        var start = DateTimeOffset.FromUnixTimeSeconds(now.ToUnixTimeSeconds());
        using var bare = Issue(SignerRequest(key, identity), key, authority, authorityKey, start, end);
        var sct = CertificateTimestamp.Sign(bare, authority.PublicKey.ExportSubjectPublicKeyInfo(), logKey, now);
        return Issue(
            SignerRequest(key, identity),
            key,
            authority,
            authorityKey,
            start,
            end,
            new X509Extension(CertificateTimestamp.Oid, sct.Encode(), false)
        );
    }

    public static CertificateRequest SignerRequest(ECDsa key, SignerIdentity identity)
    {
        var request = Request("", key);
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(Usage(CodeSigning, critical: false));
        var name = new SubjectAlternativeNameBuilder();
        name.AddUri(new Uri(identity.Subject));
        request.CertificateExtensions.Add(name.Build(critical: true));
        request.CertificateExtensions.Add(
            new X509Extension(OldIssuerOid, System.Text.Encoding.UTF8.GetBytes(identity.Issuer), false)
        );
        var issuer = new AsnWriter(AsnEncodingRules.DER);
        issuer.WriteCharacterString(UniversalTagNumber.UTF8String, identity.Issuer);
        request.CertificateExtensions.Add(new X509Extension(IssuerOid, issuer.Encode(), false));
        return request;
    }

    private static CertificateRequest Authority(string name, ECDsa key, int pathLength)
    {
        var request = Request($"{Organization} {name}", key);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, pathLength, true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true)
        );
        return request;
    }

    private static CertificateRequest Request(string name, ECDsa key)
    {
        var request = new CertificateRequest(new X500DistinguishedName(name), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return request;
    }

    private static X509EnhancedKeyUsageExtension Usage(string oid, bool critical) => new([new Oid(oid)], critical);

    public static X509Certificate2 Issue(
        CertificateRequest request,
        ECDsa key,
        X509Certificate2 issuer,
        ECDsa issuerKey,
        DateTimeOffset start,
        DateTimeOffset end,
        X509Extension? last = null
    )
    {
        request.CertificateExtensions.Add(
            X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuer, true, false)
        );
        if (last is not null)
        {
            request.CertificateExtensions.Add(last);
        }

        return request.Create(
            issuer.SubjectName,
            X509SignatureGenerator.CreateForECDsa(issuerKey),
            start,
            end,
            SerialOf(key)
        );
    }

    // Every certificate has a key of its own, so a hash of the key is a serial number that never comes twice.
    private static byte[] SerialOf(ECDsa key)
    {
        var serial = SHA256.HashData(key.ExportSubjectPublicKeyInfo())[..16];
        serial[0] = (byte)((serial[0] & 0x7F) | 0x40);
        return serial;
    }
}
