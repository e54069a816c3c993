using System.Text;
using System.Text.Json.Nodes;
using Governance.Evidence.Signatures;
using Governance.Kernel;
using Governance.Policy;
using Governance.Policy.Contracts;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;
using Governance.Tests.Sbom;
using Governance.Tests.Signing;

namespace Governance.Tests.Evidence;

/// <summary>Signatures that come with the files of a version, by a key and by somebody's certificate under a root of theirs.</summary>
public sealed class ArrivingSignatureTests : IDisposable
{
    private static readonly string[] Defaults = [".git", ".gitattributes", ".github", ".gitignore", "model.sig"];
    private readonly SigningFixture _keys = new();
    private readonly IdentityFixture _company = new();

    public void Dispose()
    {
        _keys.Dispose();
        _company.Dispose();
    }

    [Fact]
    public async Task Nothing_is_looked_at_when_the_policy_says_off()
    {
        var verdict = await JudgeAsync("off", ByKey(), []);

        Assert.Equal(new ArrivingVerdict(false, null, ""), verdict);
    }

    [Theory]
    [InlineData("model.sig")]
    [InlineData("model.sigstore.json")]
    [InlineData("anything.sigstore.json")]
    public async Task A_key_of_the_policy_signed_exactly_the_other_files(string name)
    {
        var verdict = await JudgeAsync("enforce", ByKey(), Signed(name, Bundle(Model())));

        Assert.False(verdict.Refused);
        Assert.Equal("who", verdict.Signer);
    }

    [Fact]
    public async Task A_certificate_under_the_companys_root_names_who_the_policy_allows()
    {
        var verdict = await JudgeAsync("enforce", ByIdentity("https://localhost:8443/signers/*"), ByCompany());

        Assert.Equal((false, "who"), (verdict.Refused, verdict.Signer));
        Assert.Contains("https://localhost:8443/signers/p-1", verdict.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_of_several_trees_and_no_timestamp_is_enough_where_the_root_has_no_timestamp_authority()
    {
        var bundle = _company.Bundle(new Forgery { Payload = Payload(Model()) });
        bundle["verificationMaterial"]!.AsObject().Remove("timestampVerificationData");
        // The whole log counts on over its trees; only the promise is about that number.
        var untimed = CanonicalJson.Serialize(
            new TrustedRootDocument(_company.Trust.Keys)
            {
                CertificateAuthorities = _company.Trust.CertificateAuthorities,
                CertificateLogs = _company.Trust.CertificateLogs,
            }.Write()
        );

        var without = await JudgeAsync("enforce", ByIdentity("*", untimed), Signed("model.sig", bundle));
        var with = await JudgeAsync("enforce", ByIdentity("*"), Signed("model.sig", bundle));

        Assert.Equal("who", without.Signer);
        Assert.StartsWith("signing.timestamp_count", with.Sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://localhost:8443/signers/p-2", "https://localhost:8443")]
    [InlineData("https://localhost:8443/signers/p-1", "https://elsewhere")]
    public async Task Somebody_else_is_refused(string identity, string issuer)
    {
        var verdict = await JudgeAsync("enforce", ByIdentity(identity, issuer: issuer), ByCompany());

        Assert.True(verdict.Refused);
        Assert.StartsWith("signing.signer_not_allowed", verdict.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_that_had_expired_when_it_signed_is_refused()
    {
        var bundle = _company.Bundle(
            new Forgery { Payload = Payload(Model()), CertifiedAt = IdentityFixture.Now.AddHours(-1) }
        );

        var verdict = await JudgeAsync("enforce", ByIdentity("*"), Signed("model.sig", bundle));

        Assert.StartsWith("signing.certificate_not_valid", verdict.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_root_than_the_policys_vouches_for_nobody()
    {
        using var stranger = new IdentityFixture();

        var verdict = await JudgeAsync("enforce", ByIdentity("*", IdentityFixture.Write(stranger.Trust)), ByCompany());

        Assert.True(verdict.Refused);
        Assert.StartsWith("signing.timestamp_invalid", verdict.Sentence, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> Attacks =>
        new()
        {
            { "planted empty file", "signing.file_extra" },
            { "planted file under an ignored path", "signing.file_extra" },
            { "changed file", "signing.file_changed" },
            { "missing file", "signing.file_missing" },
            { "signed the empty set", "signing.empty" },
            { "name with dots", "signing.resource_name" },
            { "names that differ by case", "signing.resource_collision" },
            { "signature of another key", "signing.signature_invalid" },
            { "no signature", "signing.not_signed" },
            { "two signatures", "signing.several_signatures" },
            { "something else signed", "signing.predicate_type" },
            { "garbage", "signing.bundle_malformed" },
            { "nothing but the signature", "signing.empty" },
        };

    [Theory]
    [MemberData(nameof(Attacks))]
    public async Task What_does_not_hold_refuses_when_enforced_and_is_said_when_warned(string attack, string code)
    {
        var files = Attack(attack);

        var enforced = await JudgeAsync("enforce", ByKey(), files);
        var warned = await JudgeAsync("warn", ByKey(), files);

        Assert.True(enforced.Refused);
        Assert.StartsWith(code, enforced.Sentence, StringComparison.Ordinal);
        Assert.Equal(enforced with { Refused = false }, warned);
    }

    private Dictionary<string, byte[]> Attack(string attack)
    {
        var files = Signed("model.sig", Bundle(Model()));
        switch (attack)
        {
            case "planted empty file":
                files["__init__.py"] = [];
                break;
            case "planted file under an ignored path":
                files[".github/run.py"] = "evil"u8.ToArray();
                break;
            case "changed file":
                files["MLmodel"] = "other"u8.ToArray();
                break;
            case "missing file":
                files.Remove("MLmodel");
                break;
            case "signed the empty set":
                files["model.sig"] = Bytes(Forge(statement => Resources(statement).Clear()));
                break;
            case "name with dots":
                files["model.sig"] = Bytes(Forge(statement => Resources(statement)[0]!["name"] = "../MLmodel"));
                break;
            case "names that differ by case":
                files["model.sig"] = Bytes(Forge(statement => Resources(statement)[1]!["name"] = "mlmodel"));
                break;
            case "signature of another key":
                using (var other = new SigningFixture())
                {
                    var bundle = JsonNode.Parse(other.Signer.SignModel("m", ManifestOf(Model())))!;
                    bundle["verificationMaterial"]!["publicKey"]!["hint"] = _keys.Signer.KeyHint;
                    files["model.sig"] = Bytes(bundle);
                }

                break;
            case "no signature":
                files.Remove("model.sig");
                break;
            case "two signatures":
                files["model.sigstore.json"] = files["model.sig"];
                break;
            case "something else signed":
                files["model.sig"] = Bytes(
                    Forge(statement => statement["predicateType"] = "https://slsa.dev/provenance/v1")
                );
                break;
            case "garbage":
                files["model.sig"] = "{"u8.ToArray();
                break;
            default:
                files = new Dictionary<string, byte[]> { ["model.sig"] = files["model.sig"] };
                break;
        }

        return files;
    }

    [Fact]
    public async Task Bundles_over_something_else_are_files_like_others()
    {
        var provenance = Bytes(Forge(statement => statement["predicateType"] = "https://slsa.dev/provenance/v1"));
        var model = Model();
        model["provenance.sigstore.json"] = provenance;

        var verdict = await JudgeAsync("enforce", ByKey(), Signed("model.sig", Bundle(model), model));

        Assert.Equal("who", verdict.Signer);
    }

    private static Dictionary<string, byte[]> Model() =>
        new() { ["MLmodel"] = "flavors: {}"u8.ToArray(), ["data/model.pkl"] = "bytes"u8.ToArray() };

    private static Manifest ManifestOf(Dictionary<string, byte[]> files) => new MemorySource(files).Manifest;

    /// <summary>As the reference signs: with the paths that it would ignore.</summary>
    private static byte[] Payload(Dictionary<string, byte[]> files)
    {
        var statement = ModelStatement.Create("m", ManifestOf(files));
        Serialization(statement)["ignore_paths"] = new JsonArray([.. Defaults.Select(path => (JsonNode)path)]);
        return CanonicalJson.Serialize(statement);
    }

    private JsonObject Bundle(Dictionary<string, byte[]> files) => _keys.Forge(Payload(files));

    private JsonObject Forge(Action<JsonObject> change)
    {
        var statement = JsonNode.Parse(Payload(Model()))!.AsObject();
        change(statement);
        return _keys.Forge(CanonicalJson.Serialize(statement));
    }

    private static JsonObject Serialization(JsonObject statement) =>
        statement["predicate"]!["serialization"]!.AsObject();

    private static JsonArray Resources(JsonObject statement) => statement["predicate"]!["resources"]!.AsArray();

    private Dictionary<string, byte[]> ByCompany() =>
        Signed("model.sig", _company.Bundle(new Forgery { Payload = Payload(Model()) }));

    private static Dictionary<string, byte[]> Signed(
        string name,
        JsonNode bundle,
        Dictionary<string, byte[]>? model = null
    ) => new(model ?? Model()) { [name] = Bytes(bundle) };

    private static byte[] Bytes(JsonNode node) => Encoding.UTF8.GetBytes(node.ToJsonString());

    private string ByKey() =>
        $"{{ key: \"{_keys.Signer.PublicKeyPem.Replace("\n", "\\n", StringComparison.Ordinal)}\" }}";

    private string ByIdentity(string identity, byte[]? root = null, string issuer = "https://localhost:8443")
    {
        _root = Encoding.UTF8.GetString(root ?? IdentityFixture.Write(_company.Trust));
        return $"{{ identity: \"{identity}\", issuer: \"{issuer}\", trusted_root: company }}";
    }

    private string? _root;

    private async Task<ArrivingVerdict> JudgeAsync(string mode, string signer, Dictionary<string, byte[]> files)
    {
        var roots = _root is null ? "{}" : $"{{ company: {JsonValue.Create(_root)!.ToJsonString()} }}";
        var policy = PolicyModule.ParseSigners(
            $$"""
            version: 1
            trusted_roots: {{roots}}
            signers: { who: {{signer}} }
            rules:
              - { models: "*", arriving: { mode: "{{mode}}", signers: [who] }, read: { otherwise: "off" } }
            """
        );
        return await ArrivingSignatures.JudgeAsync(
            new MemorySource(files),
            policy.For("m"),
            _keys.Verifier,
            _keys.Root(),
            TestContext.Current.CancellationToken
        );
    }
}
