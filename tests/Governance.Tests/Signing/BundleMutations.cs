using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;

namespace Governance.Tests.Signing;

/// <summary>A bundle with one thing wrong.</summary>
/// <param name="Check">The check that it breaks.</param>
/// <param name="Name">What was done.</param>
/// <param name="Bundle">The bundle.</param>
/// <param name="Codes">What our verifier may say.</param>
internal sealed record Mutation(string Check, string Name, JsonObject Bundle, params string[] Codes)
{
    public required byte[] Root { get; init; }

    public SignerPolicy Policy { get; init; } = SignerPolicy.Anybody;

    /// <summary>False where stock verifiers look away.</summary>
    public bool Stock { get; init; } = true;
}

/// <summary>Everything that can be wrong with a bundle, in identity mode and in key mode, one thing at a time.</summary>
internal sealed class BundleMutations(IdentityFixture fixture, SigningFixture keys)
{
    // The status of a timestamp response, INTEGER 0.
    private static readonly byte[] Granted = [0x02, 0x01, 0x00];

    private readonly List<Mutation> _all = [];
    private readonly JsonObject _bundle = fixture.Bundle();
    private readonly byte[] _root = IdentityFixture.Write(fixture.Trust);

    public JsonObject Identity => _bundle;

    public byte[] Root => _root;

    public IReadOnlyList<Mutation> All()
    {
        Form();
        Envelope();
        LogEntry();
        Checkpoint();
        Timestamp();
        Certificates();
        Forged();
        Windows();
        Policies();
        KeyMode();
        return _all;
    }

    private void Form()
    {
        Change("media_type", "v9.9", b => b["mediaType"] = "application/vnd.dev.sigstore.bundle.v9+json");
        Change("media_type", "none", b => b.Remove("mediaType"));
        Change("media_type", "another", b => b["mediaType"] = "text/plain");
        Change("bundle_members", "no envelope", b => b.Remove("dsseEnvelope"));
        Ours("bundle_members", "unknown member", b => b["extra"] = 1);
        Change("verification_material", "no material", b => b.Remove("verificationMaterial"), "bundle_members");
        Change(
            "verification_material",
            "chain",
            b =>
                Material(b)["x509CertificateChain"] = new JsonObject
                {
                    ["certificates"] = new JsonArray(Take(Material(b), "certificate")),
                }
        );
        Change("verification_material", "no certificate", b => Material(b).Remove("certificate"));
        Change("verification_material", "no entries", b => Material(b).Remove("tlogEntries"));
        Change("verification_material", "no timestamps", b => Material(b).Remove("timestampVerificationData"));
        Change("log_entry_count", "none", b => Material(b)["tlogEntries"] = new JsonArray());
        Change(
            "log_entry_count",
            "twice the same",
            b => Material(b)["tlogEntries"]!.AsArray().Add(Entry(b).DeepClone())
        );
        Change("timestamp_count", "none", b => Stamps(b).Clear());
        Change("timestamp_count", "twice the same", b => Stamps(b).Add(Stamps(b)[0]!.DeepClone()));
        Ours("verification_material", "unknown member", b => Material(b)["extra"] = 1);
    }

    private void Envelope()
    {
        Flips("payload", 12, b => b["dsseEnvelope"]!.AsObject(), "payload", "log_body_mismatch");
        Flips(
            "signature",
            12,
            b => b["dsseEnvelope"]!["signatures"]![0]!.AsObject(),
            "sig",
            "signature_format",
            "timestamp_mismatch"
        );
        Change("payload_type", "text", b => b["dsseEnvelope"]!["payloadType"] = "text/plain");
        Change("payload_type", "json", b => b["dsseEnvelope"]!["payloadType"] = "application/json");
        Change("payload_type", "case", b => b["dsseEnvelope"]!["payloadType"] = "application/vnd.in-toto+JSON");
        Change("signature_count", "none", b => b["dsseEnvelope"]!["signatures"] = new JsonArray());
        Change(
            "signature_count",
            "two",
            b => b["dsseEnvelope"]!["signatures"]!.AsArray().Add(b["dsseEnvelope"]!["signatures"]![0]!.DeepClone())
        );
        Change("signature", "empty", b => b["dsseEnvelope"]!["signatures"]![0]!["sig"] = "", "signature_format");
        Change("payload", "empty", b => b["dsseEnvelope"]!["payload"] = "", "log_body_mismatch");
        Ours("base64", "loose", b => b["dsseEnvelope"]!["payload"] = $"{b["dsseEnvelope"]!["payload"]}\n");
        Change(
            "signature",
            "of another bundle",
            b => b["dsseEnvelope"]!["signatures"] = fixture.Bundle()["dsseEnvelope"]!["signatures"]!.DeepClone(),
            "timestamp_mismatch"
        );
    }

    private void LogEntry()
    {
        Flips("log_body", 16, Entry, "canonicalizedBody", "log_body_mismatch");
        Flips("log_promise", 12, b => Entry(b)["inclusionPromise"]!.AsObject(), "signedEntryTimestamp", Promise);
        Flips("log_id", 8, b => Entry(b)["logId"]!.AsObject(), "keyId", "unknown_log");
        for (var seconds = 1; seconds <= 4; seconds++)
        {
            var by = seconds;
            Change("log_time", $"+{by} s", b => Add(Entry(b), "integratedTime", by), Promise);
            Change("log_time", $"-{by} h", b => Add(Entry(b), "integratedTime", -3600 * by), Promise);
            Change("log_index", $"entry +{by}", b => Add(Entry(b), "logIndex", by), "log_entry_malformed");
            Change("log_index", $"proof -{by}", b => Add(Proof(b), "logIndex", -by), "log_entry_malformed");
            Change(
                "log_index",
                $"both -{by}",
                b =>
                {
                    Add(Entry(b), "logIndex", -by);
                    Add(Proof(b), "logIndex", -by);
                },
                Promise
            );
        }

        Change("log_entry_malformed", "no time", b => Entry(b).Remove("integratedTime"));
        Change("log_entry_malformed", "no promise, no time", b => Entry(b).Remove("inclusionPromise"));
        Change("log_entry_malformed", "no proof", b => Entry(b).Remove("inclusionProof"));
        Change("log_entry_malformed", "no checkpoint", b => Proof(b).Remove("checkpoint"));
        Change("log_entry_malformed", "no log", b => Entry(b).Remove("logId"));
        Change("log_entry_malformed", "no body", b => Entry(b).Remove("canonicalizedBody"));
        Ours("log_entry_malformed", "number as number", b => Entry(b)["logIndex"] = 6);
        Ours("log_entry_malformed", "leading zero", b => Entry(b)["logIndex"] = "06");
        Change("log_entry_kind", "none", b => Entry(b).Remove("kindVersion"));
        Change("log_entry_kind", "intoto", b => Entry(b)["kindVersion"]!["kind"] = "intoto");
        Change("log_entry_kind", "hashedrekord", b => Entry(b)["kindVersion"]!["kind"] = "hashedrekord");
        Change("log_entry_kind", "unknown", b => Entry(b)["kindVersion"]!["kind"] = "cose");
        Change("log_entry_kind", "0.0.2", b => Entry(b)["kindVersion"]!["version"] = "0.0.2");
        var hashes = Proof(_bundle)["hashes"]!.AsArray().Count;
        for (var i = 0; i < hashes; i++)
        {
            var at = i;
            foreach (var position in new[] { 0, 10, 20, 31 })
            {
                Change(
                    "inclusion",
                    $"hash {at} byte {position}",
                    b => Proof(b)["hashes"]![at] = Flip(Proof(b)["hashes"]![at]!, position),
                    Included
                );
            }

            Change("inclusion", $"without hash {at}", b => Proof(b)["hashes"]!.AsArray().RemoveAt(at), Included);
        }

        Change(
            "inclusion",
            "swapped",
            b =>
                Proof(b)["hashes"] = new JsonArray([
                    .. Proof(b)["hashes"]!.AsArray().Reverse().Select(h => h!.DeepClone()),
                ]),
            Included
        );
        Change(
            "inclusion",
            "one more",
            b => Proof(b)["hashes"]!.AsArray().Add(Proof(b)["rootHash"]!.DeepClone()),
            Included
        );
        Change("inclusion", "no hashes", b => Proof(b)["hashes"] = new JsonArray(), Included);
        Ours("proof", "root", b => Proof(b)["rootHash"] = Flip(Proof(b)["rootHash"]!, 0), "audit.proof_mismatch");
        Ours("proof", "size", b => Add(Proof(b), "treeSize", 1), "audit.proof_mismatch");
        Change(
            "log_body",
            "of another bundle, with its proofs",
            b => Material(b)["tlogEntries"] = Material(fixture.Bundle())["tlogEntries"]!.DeepClone(),
            "log_body_mismatch"
        );
    }

    private const string Promise = "audit.promise_invalid";
    private const string Included = "audit.not_included";

    private void Checkpoint()
    {
        const string code = "audit.bad_checkpoint";
        Edit("size", n => n.Replace("\n7\n", "\n8\n", StringComparison.Ordinal));
        Edit("smaller size", n => n.Replace("\n7\n", "\n6\n", StringComparison.Ordinal));
        Edit("origin", n => $"x{n}");
        Edit("name", n => n.Replace("\u2014 localhost", "\u2014 localhosx", StringComparison.Ordinal));
        Edit("no signature", n => n[..(n.IndexOf("\n\n", StringComparison.Ordinal) + 2)]);
        Edit("no separator", n => n.Replace("\n\n", "\n", StringComparison.Ordinal));
        Edit("empty", _ => "");
        Edit("another line", n => n.Replace("\n\n", "\nmore\n\n", StringComparison.Ordinal));
        Edit("another dash", n => n.Replace('\u2014', '-'));
        Edit("no size", n => n.Replace("\n7\n", "\n\n", StringComparison.Ordinal));
        Edit("size in words", n => n.Replace("\n7\n", "\nseven\n", StringComparison.Ordinal));
        foreach (var position in new[] { 0, 3, 5, 20, 40, 60 })
        {
            Edit(
                $"signature byte {position}",
                n =>
                {
                    var begin = n.TrimEnd().LastIndexOf(' ') + 1;
                    return $"{n[..begin]}{Flip(n[begin..].TrimEnd(), position)}\n";
                }
            );
        }

        foreach (var position in new[] { 0, 15, 31 })
        {
            Edit(
                $"root byte {position}",
                n =>
                {
                    var lines = n.Split('\n');
                    lines[2] = Flip(lines[2], position);
                    return string.Join('\n', lines);
                }
            );
        }

        Ours("checkpoint", "foreign line", b => Note(b, n => $"{n}\u2014 witness AAAAAAAA\n"), code);

        void Edit(string name, Func<string, string> edit) => Change("checkpoint", name, b => Note(b, edit), code);
    }

    private void Timestamp()
    {
        var response = Convert.FromBase64String(Stamps(_bundle)[0]!["signedTimestamp"]!.ToString());
        var signature = Convert.FromBase64String(_bundle["dsseEnvelope"]!["signatures"]![0]!["sig"]!.ToString());
        var imprint = response.AsSpan().IndexOf(SHA256.HashData(signature));
        var time = response.AsSpan().IndexOf("20260601000000Z"u8);
        Assert.True(imprint > 0 && time > imprint);
        foreach (var at in new[] { 0, 5, 11, 20, 31 })
        {
            Bytes("timestamp_imprint", imprint + at, "timestamp_mismatch", "timestamp_malformed");
        }

        foreach (var at in new[] { 3, 5, 7, 9, 13 })
        {
            Bytes("timestamp_time", time + at, "timestamp_invalid", "timestamp_malformed");
        }

        foreach (var back in new[] { 1, 7, 13, 20, 27, 33, 45, 60 })
        {
            Bytes("timestamp_signature", response.Length - back, "timestamp_invalid", "timestamp_malformed");
        }

        // What the authority signs beside the content: digest of it, and of its own certificate.
        var digest = response.AsSpan().LastIndexOf(SHA256.HashData(fixture.TimestampAuthority.Certificate.RawData));
        foreach (var at in new[] { 0, 9, 18, 31 })
        {
            Bytes("timestamp_attributes", digest + at, "timestamp_invalid", "timestamp_malformed");
        }

        Ours(
            "timestamp_status",
            "granted with changes",
            b =>
                Stamps(b)[0]!["signedTimestamp"] = Flip(
                    Stamps(b)[0]!["signedTimestamp"]!,
                    2 + response.AsSpan().IndexOf(Granted)
                ),
            "timestamp_malformed"
        );
        Change("timestamp_form", "empty", b => Stamps(b)[0]!["signedTimestamp"] = "", "timestamp_malformed");
        Change("timestamp_form", "no response", b => Stamps(b)[0]!["signedTimestamp"] = "MAA=", "timestamp_malformed");
        Change(
            "timestamp_form",
            "cut off",
            b => Stamps(b)[0]!["signedTimestamp"] = Convert.ToBase64String(response[..^8]),
            "timestamp_malformed"
        );
        Ours(
            "timestamp_form",
            "more behind it",
            b => Stamps(b)[0]!["signedTimestamp"] = Convert.ToBase64String([.. response, 0]),
            "timestamp_malformed"
        );
        Change(
            "timestamp_imprint",
            "of another bundle",
            b => Stamps(b)[0] = Stamps(fixture.Bundle())[0]!.DeepClone(),
            "timestamp_mismatch"
        );

        void Bytes(string check, int position, params string[] codes) =>
            Change(
                check,
                $"byte {position}",
                b => Stamps(b)[0]!["signedTimestamp"] = Flip(Stamps(b)[0]!["signedTimestamp"]!, position),
                codes
            );
    }

    private void Certificates()
    {
        var certificate = Convert.FromBase64String(Material(_bundle)["certificate"]!["rawBytes"]!.ToString());
        // What the authority signed; a stock verifier does not read the algorithm beside the signature.
        var signed = new AsnReader(certificate, AsnEncodingRules.DER).ReadSequence().PeekEncodedValue().Length;
        for (var i = 0; i < 24; i++)
        {
            var position = 8 + (i * (signed - 8) / 24);
            Change(
                "certificate",
                $"byte {position}",
                b => Material(b)["certificate"]!["rawBytes"] = Flip(Material(b)["certificate"]!["rawBytes"]!, position),
                "certificate_malformed",
                "log_body_mismatch"
            );
        }

        Change("certificate", "empty", b => Material(b)["certificate"]!["rawBytes"] = "", "certificate_malformed");
        Change(
            "certificate",
            "no certificate",
            b => Material(b)["certificate"]!["rawBytes"] = "MAA=",
            "certificate_malformed"
        );
        Change(
            "certificate",
            "of another bundle",
            b => Material(b)["certificate"] = Material(fixture.Bundle())["certificate"]!.DeepClone(),
            "log_body_mismatch"
        );
    }

    // Signed by the authorities themselves, and still wrong.
    private void Forged()
    {
        var stranger = IdentityFixture.NewRoot();
        Forge(
            "certificate_expired",
            "by a second",
            new() { CertifiedAt = IdentityFixture.Now.AddSeconds(-601) },
            "certificate_not_valid"
        );
        Forge(
            "certificate_expired",
            "by a year",
            new() { CertifiedAt = IdentityFixture.Start },
            "certificate_not_valid"
        );
        Forge(
            "certificate_early",
            "by a second",
            new() { CertifiedAt = IdentityFixture.Now.AddSeconds(1) },
            "certificate_not_valid"
        );
        Forge(
            "certificate_early",
            "by a day",
            new() { CertifiedAt = IdentityFixture.Now.AddDays(1) },
            "certificate_not_valid"
        );
        Forge(
            "time_of_timestamp",
            "after the certificate",
            new() { StampedAt = IdentityFixture.Now.AddHours(1) },
            "certificate_not_valid"
        );
        Forge(
            "time_of_timestamp",
            "before the certificate",
            new() { StampedAt = IdentityFixture.Now.AddHours(-1) },
            "certificate_not_valid"
        );
        Forge(
            "time_of_entry",
            "after the certificate",
            new() { IntegratedAt = IdentityFixture.Now.AddHours(1) },
            "certificate_not_valid"
        );
        Forge(
            "time_of_entry",
            "before the certificate",
            new() { IntegratedAt = IdentityFixture.Now.AddHours(-1) },
            "certificate_not_valid"
        );
        Forge(
            "certificate_authority",
            "another root",
            new() { Issuer = IdentityFixture.NewIssuer(stranger) },
            "certificate_chain"
        );
        Forge(
            "certificate_authority",
            "a timestamp authority",
            new() { Issuer = fixture.TimestampAuthority },
            "certificate_chain"
        );
        Forge(
            "certificate_authority",
            "another key under the same name",
            new() { Issuer = fixture.Issuer with { Key = stranger.Key } },
            "certificate_chain"
        );
        Forge("sct", "none", new() { WithoutSct = true }, "sct_malformed");
        Forge(
            "sct",
            "of another moment",
            new() { Sct = sct => sct with { At = sct.At.AddMilliseconds(1) } },
            "sct_invalid"
        );
        Forge(
            "sct",
            "over something else",
            new() { Sct = sct => sct with { Signature = EcdsaP256.Sign(fixture.CertificateLog, [1]) } },
            "sct_invalid"
        );
        Forge("sct", "of another log", new() { CertificateLog = stranger.Key }, "sct_unknown_log");
        Forge("sct", "of the signature log", new() { CertificateLog = fixture.SignatureLog }, "sct_unknown_log");
        Forge(
            "timestamp_authority",
            "another",
            new() { TimestampAuthority = IdentityFixture.NewTimestampAuthority(stranger) },
            "timestamp_invalid"
        );
        Forge(
            "timestamp_authority",
            "another of the same root",
            new() { TimestampAuthority = IdentityFixture.NewTimestampAuthority(fixture.Root) },
            "timestamp_invalid"
        );
        Forge("log_id", "another log", new() { SignatureLog = stranger.Key }, "unknown_log");
        Forge("log_id", "the log of certificates", new() { SignatureLog = fixture.CertificateLog }, "unknown_log");
        Forge(
            "log_body",
            "another payload",
            new() { Logged = b => b with { Payload = [.. b.Payload, (byte)' '] } },
            "log_body_mismatch"
        );
        Forge(
            "log_body",
            "another signature",
            new() { Logged = b => b with { Signature = Dsse.Sign(stranger.Key, b.Payload) } },
            "log_body_mismatch"
        );
        Forge(
            "certificate_usage",
            "for servers",
            new() { Certificate = Without("2.5.29.37", Usage("1.3.6.1.5.5.7.3.1")) },
            "certificate_usage",
            stock: false
        );
        Forge(
            "certificate_usage",
            "none",
            new() { Certificate = Without("2.5.29.37") },
            "certificate_usage",
            stock: false
        );
        Forge(
            "certificate_usage",
            "key agreement",
            new()
            {
                Certificate = Without("2.5.29.15", new X509KeyUsageExtension(X509KeyUsageFlags.KeyAgreement, true)),
            },
            "certificate_usage",
            stock: false
        );
        Forge(
            "certificate_usage",
            "an authority",
            new() { Certificate = Without("2.5.29.19", new X509BasicConstraintsExtension(true, false, 0, true)) },
            "certificate_usage",
            stock: false
        );
        Forge(
            "certificate_identity",
            "none",
            new() { Certificate = Without(SignerCertificates.AlternativeName) },
            "certificate_identity"
        );
        Forge(
            "certificate_identity",
            "two",
            new()
            {
                Certificate = Without(
                    SignerCertificates.AlternativeName,
                    Names(IdentityFixture.Identity.Subject, "https://a.example/")
                ),
            },
            "certificate_identity",
            stock: false
        );
        Forge(
            "certificate_issuer",
            "none",
            new() { Certificate = Without(SignerCertificates.IssuerOid) },
            "certificate_issuer",
            stock: false
        );
        Forge(
            "certificate_extension",
            "unknown and critical",
            new()
            {
                Certificate = r => r.CertificateExtensions.Add(new X509Extension("1.2.3.4", [5, 0], critical: true)),
            },
            "certificate_chain",
            stock: false
        );
        foreach (var oid in new[] { "2.5.29.15", "2.5.29.19", "2.5.29.37" })
        {
            Forge(
                "certificate_form",
                $"no value of {oid}",
                new() { Certificate = Without(oid, new X509Extension(oid, [1, 2, 3], critical: true)) },
                "certificate_malformed",
                stock: false
            );
        }

        Forge(
            "certificate_form",
            "no value of the name",
            new()
            {
                Certificate = Without(
                    SignerCertificates.AlternativeName,
                    new X509Extension(SignerCertificates.AlternativeName, [1, 2, 3], critical: true)
                ),
            },
            "certificate_identity",
            stock: false
        );
        Forge(
            "certificate_form",
            "no value of the issuer",
            new()
            {
                Certificate = Without(
                    SignerCertificates.IssuerOid,
                    new X509Extension(SignerCertificates.IssuerOid, [1, 2, 3], critical: false)
                ),
            },
            "certificate_issuer",
            stock: false
        );
        var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Forge("certificate_key", "P-384", new() { SignerKey = p384 }, "certificate_key", stock: false);
        stranger.Certificate.Dispose();
    }

    private void Windows()
    {
        var before = IdentityFixture.Now.AddSeconds(-1);
        var after = IdentityFixture.Now.AddSeconds(1);
        var (trust, authority, stamper) = (
            fixture.Trust,
            fixture.Trusted(fixture.Issuer),
            fixture.Trusted(fixture.TimestampAuthority)
        );
        With(
            "authority_window",
            "ended",
            Copy(trust, authorities: [authority with { End = before }]),
            "authority_not_valid"
        );
        With(
            "authority_window",
            "not begun",
            Copy(trust, authorities: [authority with { Start = after }]),
            "authority_not_valid"
        );
        With("authority_window", "gone", Copy(trust, authorities: []), "certificate_chain");
        With(
            "timestamp_window",
            "ended",
            Copy(trust, stampers: [stamper with { End = before }]),
            "timestamp_authority_not_valid"
        );
        With(
            "timestamp_window",
            "not begun",
            Copy(trust, stampers: [stamper with { Start = after }]),
            "timestamp_authority_not_valid"
        );
        With("timestamp_window", "gone", Copy(trust, stampers: []), "timestamp_invalid");
        With(
            "sct_window",
            "ended",
            Copy(trust, certificateLogs: [trust.CertificateLogs[0] with { End = before }]),
            "sct_log_not_valid"
        );
        With(
            "sct_window",
            "not begun",
            Copy(trust, certificateLogs: [trust.CertificateLogs[0] with { Start = after }]),
            "sct_log_not_valid"
        );
        With("sct_window", "gone", Copy(trust, certificateLogs: []), "sct_unknown_log");
        var log = TrustedRootDocument.EcdsaLog(
            IdentityFixture.LogName,
            fixture.SignatureLog.ExportSubjectPublicKeyInfo(),
            IdentityFixture.Start,
            null
        );
        With("log_window", "ended", Copy(trust, [log with { End = before }]), "log_key_not_valid");
        With("log_window", "not begun", Copy(trust, [log with { Start = after }]), "log_key_not_valid");
        With("log_window", "gone", Copy(trust, []), "unknown_log");
        With(
            "log_name",
            "another",
            Copy(trust, [log with { BaseUrl = "https://elsewhere/log" }]),
            "audit.bad_checkpoint"
        );
        With(
            "chain",
            "root missing",
            Copy(trust, authorities: [authority with { Chain = [authority.Chain[0]] }]),
            "certificate_chain"
        );
        With(
            "chain",
            "another root",
            Copy(trust, authorities: [authority with { Chain = [authority.Chain[0], stamper.Chain[0]] }]),
            "certificate_chain"
        );

        void With(string check, string name, TrustedRootDocument root, string code) =>
            _all.Add(
                new Mutation(check, name, Clone(), Full(code))
                {
                    Root = IdentityFixture.Write(root),
                    Policy = IdentityFixture.Policy,
                }
            );

        static TrustedRootDocument Copy(
            TrustedRootDocument root,
            IReadOnlyList<TrustedKey>? logs = null,
            IReadOnlyList<TrustedAuthority>? authorities = null,
            IReadOnlyList<TrustedKey>? certificateLogs = null,
            IReadOnlyList<TrustedAuthority>? stampers = null
        ) =>
            new(logs ?? root.Keys)
            {
                CertificateAuthorities = authorities ?? root.CertificateAuthorities,
                CertificateLogs = certificateLogs ?? root.CertificateLogs,
                TimestampAuthorities = stampers ?? root.TimestampAuthorities,
            };
    }

    private void Policies()
    {
        var (subject, issuer) = IdentityFixture.Identity;
        foreach (
            var other in new[]
            {
                $"{subject}0",
                subject[..^1],
                "https://localhost:8443/signers/p-2",
                "p-1",
                "https://evil.example/signers/p-1",
            }
        )
        {
            Asked("identity", other, new SignerPolicy(other, issuer), "identity_mismatch");
        }

        foreach (
            var other in new[]
            {
                "https://localhost:8444",
                "https://evil.example",
                "https://localhost:8443.evil.example",
            }
        )
        {
            Asked("issuer", other, new SignerPolicy(subject, other), "issuer_mismatch");
        }

        void Asked(string check, string name, SignerPolicy policy, string code) =>
            _all.Add(new Mutation(check, name, Clone(), Full(code)) { Root = _root, Policy = policy });
    }

    private void KeyMode()
    {
        var root = keys.Root();
        var signed = keys.Bundle();
        Key(
            "key_signature",
            8,
            b => b["dsseEnvelope"]!["signatures"]![0]!.AsObject(),
            "sig",
            "signature_format",
            "signature_invalid"
        );
        Key("key_payload", 8, b => b["dsseEnvelope"]!.AsObject(), "payload", "signature_invalid");
        Add("key_hint", "another", b => Material(b)["publicKey"]!["hint"] = new string('0', 64), "unknown_key");
        Add("key_hint", "empty", b => Material(b)["publicKey"]!["hint"] = "", "verification_material");
        Add("key_type", "text", b => b["dsseEnvelope"]!["payloadType"] = "text/plain", "payload_type");
        Add("key_signature", "none", b => b["dsseEnvelope"]!["signatures"] = new JsonArray(), "signature_count");
        Add("key_media_type", "another", b => b["mediaType"] = "text/plain", "media_type");
        Add("key_material", "none", b => Material(b).Remove("publicKey"), "verification_material");

        void Key(string check, int count, Func<JsonObject, JsonObject> holder, string member, params string[] codes)
        {
            var length = Convert.FromBase64String(holder(signed)[member]!.ToString()).Length;
            for (var i = 0; i < count; i++)
            {
                var position = i * (length - 1) / (count - 1);
                Add(check, $"byte {position}", b => holder(b)[member] = Flip(holder(b)[member]!, position), codes);
            }
        }

        void Add(string check, string name, Action<JsonObject> change, params string[] codes)
        {
            var bundle = signed.DeepClone().AsObject();
            change(bundle);
            _all.Add(new Mutation(check, name, bundle, Full(codes)) { Root = root });
        }
    }

    private void Forge(string check, string name, Forgery forgery, string code, bool stock = true) =>
        _all.Add(
            new Mutation(check, name, fixture.Bundle(forgery), Full(code))
            {
                Root = _root,
                Policy = IdentityFixture.Policy,
                Stock = stock,
            }
        );

    private void Flips(
        string check,
        int count,
        Func<JsonObject, JsonObject> holder,
        string member,
        params string[] codes
    )
    {
        var length = Convert.FromBase64String(holder(_bundle)[member]!.ToString()).Length;
        for (var i = 0; i < count; i++)
        {
            var position = i * (length - 1) / (count - 1);
            Change(check, $"byte {position}", b => holder(b)[member] = Flip(holder(b)[member]!, position), codes);
        }
    }

    private void Change(string check, string name, Action<JsonObject> change, params string[] codes) =>
        Change(check, name, change, stock: true, codes);

    private void Ours(string check, string name, Action<JsonObject> change, params string[] codes) =>
        Change(check, name, change, stock: false, codes);

    private void Change(string check, string name, Action<JsonObject> change, bool stock, string[] codes)
    {
        var bundle = Clone();
        change(bundle);
        _all.Add(
            new Mutation(check, name, bundle, Full(codes is [] ? [check] : codes))
            {
                Root = _root,
                Policy = IdentityFixture.Policy,
                Stock = stock,
            }
        );
    }

    private static string[] Full(params string[] codes) =>
        [.. codes.Select(code => code.Contains('.', StringComparison.Ordinal) ? code : $"signing.{code}")];

    private JsonObject Clone() => _bundle.DeepClone().AsObject();

    private static JsonObject Material(JsonObject bundle) => bundle["verificationMaterial"]!.AsObject();

    private static JsonObject Entry(JsonObject bundle) => Material(bundle)["tlogEntries"]![0]!.AsObject();

    private static JsonObject Proof(JsonObject bundle) => Entry(bundle)["inclusionProof"]!.AsObject();

    private static JsonArray Stamps(JsonObject bundle) =>
        Material(bundle)["timestampVerificationData"]!["rfc3161Timestamps"]!.AsArray();

    private static JsonNode Take(JsonObject from, string member)
    {
        var taken = from[member]!.DeepClone();
        from.Remove(member);
        return taken;
    }

    private static void Add(JsonObject holder, string member, long by) =>
        holder[member] = (long.Parse(holder[member]!.ToString()) + by).ToString();

    private static void Note(JsonObject bundle, Func<string, string> edit)
    {
        var checkpoint = Proof(bundle)["checkpoint"]!.AsObject();
        checkpoint["envelope"] = edit(checkpoint["envelope"]!.ToString());
    }

    private static string Flip(JsonNode base64, int position) => Flip(base64.ToString(), position);

    private static string Flip(string base64, int position)
    {
        var bytes = Convert.FromBase64String(base64);
        bytes[position] ^= 1;
        return Convert.ToBase64String(bytes);
    }

    private static Action<CertificateRequest> Without(string oid, params X509Extension[] instead) =>
        request =>
        {
            foreach (var extension in request.CertificateExtensions.Where(one => one.Oid!.Value == oid).ToList())
            {
                request.CertificateExtensions.Remove(extension);
            }

            foreach (var extension in instead)
            {
                request.CertificateExtensions.Add(extension);
            }
        };

    private static X509EnhancedKeyUsageExtension Usage(string oid) => new([new Oid(oid)], critical: false);

    private static X509Extension Names(params string[] uris)
    {
        var names = new SubjectAlternativeNameBuilder();
        foreach (var uri in uris)
        {
            names.AddUri(new Uri(uri));
        }

        return names.Build(critical: true);
    }
}
