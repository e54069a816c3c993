using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Governance.Tests.Identity;

/// <summary>An authenticator with one ES256 key, and a browser around it, that can be told to misbehave (WebAuthn level 3).</summary>
public sealed class SoftAuthenticator : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly byte[] _id = RandomNumberGenerator.GetBytes(32);

    /// <summary>The page that the browser shows.</summary>
    public required string Origin { get; set; }

    /// <summary>The relying party that the authenticator signs for.</summary>
    public string RelyingParty { get; set; } = "localhost";

    /// <summary>Whether the person was verified, not only there.</summary>
    public bool Verified { get; set; } = true;

    public bool CrossOrigin { get; set; }

    public uint Counter { get; set; } = 1;

    public string? UserHandle { get; set; }

    /// <summary>The answer of <c>navigator.credentials.create</c>.</summary>
    public string Create(JsonNode options)
    {
        UserHandle = options["user"]!["id"]!.GetValue<string>();
        var parameters = _key.ExportParameters(false);
        byte[] cose =
        [
            0xa5,
            0x01,
            0x02,
            0x03,
            0x26,
            0x20,
            0x01,
            0x21,
            0x58,
            0x20,
            .. parameters.Q.X!,
            0x22,
            0x58,
            0x20,
            .. parameters.Q.Y!,
        ];
        byte[] attested = [.. new byte[16], 0, (byte)_id.Length, .. _id, .. cose];
        var data = AuthenticatorData(0x40, attested);
        byte[] attestation =
        [
            0xa3,
            .. Text("fmt"),
            .. Text("none"),
            .. Text("attStmt"),
            0xa0,
            .. Text("authData"),
            0x58,
            (byte)data.Length,
            .. data,
        ];
        return Answer(
            new JsonObject
            {
                ["clientDataJSON"] = Encode(ClientData("webauthn.create", options)),
                ["attestationObject"] = Encode(attestation),
                ["transports"] = new JsonArray("internal"),
            }
        );
    }

    /// <summary>The answer of <c>navigator.credentials.get</c>.</summary>
    public string Get(JsonNode options)
    {
        var data = AuthenticatorData(0, []);
        var client = ClientData("webauthn.get", options);
        byte[] signed = [.. data, .. SHA256.HashData(client)];
        return Answer(
            new JsonObject
            {
                ["clientDataJSON"] = Encode(client),
                ["authenticatorData"] = Encode(data),
                ["signature"] = Encode(
                    _key.SignData(signed, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)
                ),
                ["userHandle"] = UserHandle,
            }
        );
    }

    public void Dispose() => _key.Dispose();

    private byte[] AuthenticatorData(byte flags, byte[] attested)
    {
        var counter = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(counter, Counter);
        return
        [
            .. SHA256.HashData(Encoding.UTF8.GetBytes(RelyingParty)),
            (byte)(flags | 0x01 | (Verified ? 0x04 : 0)),
            .. counter,
            .. attested,
        ];
    }

    private byte[] ClientData(string type, JsonNode options) =>
        Encoding.UTF8.GetBytes(
            new JsonObject
            {
                ["type"] = type,
                ["challenge"] = options["challenge"]!.GetValue<string>(),
                ["origin"] = Origin,
                ["crossOrigin"] = CrossOrigin,
            }.ToJsonString()
        );

    private string Answer(JsonObject response) =>
        new JsonObject
        {
            ["id"] = Encode(_id),
            ["rawId"] = Encode(_id),
            ["type"] = "public-key",
            ["clientExtensionResults"] = new JsonObject(),
            ["response"] = response,
        }.ToJsonString();

    private static byte[] Text(string text) => [(byte)(0x60 + text.Length), .. Encoding.ASCII.GetBytes(text)];

    private static string Encode(byte[] bytes) => Base64Url.EncodeToString(bytes);
}
