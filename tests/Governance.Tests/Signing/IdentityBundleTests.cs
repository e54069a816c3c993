using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;
using Governance.Tests.Platform;

namespace Governance.Tests.Signing;

public sealed class IdentityBundleTests : IDisposable
{
    private readonly IdentityFixture _fixture = new();
    private readonly SigningFixture _keys = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("governance-bundles-").FullName;

    public void Dispose()
    {
        _fixture.Dispose();
        _keys.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public void A_bundle_verifies_long_after_its_certificate_expired_and_says_who_signed_when()
    {
        var result = _fixture.Verify(_fixture.Bundle());

        Assert.Null(result.Failure);
        Assert.Equal(IdentityFixture.Identity, result.Value.Signer);
        Assert.Equal(IdentityFixture.Now, result.Value.SignedAt);
        Assert.Equal("fraud", result.Value.Payload["subject"]![0]!["name"]!.GetValue<string>());
    }

    [Fact]
    public void Anybody_of_the_trusted_root_will_do_when_nobody_was_asked_for() =>
        Assert.Null(_fixture.CodeOf(_fixture.Bundle(), policy: SignerPolicy.Anybody));

    [Fact]
    public void A_certificate_is_valid_for_its_ten_minutes()
    {
        Assert.Null(_fixture.CodeOf(_fixture.Bundle(new() { CertifiedAt = IdentityFixture.Now.AddSeconds(-599) })));
        Assert.Equal(
            "signing.certificate_not_valid",
            _fixture.CodeOf(_fixture.Bundle(new() { CertifiedAt = IdentityFixture.Now.AddSeconds(-600) }))
        );
    }

    [Fact]
    public void Every_mutation_is_refused_with_a_code_of_the_check_that_it_breaks()
    {
        var mutations = new BundleMutations(_fixture, _keys).All();

        var wrong = mutations
            .Select(mutation => (mutation, code: CodeOf(mutation)))
            .Where(found => !found.mutation.Codes.Contains(found.code))
            .Select(found =>
                $"{found.mutation.Check}: {found.mutation.Name}: {found.code ?? "ACCEPTED"}, not {string.Join(" or ", found.mutation.Codes)}"
            );

        Assert.True(!wrong.Any(), string.Join('\n', wrong));
        Assert.True(mutations.Select(CodeOf).Distinct().Count() >= 20);
    }

    [Fact]
    public async Task The_stock_sigstore_verifier_refuses_200_mutations_of_20_checks()
    {
        var mutations = new BundleMutations(_fixture, _keys);
        var stock = mutations.All().Where(mutation => mutation.Stock).ToList();
        Assert.True(stock.Count >= 200, $"only {stock.Count}");
        Assert.True(stock.Select(mutation => mutation.Check).Distinct().Count() >= 20);
        List<JsonObject> cases =
        [
            Case("valid", "identity", _fixture.Bundle(), mutations.Root, IdentityFixture.Policy),
            Case("valid", "key", _keys.Bundle(), _keys.Root(), SignerPolicy.Anybody),
            .. stock.Select(one => Case(one.Check, one.Name, one.Bundle, one.Root, one.Policy)),
        ];
        var file = Path.Combine(_directory, "cases.json");
        await File.WriteAllTextAsync(
            file,
            new JsonArray([.. cases]).ToJsonString(),
            TestContext.Current.CancellationToken
        );

        var (exit, output) = await PeerAsync(
            "node",
            Path.Combine(TestDatabase.PoliciesDirectory(), "..", "tests", "peers", "sigstore", "mutations.mjs"),
            file
        );

        Assert.True(exit == 0, output);
        Assert.Contains($"2 of 2 accepted, {stock.Count} of {stock.Count} refused", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OpenSSL_accepts_our_timestamps_and_no_others()
    {
        var (authority, key) = (_fixture.TimestampAuthority.Certificate, _fixture.TimestampAuthority.Key);
        var signature = "a signature"u8.ToArray();
        await SaveAsync("signature", signature);
        await SaveAsync("other", "another"u8.ToArray());
        await SaveAsync("response.tsr", Rfc3161.Issue(signature, authority, key, IdentityFixture.Now));
        await SaveAsync("root.pem", Encoding.ASCII.GetBytes(_fixture.Root.Certificate.ExportCertificatePem()));
        await SaveAsync("tsa.pem", Encoding.ASCII.GetBytes(authority.ExportCertificatePem()));

        var good = await VerifyAsync("signature");
        var bad = await VerifyAsync("other");

        Assert.True(
            good is { Exit: 0 } && good.Output.Contains("Verification: OK", StringComparison.Ordinal),
            good.Output
        );
        Assert.NotEqual(0, bad.Exit);

        Task<(int Exit, string Output)> VerifyAsync(string data) =>
            PeerAsync(
                "openssl",
                [
                    "ts",
                    "-verify",
                    "-in",
                    At("response.tsr"),
                    "-data",
                    At(data),
                    "-CAfile",
                    At("root.pem"),
                    "-untrusted",
                    At("tsa.pem"),
                ]
            );
    }

    [Fact]
    public void Where_a_key_must_sign_a_certificate_does_not_do()
    {
        var bundle = Encoding.UTF8.GetBytes(_fixture.Bundle().ToJsonString());
        var root = IdentityFixture.Write(_fixture.Trust);

        Assert.Equal("signing.signed_by_certificate", _fixture.Verifier.VerifyStatement(bundle, root).Failure?.Code);
        Assert.Equal(
            "signing.signed_by_certificate",
            OfflineVerifier.VerifyModelByKey(bundle, SigningFixture.Model(), _keys.Signer.PublicKeyPem).Failure?.Code
        );
    }

    [Fact]
    public void Where_an_identity_is_asked_for_a_key_does_not_do() =>
        Assert.Equal(
            "signing.signed_by_key",
            _keys
                .Verifier.VerifyModel(
                    Encoding.UTF8.GetBytes(_keys.Bundle().ToJsonString()),
                    SigningFixture.Model(),
                    _keys.Root(),
                    IdentityFixture.Policy
                )
                .Failure?.Code
        );

    // What the reference implementation accepts: facts of the format, whoever signed.
    [Theory]
    [InlineData("resource_name", "\"name\":\"MLmodel\"", "\"name\":\"../MLmodel\"")]
    [InlineData("resource_collision", "\"name\":\"MLmodel\"", "\"name\":\"MODEL/empty\"")]
    [InlineData("resource_duplicate", "\"name\":\"MLmodel\"", "\"name\":\"model/empty\"")]
    [InlineData("serialization", "\"ignore_paths\":[]", "\"ignore_paths\":[\"model\"]")]
    [InlineData("serialization", "\"method\":\"files\"", "\"method\":\"shards\"")]
    public void A_properly_signed_statement_that_could_hide_files_is_refused(string reason, string old, string with)
    {
        var payload = CanonicalJson.SerializeToString(SigningFixture.Statement());
        var changed = payload.Replace(old, with, StringComparison.Ordinal);
        Assert.NotEqual(payload, changed);
        Assert.Equal(
            $"signing.{reason}",
            _fixture.CodeOf(_fixture.Bundle(new() { Payload = Encoding.UTF8.GetBytes(changed) }))
        );
    }

    [Fact]
    public void A_properly_signed_statement_over_no_file_is_refused()
    {
        var statement = SigningFixture.Statement();
        statement["predicate"]!["resources"] = new JsonArray();

        Assert.Equal(
            "signing.empty",
            _fixture.CodeOf(_fixture.Bundle(new() { Payload = CanonicalJson.Serialize(statement) }))
        );
    }

    [Fact]
    public void A_planted_empty_file_is_found()
    {
        var planted = SigningFixture.Model(
            ("MLmodel", "flavors: {}"),
            ("model/model.pkl", "bytes"),
            ("model/empty", ""),
            ("model/__init__.py", "")
        );

        var result = _fixture.Verifier.VerifyModel(
            Encoding.UTF8.GetBytes(_fixture.Bundle().ToJsonString()),
            planted,
            IdentityFixture.Write(_fixture.Trust),
            IdentityFixture.Policy
        );

        Assert.Equal("signing.file_extra", result.Failure?.Code);
    }

    private string? CodeOf(Mutation mutation) =>
        (mutation.Check.StartsWith("key_", StringComparison.Ordinal) ? _keys.Verifier : _fixture.Verifier)
            .VerifyModel(
                Encoding.UTF8.GetBytes(mutation.Bundle.ToJsonString()),
                SigningFixture.Model(),
                mutation.Root,
                mutation.Policy
            )
            .Failure?.Code;

    private JsonObject Case(string check, string name, JsonObject bundle, byte[] root, SignerPolicy policy) =>
        new()
        {
            ["check"] = check,
            ["name"] = name,
            ["bundle"] = bundle.DeepClone(),
            ["root"] = JsonNode.Parse(root),
            ["keys"] = new JsonObject { [_keys.Signer.KeyHint] = _keys.Signer.PublicKeyPem },
            ["subject"] = policy.Subject,
            ["issuer"] = policy.Issuer,
        };

    private string At(string name) => Path.Combine(_directory, name);

    private Task SaveAsync(string name, byte[] content) =>
        File.WriteAllBytesAsync(At(name), content, TestContext.Current.CancellationToken);

    private static async Task<(int Exit, string Output)> PeerAsync(string program, params string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await errors);
    }
}
