using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Signing.Contracts;

namespace Governance.Signing.Engine;

/// <summary>What holds about the signer of a bundle in identity mode.</summary>
/// <param name="Identity">Whom the certificate names.</param>
/// <param name="Spki">The certified key.</param>
/// <param name="At">The authority's timestamp, UTC.</param>
internal sealed record VerifiedSigner(SignerIdentity Identity, byte[] Spki, DateTimeOffset At);

/// <summary>
/// The checks of a bundle in identity mode, each with its own code. Time comes from the bundle alone: the timestamp over the
/// signature and the log's promise. At both the certificate, its authority, the log and the timestamp authority must have been
/// valid; stock verifiers do not all enforce the windows of the trusted root, and the reference takes an expired certificate.
/// </summary>
internal static class IdentityChecks
{
    private const byte UriName = 6;
    private const byte EmailName = 1;

    public static Result<VerifiedSigner> Run(SignedBundle bundle, IdentityMaterial material, TrustedRootDocument root)
    {
        try
        {
            using var certificate = Load(material.Certificate);
            return certificate is null ? Malformed : Run(bundle, material, certificate, root);
        }
        catch (Exception exception) when (exception is CryptographicException or AsnContentException)
        {
            // The parts of a certificate are read when they are asked for: its key, usages and constraints may be anything.
            return Malformed;
        }
    }

    private static Failure Malformed =>
        SigningFailure.Of("certificate_malformed", "The bundle has no readable certificate.");

    private static Result<VerifiedSigner> Run(
        SignedBundle bundle,
        IdentityMaterial material,
        X509Certificate2 certificate,
        TrustedRootDocument root
    )
    {
        var stamped = CheckTime(bundle, material, root);
        if (!stamped.Ok)
        {
            return stamped.Failure;
        }

        if (CheckLogEntry(bundle, material, certificate, root) is { } unlogged)
        {
            return unlogged;
        }

        var identity = CheckShape(certificate);
        if (!identity.Ok)
        {
            return identity.Failure;
        }

        DateTimeOffset[] times = [stamped.Value, material.Entry.IntegratedAt];
        return CheckIssued(certificate, times, root)
            ?? (Result<VerifiedSigner>)
                new VerifiedSigner(identity.Value, certificate.PublicKey.ExportSubjectPublicKeyInfo(), stamped.Value);
    }

    // Without an authority for timestamps in the trusted root the log's promise is the time that there is.
    private static Result<DateTimeOffset> CheckTime(
        SignedBundle bundle,
        IdentityMaterial material,
        TrustedRootDocument root
    ) =>
        material.Timestamp is { } timestamp ? CheckTimestamp(bundle, timestamp, root)
        : root.TimestampAuthorities.Count == 0 ? material.Entry.IntegratedAt
        : SigningFailure.Of("timestamp_count", "The bundle must have exactly one timestamp.");

    /// <summary>The time that an authority of the trusted root gave for the signature.</summary>
    public static Result<DateTimeOffset> CheckTimestamp(SignedBundle bundle, byte[] timestamp, TrustedRootDocument root)
    {
        if (Rfc3161.Read(timestamp) is not { } token)
        {
            return SigningFailure.Of("timestamp_malformed", "The timestamp is not a granted RFC 3161 response.");
        }

        if (!token.IsOver(bundle.Signature))
        {
            return SigningFailure.Of("timestamp_mismatch", "The timestamp is over something else than this signature.");
        }

        var failure = SigningFailure.Of(
            "timestamp_invalid",
            "No timestamp authority of the trusted root signed the timestamp."
        );
        foreach (var authority in root.TimestampAuthorities)
        {
            using var signer = Load(authority.Chain[0]);
            if (signer is null || !token.IsSignedBy(signer, bundle.Signature))
            {
                continue;
            }

            var at = token.TokenInfo.Timestamp;
            if (
                authority.IsValidAt(at)
                && IssuerKey(signer, authority.Chain.Skip(1), SignerCertificates.TimeStamping, at) is not null
            )
            {
                return at;
            }

            failure = SigningFailure.Of(
                "timestamp_authority_not_valid",
                "The timestamp authority was not valid at the time that it gave."
            );
        }

        return failure;
    }

    private static Failure? CheckLogEntry(
        SignedBundle bundle,
        IdentityMaterial material,
        X509Certificate2 certificate,
        TrustedRootDocument root
    )
    {
        if (root.FindSignatureLog(material.LogId) is not var (log, name))
        {
            return SigningFailure.Of("unknown_log", "The bundle names a log that the trusted root does not list.");
        }

        if (!log.IsValidAt(material.Entry.IntegratedAt))
        {
            return SigningFailure.Of("log_key_not_valid", "The log's key was not valid at the time of the entry.");
        }

        var about = material.Entry.TreeIndex is null
            ? LogBody.Create(bundle, Pem(certificate)).AsSpan().SequenceEqual(material.Entry.Body)
            : LogBody.IsAbout(material.Entry.Body, bundle, Pem(certificate));
        if (!about)
        {
            return SigningFailure.Of(
                "log_body_mismatch",
                "The log entry is about another signature, payload or certificate than the bundle's."
            );
        }

        return SignatureLogVerifier.Verify(material.Entry, name, log.Spki) is { Ok: false } failed
            ? failed.Failure
            : null;
    }

    /// <summary>What the certificate must be by itself: a P-256 key for signing code that names one identity and its issuer.</summary>
    private static Result<SignerIdentity> CheckShape(X509Certificate2 certificate)
    {
        var authority = certificate
            .Extensions.OfType<X509BasicConstraintsExtension>()
            .Any(basic => basic.CertificateAuthority);
        var signs = certificate
            .Extensions.OfType<X509KeyUsageExtension>()
            .Any(usage => usage.KeyUsages.HasFlag(X509KeyUsageFlags.DigitalSignature));
        var signsCode = certificate
            .Extensions.OfType<X509EnhancedKeyUsageExtension>()
            .Any(usage => usage.EnhancedKeyUsages.Cast<Oid>().Any(oid => oid.Value == SignerCertificates.CodeSigning));
        if (authority || !signs || !signsCode)
        {
            return SigningFailure.Of("certificate_usage", "The certificate is not one for signing code.");
        }

        using var key = certificate.GetECDsaPublicKey();
        if (key is null || !EcdsaP256.IsP256(key))
        {
            return SigningFailure.Of("certificate_key", "The certified key is not ECDSA P-256.");
        }

        if (SubjectOf(certificate) is not { } subject)
        {
            return SigningFailure.Of(
                "certificate_identity",
                "The certificate does not name exactly one address or e-mail address."
            );
        }

        return IssuerOf(certificate) is { } issuer
            ? new SignerIdentity(subject, issuer)
            : SigningFailure.Of("certificate_issuer", "The certificate does not say who vouched for the identity.");
    }

    private static Failure? CheckIssued(X509Certificate2 certificate, DateTimeOffset[] times, TrustedRootDocument root)
    {
        var (start, end) = (certificate.NotBefore.ToUniversalTime(), certificate.NotAfter.ToUniversalTime());
        if (times.Any(time => time.UtcDateTime < start || time.UtcDateTime >= end))
        {
            return SigningFailure.Of(
                "certificate_not_valid",
                "The certificate was not valid when the signature was made."
            );
        }

        var failure = SigningFailure.Of(
            "certificate_chain",
            "The certificate was not issued by an authority of the trusted root."
        );
        foreach (var authority in root.CertificateAuthorities)
        {
            // Each of the certificates must have been valid at both times.
            var issuers = times
                .Distinct()
                .Select(time => IssuerKey(certificate, authority.Chain, SignerCertificates.CodeSigning, time))
                .ToList();
            if (issuers.Contains(null))
            {
                continue;
            }

            if (Array.TrueForAll(times, authority.IsValidAt))
            {
                return CheckCertificateTimestamp(certificate, issuers[0]!, root);
            }

            failure = SigningFailure.Of(
                "authority_not_valid",
                "The certificate authority was not valid when the signature was made."
            );
        }

        return failure;
    }

    private static Failure? CheckCertificateTimestamp(
        X509Certificate2 certificate,
        byte[] issuer,
        TrustedRootDocument root
    )
    {
        if (CertificateTimestamp.Read(certificate) is not { } sct)
        {
            return SigningFailure.Of("sct_malformed", "The certificate must carry exactly one certificate timestamp.");
        }

        if (root.FindCertificateLog(sct.LogId) is not { } log)
        {
            return SigningFailure.Of(
                "sct_unknown_log",
                "The certificate timestamp is of a log that the trusted root does not list."
            );
        }

        if (!log.IsValidAt(sct.At))
        {
            return SigningFailure.Of("sct_log_not_valid", "The log of certificates was not valid at that time.");
        }

        return sct.Verify(certificate, issuer, log.Spki)
            ? null
            : SigningFailure.Of("sct_invalid", "The log of certificates did not sign this certificate.");
    }

    /// <summary>Whom a certificate names; null when it is none.</summary>
    public static string? SubjectOf(byte[] der)
    {
        using var certificate = Load(der);
        return certificate is null ? null : SubjectOf(certificate);
    }

    /// <summary>The PEM text by which the log names a certificate; with a final newline, which .NET leaves out.</summary>
    public static string Pem(X509Certificate2 certificate) => certificate.ExportCertificatePem() + "\n";

    private static X509Certificate2? Load(byte[] der)
    {
        try
        {
            var certificate = X509CertificateLoader.LoadCertificate(der);
            if (certificate.RawData.AsSpan().SequenceEqual(der))
            {
                return certificate;
            }

            certificate.Dispose();
            return null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>
    /// The key of the certificate's issuer on an RFC 5280 path to the last of the given certificates, which alone is trusted, at
    /// a time; null when there is no such path.
    /// </summary>
    private static byte[]? IssuerKey(
        X509Certificate2 certificate,
        IEnumerable<byte[]> authorities,
        string usage,
        DateTimeOffset at
    )
    {
        var known = authorities.Select(Load).OfType<X509Certificate2>().ToList();
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = at.UtcDateTime;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(usage));
        chain.ChainPolicy.CustomTrustStore.AddRange(known.TakeLast(1).ToArray());
        chain.ChainPolicy.ExtraStore.AddRange(known.SkipLast(1).ToArray());
        var issuer =
            known.Count > 0 && chain.Build(certificate) && chain.ChainElements.Count > 1
                ? chain.ChainElements[1].Certificate.PublicKey.ExportSubjectPublicKeyInfo()
                : null;
        known.ForEach(static authority => authority.Dispose());
        return issuer;
    }

    private static string? SubjectOf(X509Certificate2 certificate)
    {
        var names = certificate
            .Extensions.Where(extension => extension.Oid?.Value == SignerCertificates.AlternativeName)
            .ToList();
        try
        {
            if (names is not [var name])
            {
                return null;
            }

            var reader = new AsnReader(name.RawData, AsnEncodingRules.DER);
            var sequence = reader.ReadSequence();
            var tag = sequence.PeekTag();
            var text =
                tag.TagClass == TagClass.ContextSpecific && tag.TagValue is UriName or EmailName
                    ? sequence.ReadCharacterString(UniversalTagNumber.IA5String, tag)
                    : null;
            return sequence.HasData || reader.HasData || string.IsNullOrEmpty(text) ? null : text;
        }
        catch (AsnContentException)
        {
            return null;
        }
    }

    private static string? IssuerOf(X509Certificate2 certificate)
    {
        var issuers = certificate
            .Extensions.Where(extension => extension.Oid?.Value == SignerCertificates.IssuerOid)
            .ToList();
        try
        {
            if (issuers is not [var issuer])
            {
                return null;
            }

            var reader = new AsnReader(issuer.RawData, AsnEncodingRules.DER);
            var text = reader.ReadCharacterString(UniversalTagNumber.UTF8String);
            return reader.HasData || text.Length == 0 ? null : text;
        }
        catch (AsnContentException)
        {
            return null;
        }
    }
}
