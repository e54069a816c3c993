using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit;
using Governance.Audit.Contracts;
using Governance.Audit.Signatures;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Keys;
using Governance.Platform.Logging;
using Governance.Signing;
using Governance.Signing.Contracts;
using Governance.Signing.Keys;
using Governance.Tests.Audit;
using Governance.Tests.Platform;

namespace Governance.Tests.Signing;

public class GatewaySigningTests
{
    [Fact]
    public async Task Keys_are_made_once_and_lie_wrapped()
    {
        await using var database = await StartAsync();
        var signer = database.Get<ISigner>();
        var keys = Path.Combine(database.Get<PlatformOptions>().DataDirectory, "keys");

        using var authorities = AuthoritiesOf(database);
        using var again = SignerOf(database, authorities);

        Assert.Equal(signer.PublicKeyPem, again.PublicKeyPem);
        Assert.Equal(signer.TrustedRoot, again.TrustedRoot);
        Assert.Equal(
            [
                "ca-root.key",
                "ca-signers.key",
                "certificate-log.key",
                "entries.key",
                "log.key",
                "signature-log.key",
                "signing.key",
                "timestamp.key",
            ],
            Directory.GetFiles(keys).Select(Path.GetFileName).Order(StringComparer.Ordinal)
        );
        Assert.Throws<System.Security.Cryptography.AuthenticationTagMismatchException>(() =>
            database.Get<IKeyWrap>().Unwrap(File.ReadAllBytes(Path.Combine(keys, "signing.key")), "audit-log-key")
        );
    }

    [Theory]
    [InlineData("signing")]
    [InlineData("ca-root")]
    [InlineData("ca-signers")]
    [InlineData("timestamp")]
    [InlineData("certificate-log")]
    public async Task A_damaged_key_file_is_not_replaced(string name)
    {
        await using var database = await StartAsync();
        _ = database.Get<ISigner>();
        var path = Path.Combine(database.Get<PlatformOptions>().DataDirectory, "keys", $"{name}.key");
        var damaged = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        damaged[^1] ^= 1;
        await File.WriteAllBytesAsync(path, damaged, TestContext.Current.CancellationToken);

        Assert.ThrowsAny<System.Security.Cryptography.CryptographicException>(() =>
        {
            using var authorities = AuthoritiesOf(database);
            using var signer = SignerOf(database, authorities);
        });
        Assert.Equal(damaged, await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_version_is_signed_for_its_registrant_and_stands_in_the_signature_log()
    {
        await using var database = await StartAsync();
        var signer = database.Get<ISigner>();
        var verifier = database.Get<IVerifier>();

        var first = await SignAsync(signer, "p-1");
        var second = await SignAsync(signer, "p 2/ü");

        var verified = verifier.VerifyModel(first, SigningFixture.Model(), signer.TrustedRoot, signer.PolicyFor("p-1"));
        Assert.Null(verified.Failure);
        Assert.Equal("https://localhost:8443/signers/p-1", verified.Value.Signer?.Subject);
        Assert.Equal("https://localhost:8443", verified.Value.Signer?.Issuer);
        Assert.Null(
            verifier.VerifyModel(second, SigningFixture.Model(), signer.TrustedRoot, signer.PolicyFor("p 2/ü")).Failure
        );
        Assert.Equal(
            "signing.identity_mismatch",
            verifier
                .VerifyModel(second, SigningFixture.Model(), signer.TrustedRoot, signer.PolicyFor("p-1"))
                .Failure?.Code
        );
        Assert.Equal(["0", "1"], new[] { first, second }.Select(IndexOf));
        await database.SequenceAsync();
        Assert.Equal(2, (await database.Get<CheckSignatureLog>().RunAsync(CancellationToken.None)).Value);
        var entries = await database
            .Get<IAuditLog>()
            .QueryAsync(new AuditQuery { KindPrefix = "signature_log." }, CancellationToken.None);
        Assert.Equal(2, entries.Items.Count);
        Assert.DoesNotContain("signers", entries.Items[0].Canonical, StringComparison.Ordinal);

        static string IndexOf(byte[] bundle) =>
            JsonNode.Parse(bundle)!["verificationMaterial"]!["tlogEntries"]![0]!["logIndex"]!.GetValue<string>();
    }

    [Fact]
    public async Task In_key_mode_the_gateway_signs_with_its_key_and_bundles_of_before_still_verify()
    {
        await using var database = await StartAsync();
        var before = await SignAsync(database.Get<ISigner>(), "p-1");
        using var authorities = AuthoritiesOf(database);
        using var signer = SignerOf(database, authorities, SigningMode.Key);

        var bundle = await SignAsync(signer, "p-1");

        var verified = database
            .Get<IVerifier>()
            .VerifyModel(bundle, SigningFixture.Model(), signer.TrustedRoot, signer.PolicyFor("p-1"));
        Assert.Null(verified.Failure);
        Assert.Equal(signer.KeyHint, verified.Value.KeyHint);
        Assert.Null(verified.Value.Signer);
        Assert.Null(
            database
                .Get<IVerifier>()
                .VerifyModel(before, SigningFixture.Model(), signer.TrustedRoot, SignerPolicy.Anybody)
                .Failure
        );
    }

    [Fact]
    public async Task A_bundle_of_a_foreign_gateway_is_refused()
    {
        await using var database = await StartAsync();
        await using var foreign = await StartAsync();

        var bundle = await SignAsync(foreign.Get<ISigner>(), "p-1");

        Assert.Equal(
            "signing.timestamp_invalid",
            database
                .Get<IVerifier>()
                .VerifyModel(bundle, SigningFixture.Model(), database.Get<ISigner>().TrustedRoot, SignerPolicy.Anybody)
                .Failure?.Code
        );
    }

    [Fact]
    public async Task The_trusted_root_lists_the_log_and_the_signing_key()
    {
        await using var database = await StartAsync();
        var signer = database.Get<ISigner>();

        var keys = TrustedRootFile.LogVerifierKeys(signer.TrustedRoot).Value;

        Assert.Equal(database.Get<ILogKey>().VerifierKey, Assert.Single(keys));
        using var authorities = AuthoritiesOf(database);
        using var byKey = SignerOf(database, authorities, SigningMode.Key);
        var bundle = await SignAsync(byKey, "p-1");
        Assert.Null(
            database
                .Get<IVerifier>()
                .VerifyModel(bundle, SigningFixture.Model(), signer.TrustedRoot, SignerPolicy.Anybody)
                .Failure
        );
    }

    [Fact]
    public async Task A_receipt_verifies_offline()
    {
        await using var database = await StartAsync();
        var root = database.Get<ISigner>().TrustedRoot; // as the host does: keys exist before the first entry

        var result = ReceiptVerifier.Verify(Bytes(await ReceiptAsync(database)), root);

        Assert.Null(result.Failure);
        Assert.Equal("promotion.carried_out", result.Value.Entry["kind"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("entry", "audit.entry_mismatch")]
    [InlineData("salt", "audit.entry_mismatch")]
    [InlineData("leafIndex", "audit.not_included")]
    [InlineData("hashes", "audit.not_included")]
    [InlineData("checkpoint", "audit.bad_checkpoint")]
    [InlineData("verifierKey", "signing.unknown_log")]
    [InlineData("statement", "signing.receipt_not_bound")]
    [InlineData("sig", "signing.signature_invalid")]
    [InlineData("extra", "signing.receipt_malformed")]
    [InlineData("pretty", "signing.receipt_malformed")]
    public async Task A_changed_receipt_is_refused(string part, string code)
    {
        await using var database = await StartAsync();
        var signer = database.Get<ISigner>();
        var receipt = await ReceiptAsync(database);
        var proof = receipt["inclusionProof"]!.AsObject();
        switch (part)
        {
            case "entry":
                receipt["entry"] = receipt["entry"]!
                    .GetValue<string>()
                    .Replace("\"done\"", "\"gone\"", StringComparison.Ordinal);
                break;
            case "pretty":
                receipt["entry"] = receipt["entry"]!
                    .GetValue<string>()
                    .Replace("{\"actor\"", "{ \"actor\"", StringComparison.Ordinal);
                break;
            case "salt":
                receipt["salt"] = Convert.ToBase64String(new byte[32]);
                break;
            case "leafIndex":
                proof["leafIndex"] = proof["leafIndex"]!.GetValue<long>() - 1;
                break;
            case "hashes":
                proof["hashes"]![0] = Digest.Of("x").Hex;
                break;
            case "checkpoint":
                proof["checkpoint"] = proof["checkpoint"]!
                    .GetValue<string>()
                    .Replace("\n6\n", "\n7\n", StringComparison.Ordinal);
                break;
            case "verifierKey":
                await using (var other = await StartAsync())
                {
                    receipt["verifierKey"] = other.Get<ILogKey>().VerifierKey;
                }

                break;
            case "statement":
                receipt["statement"] = JsonNode.Parse(signer.SignLoggedStatement(Statement("version:other/1")));
                break;
            case "sig":
                receipt["statement"]!["dsseEnvelope"]!["signatures"]![0]!["sig"] = JsonNode.Parse(
                    signer.SignLoggedStatement(Statement("version:other/1"))
                )!["dsseEnvelope"]!["signatures"]![0]!["sig"]!.DeepClone();
                break;
            default:
                receipt["extra"] = 1;
                break;
        }

        Assert.Equal(code, ReceiptVerifier.Verify(Bytes(receipt), signer.TrustedRoot).Failure?.Code);
    }

    [Fact]
    public async Task A_receipt_of_a_foreign_gateway_is_refused_even_though_it_brings_its_key()
    {
        await using var database = await StartAsync();
        await using var foreign = await StartAsync();

        var result = ReceiptVerifier.Verify(Bytes(await ReceiptAsync(foreign)), database.Get<ISigner>().TrustedRoot);

        Assert.Equal("signing.unknown_log", result.Failure?.Code);
    }

    [Fact]
    public async Task An_entry_of_another_kind_that_names_the_statement_makes_no_receipt()
    {
        await using var database = await StartAsync();
        // Made first: a key vouches for nothing older than itself.
        var signer = database.Get<ISigner>();

        var receipt = await ReceiptAsync(database, "promotion.refused");

        var result = ReceiptVerifier.Verify(Bytes(receipt), signer.TrustedRoot);
        Assert.Equal("signing.receipt_not_bound", result.Failure?.Code);
    }

    private static Task<byte[]> SignAsync(ISigner signer, string registrant) =>
        signer.SignModelAsync("fraud", SigningFixture.Model(), registrant, TestContext.Current.CancellationToken);

    private static Authorities AuthoritiesOf(TestDatabase database) =>
        new(
            database.Get<PlatformOptions>(),
            database.Get<ILogKey>(),
            database.Get<KeyRing>(),
            database.Get<PrivateKeys>(),
            database.Get<TimeProvider>()
        );

    private static GatewaySigner SignerOf(
        TestDatabase database,
        Authorities authorities,
        SigningMode mode = SigningMode.Identity
    ) =>
        new(
            database.Get<PlatformOptions>(),
            new SigningOptions { Mode = mode },
            database.Get<KeyRing>(),
            database.Get<PrivateKeys>(),
            database.Get<ILogKey>(),
            database.Get<ISignatureLog>(),
            authorities,
            database.Get<TimeProvider>()
        );

    private static Task<TestDatabase> StartAsync() =>
        TestDatabase.StartAsync(services => services.AddAudit().AddSigning());

    private static byte[] Bytes(JsonNode node) => Encoding.UTF8.GetBytes(node.ToJsonString());

    private static JsonObject Statement(string subject) =>
        new()
        {
            ["_type"] = "https://in-toto.io/Statement/v1",
            ["subject"] = new JsonArray(
                new JsonObject
                {
                    ["name"] = subject,
                    ["digest"] = new JsonObject { ["sha256"] = Digest.Of(subject).Hex },
                }
            ),
            ["predicateType"] = "https://example.test/promotion/v1",
            ["predicate"] = new JsonObject { ["target"] = "stage:Production" },
        };

    private static async Task<JsonObject> ReceiptAsync(TestDatabase database, string kind = "promotion.carried_out")
    {
        await database.AppendManyAsync(5);
        var statement = Statement("version:fraud/3");
        var digest = Digest.Of(CanonicalJson.Serialize(statement)).Hex;
        var id = await database.Writer.WriteAsync<Guid>(
            async (session, token) =>
                await session.LogAsync(
                    new LogEntry(kind, new Actor(ActorKind.Person, "p-1"), "version:fraud/3", LogOutcome.Done)
                    {
                        Details = new() { ["statementSha256"] = digest },
                    },
                    token
                ),
            CancellationToken.None
        );
        await database.SequenceAsync();
        var log = database.Get<IAuditLog>();
        var entry = (await log.FindAsync([id.Value], CancellationToken.None))[id.Value];
        var proof = (await log.ProveAsync(id.Value, CancellationToken.None))!;
        return ReceiptVerifier.Compose(
            database.Get<ISigner>().SignLoggedStatement(statement),
            entry,
            proof,
            database.Get<ILogKey>().VerifierKey
        );
    }
}
