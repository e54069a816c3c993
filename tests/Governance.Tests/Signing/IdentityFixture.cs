using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Audit.Engine;
using Governance.Kernel;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;

namespace Governance.Tests.Signing;

/// <summary>An authority with the key that only its owner has.</summary>
internal sealed record TestAuthority(ECDsa Key, X509Certificate2 Certificate);

/// <summary>What a forged bundle has that a real one has not; everything else is signed properly.</summary>
internal sealed record Forgery
{
    public DateTimeOffset CertifiedAt { get; init; } = IdentityFixture.Now;

    public DateTimeOffset StampedAt { get; init; } = IdentityFixture.Now;

    public DateTimeOffset IntegratedAt { get; init; } = IdentityFixture.Now;

    public byte[] Payload { get; init; } = CanonicalJson.Serialize(SigningFixture.Statement());

    public ECDsa? SignerKey { get; init; }

    public TestAuthority? Issuer { get; init; }

    public TestAuthority? TimestampAuthority { get; init; }

    public ECDsa? CertificateLog { get; init; }

    public ECDsa? SignatureLog { get; init; }

    /// <summary>Changes the certificate before it is issued, and before the log of certificates sees it.</summary>
    public Action<CertificateRequest> Certificate { get; init; } = static _ => { };

    public bool WithoutSct { get; init; }

    /// <summary>Changes the SCT after the log of certificates signed it.</summary>
    public Func<CertificateTimestamp, CertificateTimestamp> Sct { get; init; } = static sct => sct;

    /// <summary>Signs and logs another payload than the bundle has.</summary>
    public Func<SignedBundle, SignedBundle> Logged { get; init; } = static bundle => bundle;
}

/// <summary>Embedded authorities with keys at hand, to forge what the signer itself would never issue.</summary>
internal sealed class IdentityFixture : IDisposable
{
    public const string LogName = "localhost/governance/log/signatures";
    public static readonly DateTimeOffset Start = SigningFixture.Start;
    public static readonly DateTimeOffset Now = SigningFixture.Now;
    public static readonly SignerIdentity Identity = new(
        "https://localhost:8443/signers/p-1",
        "https://localhost:8443"
    );
    public static readonly SignerPolicy Policy = new(Identity.Subject, Identity.Issuer);

    public IdentityFixture()
    {
        Root = NewRoot();
        Issuer = NewIssuer(Root);
        TimestampAuthority = NewTimestampAuthority(Root);
    }

    public TestAuthority Root { get; }

    public TestAuthority Issuer { get; }

    public TestAuthority TimestampAuthority { get; }

    public ECDsa CertificateLog { get; } = NewKey();

    public ECDsa SignatureLog { get; } = NewKey();

    public OfflineVerifier Verifier { get; } =
        new(new Microsoft.Extensions.Time.Testing.FakeTimeProvider(Now.AddYears(1)));

    public TrustedRootDocument Trust =>
        new([TrustedRootDocument.EcdsaLog(LogName, SignatureLog.ExportSubjectPublicKeyInfo(), Start, null)])
        {
            CertificateAuthorities = [Trusted(Issuer)],
            CertificateLogs =
            [
                TrustedRootDocument.EcdsaLog(
                    "localhost/governance/log/certificates",
                    CertificateLog.ExportSubjectPublicKeyInfo(),
                    Start,
                    null
                ),
            ],
            TimestampAuthorities = [Trusted(TimestampAuthority)],
        };

    public static ECDsa NewKey() => ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public static TestAuthority NewRoot()
    {
        var key = NewKey();
        return new TestAuthority(key, SignerCertificates.Root(key, Start, Start.AddYears(20)));
    }

    public static TestAuthority NewIssuer(TestAuthority root, DateTimeOffset? end = null)
    {
        var key = NewKey();
        return new TestAuthority(
            key,
            SignerCertificates.Intermediate(key, root.Certificate, root.Key, Start, end ?? Start.AddYears(20))
        );
    }

    public static TestAuthority NewTimestampAuthority(TestAuthority root)
    {
        var key = NewKey();
        return new TestAuthority(
            key,
            SignerCertificates.TimestampAuthority(key, root.Certificate, root.Key, Start, Start.AddYears(20))
        );
    }

    public TrustedAuthority Trusted(TestAuthority leaf) =>
        new("https://localhost:8443", [leaf.Certificate.RawData, Root.Certificate.RawData], Start, null);

    public JsonObject Bundle(Forgery? forgery = null)
    {
        forgery ??= new Forgery();
        var key = forgery.SignerKey ?? NewKey();
        using var certificate = Certify(key, forgery);
        var bundle = new SignedBundle(null, forgery.Payload, Dsse.Sign(key, forgery.Payload));
        var authority = forgery.TimestampAuthority ?? TimestampAuthority;
        var log = forgery.SignatureLog ?? SignatureLog;
        var material = new IdentityMaterial(
            certificate.RawData,
            SHA256.HashData(log.ExportSubjectPublicKeyInfo()),
            Log(LogBody.Create(forgery.Logged(bundle), IdentityChecks.Pem(certificate)), log, forgery.IntegratedAt),
            Rfc3161.Issue(bundle.Signature, authority.Certificate, authority.Key, forgery.StampedAt)
        );
        return JsonNode.Parse((bundle with { Identity = material }).Write())!.AsObject();
    }

    /// <summary>Code of the refusal, or null.</summary>
    public string? CodeOf(JsonObject bundle, byte[]? root = null, SignerPolicy? policy = null) =>
        Verify(bundle, root, policy).Failure?.Code;

    public Result<VerifiedStatement> Verify(JsonObject bundle, byte[]? root = null, SignerPolicy? policy = null) =>
        Verifier.VerifyModel(
            Encoding.UTF8.GetBytes(bundle.ToJsonString()),
            SigningFixture.Model(),
            root ?? Write(Trust),
            policy ?? Policy
        );

    public static byte[] Write(TrustedRootDocument root) => CanonicalJson.Serialize(root.Write());

    public void Dispose()
    {
        CertificateLog.Dispose();
        SignatureLog.Dispose();
        foreach (var authority in new[] { Root, Issuer, TimestampAuthority })
        {
            authority.Certificate.Dispose();
            authority.Key.Dispose();
        }
    }

    private X509Certificate2 Certify(ECDsa key, Forgery forgery)
    {
        var issuer = forgery.Issuer ?? Issuer;
        using var bare = Issue(null);
        var sct = CertificateTimestamp.Sign(
            bare,
            issuer.Certificate.PublicKey.ExportSubjectPublicKeyInfo(),
            forgery.CertificateLog ?? CertificateLog,
            forgery.CertifiedAt
        );
        return Issue(
            forgery.WithoutSct
                ? null
                : new X509Extension(CertificateTimestamp.Oid, forgery.Sct(sct).Encode(), critical: false)
        );

        X509Certificate2 Issue(X509Extension? last)
        {
            var request = SignerCertificates.SignerRequest(key, Identity);
            forgery.Certificate(request);
            return SignerCertificates.Issue(
                request,
                key,
                issuer.Certificate,
                issuer.Key,
                forgery.CertifiedAt,
                forgery.CertifiedAt.AddMinutes(10),
                last
            );
        }
    }

    // The entry is the seventh and last of its log.
    private static LoggedSignature Log(byte[] body, ECDsa key, DateTimeOffset at)
    {
        var tree = new TreeBuilder();
        for (var i = 0; i < 6; i++)
        {
            tree.Append(MerkleTree.HashLeaf([(byte)i]));
        }

        var hashes = tree.Edge.Reverse().ToList();
        tree.Append(MerkleTree.HashLeaf(body));
        var spki = key.ExportSubjectPublicKeyInfo();
        return new LoggedSignature
        {
            Body = body,
            Index = 6,
            IntegratedAt = at,
            Promise = EcdsaP256.Sign(key, SignatureLogVerifier.Promised(body, at, 6, spki)),
            Size = tree.Size,
            Root = tree.Root,
            Hashes = hashes,
            Checkpoint = new SignatureCheckpoint(LogName, tree.Size, tree.Root).Sign(key),
        };
    }
}
