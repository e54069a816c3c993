using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Kernel;
using Governance.Signing.Contracts;
using Governance.Signing.Engine;

namespace Governance.Tests.Signing;

/// <summary>A key, its trusted root and the tools to forge what the signer itself would never write.</summary>
internal sealed class SigningFixture : IDisposable
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    public static readonly DateTimeOffset Now = new(2026, 6, 1, 0, 0, 0, TimeSpan.Zero);

    public SigningFixture()
    {
        Key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Signer = new ModelSigner(Key);
    }

    public ECDsa Key { get; }

    public ModelSigner Signer { get; }

    public OfflineVerifier Verifier { get; } = new(new Microsoft.Extensions.Time.Testing.FakeTimeProvider(Now));

    public byte[] Root(DateTimeOffset? start = null, DateTimeOffset? end = null) =>
        CanonicalJson.Serialize(
            new TrustedRootDocument([
                TrustedRootDocument.SigningKey(
                    "https://localhost:8443",
                    Key.ExportSubjectPublicKeyInfo(),
                    start ?? Start,
                    end
                ),
            ]).Write()
        );

    public static Manifest Model(params (string Path, string Content)[] files) =>
        Manifest
            .Create(
                files.Select(file => new ManifestFile(
                    file.Path,
                    Encoding.UTF8.GetByteCount(file.Content),
                    Digest.Of(file.Content)
                ))
            )
            .Value;

    public static Manifest Model() =>
        Model(("MLmodel", "flavors: {}"), ("model/model.pkl", "bytes"), ("model/empty", ""));

    /// <summary>Signs any payload as it stands.</summary>
    public JsonObject Forge(string payload) => Forge(Encoding.UTF8.GetBytes(payload));

    public JsonObject Forge(byte[] payload) =>
        JsonNode.Parse(new SignedBundle(Signer.KeyHint, payload, Dsse.Sign(Key, payload)).Write())!.AsObject();

    public Result<VerifiedStatement> Verify(JsonObject bundle, Manifest? manifest = null) =>
        Verifier.VerifyModel(
            Encoding.UTF8.GetBytes(bundle.ToJsonString()),
            manifest ?? Model(),
            Root(),
            SignerPolicy.Anybody
        );

    public JsonObject Bundle() => JsonNode.Parse(Signer.SignModel("fraud", Model()))!.AsObject();

    public static JsonObject Statement() => ModelStatement.Create("fraud", Model());

    public void Dispose() => Signer.Dispose();
}
