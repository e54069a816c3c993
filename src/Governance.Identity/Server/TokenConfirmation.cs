using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Governance.Kernel;

namespace Governance.Identity.Server;

/// <summary>The <c>cnf</c> claim (RFC 7800): the key (RFC 9449 §6.1) or certificate (RFC 8705 §3.1) that a token is bound to.</summary>
internal sealed record TokenConfirmation
{
    public const string Claim = "cnf";
    private const string KeyMember = "jkt";
    private const string CertificateMember = "x5t#S256";

    /// <summary>RFC 7638 thumbprint of the key; null when bound to a certificate.</summary>
    public string? Key { get; private init; }

    /// <summary>SHA-256 of the certificate, base64url; null when bound to a key.</summary>
    public string? Certificate { get; private init; }

    public static TokenConfirmation OfKey(string thumbprint) => new() { Key = thumbprint };

    public static TokenConfirmation Of(X509Certificate2 certificate) =>
        new() { Certificate = Base64Url.EncodeToString(SHA256.HashData(certificate.RawData)) };

    /// <summary>Reads the claim; false when it names a confirmation that is not understood, which no request can fulfil.</summary>
    public static bool TryParse(string? claim, out TokenConfirmation? confirmation)
    {
        confirmation = null;
        if (string.IsNullOrEmpty(claim))
        {
            return true;
        }

        confirmation = CanonicalJson.TryParse(System.Text.Encoding.UTF8.GetBytes(claim)) switch
        {
            JsonObject { Count: 1 } json when TextOf(json, KeyMember) is { } key => OfKey(key),
            JsonObject { Count: 1 } json when TextOf(json, CertificateMember) is { } print => new TokenConfirmation
            {
                Certificate = print,
            },
            _ => null,
        };
        return confirmation is not null;
    }

    public JsonObject ToJson() =>
        Key is null ? new JsonObject { [CertificateMember] = Certificate } : new JsonObject { [KeyMember] = Key };

    private static string? TextOf(JsonObject json, string name) =>
        json[name] is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;
}
