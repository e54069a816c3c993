using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Governance.Audit.Contracts;
using Governance.Kernel;
using Governance.Platform.Keys;
using Governance.Signing.Engine;

namespace Governance.Signing.Keys;

/// <summary>A key as others may know it.</summary>
/// <param name="Generation">Task, number and window.</param>
/// <param name="Spki">SubjectPublicKeyInfo, DER.</param>
/// <param name="CreatedAt">UTC.</param>
/// <param name="Place">Where its private half lies.</param>
internal sealed record KnownKey(KeyGeneration Generation, byte[] Spki, DateTimeOffset CreatedAt, string Place)
{
    public string Pem => PemEncoding.WriteString("PUBLIC KEY", Spki) + "\n";

    /// <summary>SHA-256 of the PEM text: the key hint of model signatures.</summary>
    public string Id => Digest.Of(Pem).Hex;
}

/// <summary>Every key that can be replaced, and which of them had a part in a signature.</summary>
internal sealed class KeyCatalogue(GatewaySigner signer, Authorities authorities, ISignatureLog signatures)
{
    public const string SignatureLogName = "signature-log";

    public static IReadOnlyList<string> Names { get; } =
    [
        GatewaySigner.Name,
        Authorities.IssuerName,
        Authorities.CertificateLogName,
        Authorities.TimeName,
        SignatureLogName,
    ];

    public IReadOnlyList<KnownKey> All =>
        [
            .. signer.Keys.Select(key => new KnownKey(
                key.Generation,
                key.Key.Signer.SubjectPublicKeyInfo,
                key.Key.CreatedAt,
                key.Key.Key.Place
            )),
            .. authorities.Issuers.Concat(authorities.Times).Select(key => Of(key.Generation, key.Key)),
            .. authorities.CertificateLogs.Select(key => new KnownKey(
                key.Generation,
                key.Key.Spki,
                key.Key.CreatedAt,
                key.Key.Key.Place
            )),
            .. signatures.Keys.Select(key => new KnownKey(key.Generation, key.Spki, key.CreatedAt, key.Place)),
        ];

    /// <summary>Throws <see cref="KeyUnavailableException"/> unless every key that is to sign now does.</summary>
    public void Check()
    {
        signer.Check();
        authorities.Check();
        signatures.CheckKey();
    }

    /// <summary>The keys that had a part in a bundle of the gateway's, each with the time at which it signed.</summary>
    public IEnumerable<(KnownKey Key, DateTimeOffset At)> PartsOf(SignedBundle bundle, DateTimeOffset recorded)
    {
        var all = All;
        var timestamp = bundle.Identity?.Timestamp ?? bundle.Timestamp;
        var stamped = timestamp is null ? null : Rfc3161.Read(timestamp);
        var at = stamped?.TokenInfo.Timestamp ?? recorded;
        if (bundle.KeyHint is not null && all.FirstOrDefault(key => key.Id == bundle.KeyHint) is { } signing)
        {
            yield return (signing, at);
        }

        if (Stamper(stamped?.AsSignedCms().Certificates) is { } time && Find(all, time) is { } authority)
        {
            yield return (authority, at);
        }

        if (bundle.Identity is not { } material)
        {
            yield break;
        }

        if (all.FirstOrDefault(key => IsLog(key, material.LogId)) is { } log)
        {
            yield return (log, material.Entry.IntegratedAt);
        }

        using var certificate = X509CertificateLoader.LoadCertificate(material.Certificate);
        var by = certificate
            .Extensions.OfType<X509AuthorityKeyIdentifierExtension>()
            .FirstOrDefault()
            ?.KeyIdentifier?.ToArray();
        if (Issuer(by) is { } issuer)
        {
            yield return (issuer, at);
        }

        if (
            CertificateTimestamp.Read(certificate) is { } sct
            && all.FirstOrDefault(key => IsLog(key, sct.LogId)) is { } certificates
        )
        {
            yield return (certificates, sct.At);
        }
    }

    private KnownKey? Issuer(byte[]? identifier) =>
        authorities
            .Issuers.Where(key =>
                key.Key.Certificate.Extensions.OfType<X509SubjectKeyIdentifierExtension>().FirstOrDefault() is { } own
                && own.SubjectKeyIdentifierBytes.Span.SequenceEqual(identifier)
            )
            .Select(key => Of(key.Generation, key.Key))
            .FirstOrDefault();

    private static byte[]? Stamper(X509Certificate2Collection? certificates) =>
        certificates is [var only] ? only.PublicKey.ExportSubjectPublicKeyInfo() : null;

    private static KnownKey? Find(IReadOnlyList<KnownKey> all, byte[] spki) =>
        all.FirstOrDefault(key => key.Spki.AsSpan().SequenceEqual(spki));

    private static bool IsLog(KnownKey key, byte[] logId) => logId.AsSpan().SequenceEqual(SHA256.HashData(key.Spki));

    private static KnownKey Of(KeyGeneration generation, CertifiedKey key) =>
        new(generation, key.Certificate.PublicKey.ExportSubjectPublicKeyInfo(), key.Start, key.Key.Place);
}
