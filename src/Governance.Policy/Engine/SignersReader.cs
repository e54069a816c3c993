using System.Security.Cryptography;
using Governance.Kernel;
using Governance.Policy.Contracts;
using YamlDotNet.RepresentationModel;
using static Governance.Policy.Engine.PolicyYaml;

namespace Governance.Policy.Engine;

/// <summary>Reads signers.yaml: a closed vocabulary; unknown, doubled or misplaced words are refused with line and column.</summary>
internal static class SignersReader
{
    private const string OwnRoot = "gateway";
    private const string Otherwise = "otherwise";
    private const string RootMediaType = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
    private static readonly string[] Stages = ["None", "Staging", "Production", "Archived"];

    public static SignersPolicy Read(string text)
    {
        var root = Map(Document(text), "the policy", ["version", "trusted_roots", "signers", "rules"]);
        _ = Number(Required(root, "version"), 1, 1);
        var roots = Named(Required(root, "trusted_roots"), "trusted_roots", TrustedRoot);
        if (roots.ContainsKey(OwnRoot))
        {
            throw At(Required(root, "trusted_roots"), $"'{OwnRoot}' is the gateway's own root; choose another name.");
        }

        var signers = Named(Required(root, "signers"), "signers", (name, node) => Signer(name, node, roots));
        var rules = Sequence(Required(root, "rules")).Select(node => Rule(node, signers)).ToList();
        return rules is [.., { Models: "*" }]
            ? new SignersPolicy(Digest.Of(text), rules)
            : throw At(
                Required(root, "rules"),
                "the last rule must be for models: \"*\", so that every model has one."
            );
    }

    private static Dictionary<string, T> Named<T>(YamlNode node, string what, Func<string, YamlNode, T> read)
    {
        var named = new Dictionary<string, T>(StringComparer.Ordinal);
        foreach (var (key, value) in Mapping(node, what).Children)
        {
            var name = Text(key, null);
            named.Add(name, read(name, value));
        }

        return named;
    }

    private static string TrustedRoot(string name, YamlNode node)
    {
        var text = Block(node);
        return
            CanonicalJson.TryParse(System.Text.Encoding.UTF8.GetBytes(text)) is System.Text.Json.Nodes.JsonObject root
            && root["mediaType"] is System.Text.Json.Nodes.JsonValue type
            && type.TryGetValue<string>(out var media)
            && media == RootMediaType
            ? text
            : throw At(node, $"'{name}' is not the text of a trusted_root.json v0.1.");
    }

    private static AllowedSigner Signer(string name, YamlNode node, Dictionary<string, string> roots)
    {
        var signer = Map(node, "a signer", ["identity", "issuer", "trusted_root", "key"]);
        if (signer.TryGetValue("key", out var key))
        {
            // With the key, the map itself is the only other member.
            return signer.Count == 2
                ? new AllowedSigner(name) { KeyPem = Key(key) }
                : throw At(node, "a signer is either a key or an identity with issuer and trusted_root.");
        }

        var trusted = Text(Required(signer, "trusted_root"), [OwnRoot, .. roots.Keys]);
        return new AllowedSigner(name)
        {
            Identity = Text(Required(signer, "identity"), null),
            Issuer = Text(Required(signer, "issuer"), null),
            TrustedRoot = roots.GetValueOrDefault(trusted),
        };
    }

    private static string Key(YamlNode node)
    {
        var text = Block(node);
        using var key = ECDsa.Create();
        try
        {
            var spki =
                PemEncoding.TryFind(text, out var fields) && text[fields.Label] == "PUBLIC KEY"
                    ? Convert.FromBase64String(text[fields.Base64Data])
                    : [];
            key.ImportSubjectPublicKeyInfo(spki, out _);
            return EcdsaP256.IsP256(key) ? text : throw NoKey(node);
        }
        catch (Exception exception) when (exception is CryptographicException or FormatException)
        {
            throw NoKey(node);
        }
    }

    private static PolicySyntaxException NoKey(YamlNode node) =>
        At(node, "write an ECDSA P-256 public key in PEM (-----BEGIN PUBLIC KEY-----) as a block of text.");

    private static SignersRule Rule(YamlNode node, Dictionary<string, AllowedSigner> signers)
    {
        var rule = Map(node, "a rule", ["models", "arriving", "read"]);
        var arriving = Map(Required(rule, "arriving"), "arriving", ["mode", "signers"]);
        var mode = Mode(Required(arriving, "mode"));
        var named = Words(Required(arriving, "signers"), [.. signers.Keys]);
        if (mode != Strictness.Off && named.Count == 0)
        {
            throw At(Required(arriving, "signers"), "name at least one signer, else no signature could ever count.");
        }

        var read = Map(Required(rule, "read"), "read", [Otherwise, .. Stages]);
        return new SignersRule(
            Text(Required(rule, "models"), null),
            mode,
            named.ConvertAll(name => signers[name]),
            Mode(Required(read, Otherwise)),
            Stages.Where(read.ContainsKey).ToDictionary(stage => stage, stage => Mode(read[stage]))
        );
    }

    private static Strictness Mode(YamlNode node) =>
        Text(node, ["off", "warn", "enforce"]) switch
        {
            "off" => Strictness.Off,
            "warn" => Strictness.Warn,
            _ => Strictness.Enforce,
        };
}
