using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;

namespace Governance.Tests.Signing;

public sealed class ModelSignatureTests : IDisposable
{
    private readonly SigningFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void A_signed_model_verifies_with_the_trusted_root_alone()
    {
        var result = _fixture.Verify(_fixture.Bundle());

        Assert.Null(result.Failure);
        Assert.Equal(_fixture.Signer.KeyHint, result.Value.KeyHint);
        Assert.Equal("fraud", result.Value.Payload["subject"]![0]!["name"]!.GetValue<string>());
    }

    [Fact]
    public void The_hint_is_the_sha256_of_the_PEM_text_with_its_final_newline()
    {
        Assert.EndsWith("-----END PUBLIC KEY-----\n", _fixture.Signer.PublicKeyPem);
        Assert.Equal(Digest.Of(_fixture.Signer.PublicKeyPem).Hex, _fixture.Signer.KeyHint);
    }

    [Fact]
    public void The_root_is_the_hash_of_raw_digests_in_the_byte_order_of_names()
    {
        var statement = ModelStatement.Create(
            "m",
            SigningFixture.Model(("a/b", "1"), ("a.txt", "2"), ("😀", "3"), ("\uFB33", "4"))
        );

        var names = statement["predicate"]!["resources"]!.AsArray().Select(item => item!["name"]!.GetValue<string>());
        Assert.Equal(["a.txt", "a/b", "\uFB33", "😀"], names);
        byte[] raw =
        [
            .. Digest.Of("2").ToBytes(),
            .. Digest.Of("1").ToBytes(),
            .. Digest.Of("4").ToBytes(),
            .. Digest.Of("3").ToBytes(),
        ];
        Assert.Equal(Digest.Of(raw).Hex, statement["subject"]![0]!["digest"]!["sha256"]!.GetValue<string>());
    }

    [Fact]
    public void The_preauthentication_encoding_counts_bytes() =>
        Assert.Equal(
            "DSSEv1 28 application/vnd.in-toto+json 2 é",
            Encoding.UTF8.GetString(Dsse.Pae(Encoding.UTF8.GetBytes("é")))
        );

    [Fact]
    public void An_empty_model_is_not_signed() =>
        Assert.Throws<ArgumentException>(() => _fixture.Signer.SignModel("m", SigningFixture.Model([])));

    [Fact]
    public void Files_that_differ_from_the_signed_ones_are_named()
    {
        var bundle = _fixture.Bundle();

        AssertFile("file_changed", "MLmodel", ("MLmodel", "other"), ("model/model.pkl", "bytes"), ("model/empty", ""));
        AssertFile("file_missing", "MLmodel", ("model/model.pkl", "bytes"), ("model/empty", ""));
        AssertFile(
            "file_renamed",
            "MLmodel2",
            ("MLmodel2", "flavors: {}"),
            ("model/model.pkl", "bytes"),
            ("model/empty", "")
        );
        AssertFile(
            "file_extra",
            "__init__.py",
            ("__init__.py", ""),
            ("MLmodel", "flavors: {}"),
            ("model/model.pkl", "bytes"),
            ("model/empty", "")
        );

        void AssertFile(string reason, string name, params (string, string)[] files)
        {
            var failure = _fixture.Verify(bundle, SigningFixture.Model(files)).Failure!;
            Assert.Equal($"signing.{reason}", failure.Code);
            Assert.Contains(name, failure.Message);
        }
    }

    public static TheoryData<string, string> BundleMutations() =>
        new()
        {
            { "media_type", """{"mediaType":"application/vnd.dev.sigstore.bundle+json;version=0.3"}""" },
            { "bundle_members", """{"extra":1}""" },
            { "bundle_members", """{"messageSignature":{}}""" },
            { "verification_material", """{"verificationMaterial":{"certificate":{"rawBytes":""}}}""" },
            { "verification_material", """{"verificationMaterial":{"publicKey":{"hint":"ABC"},"tlogEntries":[]}}""" },
            { "verification_material", """{"verificationMaterial":{"publicKey":{},"tlogEntries":[]}}""" },
            {
                "verification_material",
                """{"verificationMaterial":{"publicKey":{"hint":"HINT"},"tlogEntries":[{}]}}"""
            },
            {
                "verification_material",
                """{"verificationMaterial":{"publicKey":{"hint":"HINT"},"timestampVerificationData":{}}}"""
            },
            {
                "unknown_key",
                """{"verificationMaterial":{"publicKey":{"hint":"0000000000000000000000000000000000000000000000000000000000000000"},"tlogEntries":[]}}"""
            },
            {
                "payload_type",
                """{"dsseEnvelope":{"payload":"PAYLOAD","payloadType":"text/plain","signatures":[{"sig":"SIG"}]}}"""
            },
            {
                "signature_count",
                """{"dsseEnvelope":{"payload":"PAYLOAD","payloadType":"TYPE","signatures":[{"sig":"SIG"},{"sig":"SIG"}]}}"""
            },
            { "signature_count", """{"dsseEnvelope":{"payload":"PAYLOAD","payloadType":"TYPE","signatures":[]}}""" },
            {
                "envelope_members",
                """{"dsseEnvelope":{"payload":"PAYLOAD","payloadType":"TYPE","signatures":[{"sig":"SIG"}],"x":1}}"""
            },
            {
                "base64",
                """{"dsseEnvelope":{"payload":" PAYLOAD","payloadType":"TYPE","signatures":[{"sig":"SIG"}]}}"""
            },
            {
                "base64",
                """{"dsseEnvelope":{"payload":"PAYLOAD","payloadType":"TYPE","signatures":[{"sig":"SIG="}]}}"""
            },
            {
                "base64",
                """{"dsseEnvelope":{"payload":"PAYLOAD","payloadType":"TYPE","signatures":[{"sig":"SIG","y":1}]}}"""
            },
            {
                "signature_format",
                """{"dsseEnvelope":{"payload":"PAYLOAD","payloadType":"TYPE","signatures":[{"sig":"P1363"}]}}"""
            },
            {
                "signature_invalid",
                """{"dsseEnvelope":{"payload":"e30=","payloadType":"TYPE","signatures":[{"sig":"SIG"}]}}"""
            },
        };

    [Theory]
    [MemberData(nameof(BundleMutations))]
    public void A_bundle_that_deviates_is_refused_with_the_code_of_its_check(string reason, string mutation)
    {
        var bundle = _fixture.Bundle();
        var envelope = bundle["dsseEnvelope"]!;
        var payload = envelope["payload"]!.GetValue<string>();
        var raw = _fixture.Key.SignData(Dsse.Pae(Convert.FromBase64String(payload)), HashAlgorithmName.SHA256);
        var text = mutation
            .Replace("PAYLOAD", payload, StringComparison.Ordinal)
            .Replace("TYPE", Dsse.PayloadType, StringComparison.Ordinal)
            .Replace("HINT", _fixture.Signer.KeyHint, StringComparison.Ordinal)
            .Replace("SIG", envelope["signatures"]![0]!["sig"]!.GetValue<string>(), StringComparison.Ordinal)
            .Replace("P1363", Convert.ToBase64String(raw), StringComparison.Ordinal);
        foreach (var (name, value) in JsonNode.Parse(text)!.AsObject())
        {
            bundle[name] = value?.DeepClone();
        }

        Assert.Equal($"signing.{reason}", _fixture.Verify(bundle).Failure?.Code);
    }

    public static TheoryData<string, string, string> StatementMutations() =>
        new()
        {
            { "statement_type", "https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1" },
            { "predicate_type", "https://model_signing/signature/v1.0", "https://model_signing/signature/v2.0" },
            { "serialization", "\"ignore_paths\":[]", "\"ignore_paths\":[\"model\"]" },
            { "serialization", "\"allow_symlinks\":false", "\"allow_symlinks\":true" },
            { "serialization", "\"method\":\"files\"", "\"method\":\"shards\"" },
            { "serialization", "\"hash_type\":\"sha256\"", "\"hash_type\":\"blake3\"" },
            { "resource_malformed", "\"algorithm\":\"sha256\"", "\"algorithm\":\"blake3\"" },
            { "resource_name", "\"name\":\"MLmodel\"", "\"name\":\"../MLmodel\"" },
            { "resource_name", "\"name\":\"MLmodel\"", "\"name\":\"/MLmodel\"" },
            { "resource_name", "\"name\":\"MLmodel\"", "\"name\":\".\"" },
            { "resource_name", "\"name\":\"MLmodel\"", "\"name\":\"a//b\"" },
            { "resource_duplicate", "\"name\":\"MLmodel\"", "\"name\":\"model/empty\"" },
            { "resource_collision", "\"name\":\"MLmodel\"", "\"name\":\"MODEL/empty\"" },
            { "statement_malformed", "\"_type\":", "\"_type\":1,\"_type\":" },
        };

    [Theory]
    [MemberData(nameof(StatementMutations))]
    public void A_properly_signed_but_deviating_statement_is_refused(string reason, string old, string replacement)
    {
        var payload = CanonicalJson.SerializeToString(SigningFixture.Statement());
        var changed = payload.Replace(old, replacement, StringComparison.Ordinal);
        Assert.NotEqual(payload, changed);

        Assert.Equal($"signing.{reason}", _fixture.Verify(_fixture.Forge(changed)).Failure?.Code);
    }

    [Fact]
    public void A_root_that_is_not_of_the_listed_resources_is_refused()
    {
        var statement = SigningFixture.Statement();
        statement["subject"]![0]!["digest"]!["sha256"] = Digest.Of("x").Hex;

        Assert.Equal(
            "signing.root_mismatch",
            _fixture.Verify(_fixture.Forge(CanonicalJson.Serialize(statement))).Failure?.Code
        );
    }

    [Fact]
    public void A_signature_over_no_files_is_refused()
    {
        var statement = SigningFixture.Statement();
        statement["predicate"]!["resources"] = new JsonArray();

        Assert.Equal(
            "signing.empty",
            _fixture.Verify(_fixture.Forge(CanonicalJson.Serialize(statement)), SigningFixture.Model([])).Failure?.Code
        );
    }

    [Theory]
    [InlineData("{\"mediaType\":1,\"mediaType\":2}")]
    [InlineData("{\"mediaType\":\"\\ud800\"}")]
    [InlineData("{\"\\ud800\":1}")]
    [InlineData("{\"a\":1e999}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("")]
    [InlineData("\u0000")]
    public void What_is_no_strict_JSON_object_is_refused(string text) =>
        Assert.Equal(
            "signing.bundle_malformed",
            _fixture.Verifier.VerifyStatement(Encoding.UTF8.GetBytes(text), _fixture.Root()).Failure?.Code
        );

    [Fact]
    public void A_bundle_over_the_limit_is_refused_before_it_is_parsed() =>
        Assert.Equal(
            "signing.bundle_too_large",
            _fixture.Verifier.VerifyStatement(new byte[(32 * 1024 * 1024) + 1], _fixture.Root()).Failure?.Code
        );

    [Fact]
    public void A_key_signs_only_within_its_window()
    {
        var bundle = Encoding.UTF8.GetBytes(_fixture.Bundle().ToJsonString());

        Assert.Equal("signing.key_not_valid", Code(_fixture.Root(end: SigningFixture.Now.AddSeconds(-1))));
        Assert.Equal("signing.key_not_valid", Code(_fixture.Root(start: SigningFixture.Now.AddSeconds(1))));
        Assert.Null(Code(_fixture.Root(end: SigningFixture.Now)));

        string? Code(byte[] root) =>
            _fixture.Verifier.VerifyModel(bundle, SigningFixture.Model(), root, SignerPolicy.Anybody).Failure?.Code;
    }

    [Fact]
    public void A_log_listed_in_the_root_is_no_signing_key()
    {
        var root = JsonNode.Parse(_fixture.Root())!;
        root["tlogs"]![0]!["baseUrl"] = "https://localhost:8443/signature-log";

        var result = _fixture.Verifier.VerifyModel(
            Encoding.UTF8.GetBytes(_fixture.Bundle().ToJsonString()),
            SigningFixture.Model(),
            Encoding.UTF8.GetBytes(root.ToJsonString()),
            SignerPolicy.Anybody
        );

        Assert.Equal("signing.unknown_key", result.Failure?.Code);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("")]
    [InlineData("""{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.2","tlogs":[]}""")]
    [InlineData("""{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[{}]}""")]
    public void A_trusted_root_that_cannot_be_read_whole_is_refused(string root) =>
        Assert.Equal(
            "signing.trusted_root",
            _fixture
                .Verifier.VerifyStatement(
                    Encoding.UTF8.GetBytes(_fixture.Bundle().ToJsonString()),
                    Encoding.UTF8.GetBytes(root)
                )
                .Failure?.Code
        );

    [Fact]
    public void Every_single_flipped_bit_of_payload_or_signature_is_noticed()
    {
        foreach (var member in new[] { "payload", "sig" })
        {
            var bytes = Convert.FromBase64String(Target(_fixture.Bundle(), member)[member]!.GetValue<string>());
            for (var i = 0; i < bytes.Length; i += 3)
            {
                var bundle = _fixture.Bundle();
                var target = Target(bundle, member);
                var changed = Convert.FromBase64String(target[member]!.GetValue<string>());
                changed[i % changed.Length] ^= 1;
                target[member] = Convert.ToBase64String(changed);
                Assert.False(_fixture.Verify(bundle).Ok);
            }
        }

        static JsonObject Target(JsonObject bundle, string member) =>
            member == "payload"
                ? bundle["dsseEnvelope"]!.AsObject()
                : bundle["dsseEnvelope"]!["signatures"]![0]!.AsObject();
    }

    [Fact]
    public void A_key_of_ones_own_signs_and_verifies_without_a_gateway()
    {
        var signer = ModelSigner.FromPem(new Secret(_fixture.Key.ExportPkcs8PrivateKeyPem())).Value;
        var bundle = signer.SignModel("own", SigningFixture.Model());

        Assert.Null(OfflineVerifier.VerifyModelByKey(bundle, SigningFixture.Model(), signer.PublicKeyPem).Failure);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.Equal("signing.bad_key", ModelSigner.FromPem(new Secret(p384.ExportPkcs8PrivateKeyPem())).Failure?.Code);
        Assert.Equal("signing.bad_key", ModelSigner.FromPem(new Secret("x")).Failure?.Code);
        Assert.Equal(
            "signing.bad_key",
            OfflineVerifier
                .VerifyModelByKey(bundle, SigningFixture.Model(), p384.ExportSubjectPublicKeyInfoPem())
                .Failure?.Code
        );
    }
}
