using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Governance.Audit.Contracts;
using Governance.Kernel;

namespace Governance.Signing.Engine;

/// <summary>A key with the time in which it may sign; open-ended while it is in use.</summary>
internal sealed record TrustedKey(
    string BaseUrl,
    string KeyDetails,
    byte[] Spki,
    DateTimeOffset Start,
    DateTimeOffset? End
)
{
    public bool IsValidAt(DateTimeOffset time) => Start <= time && (End is null || time <= End);

    public string Pem => PemEncoding.WriteString("PUBLIC KEY", Spki) + "\n";

    /// <summary>OMS key hint: SHA-256 of the PEM text with its final newline.</summary>
    public string Hint => Digest.Of(Pem).Hex;
}

/// <summary>
/// The Sigstore trusted root v0.1. Its grammar has no place for bare signing keys, and some stock parsers refuse members they
/// do not know, so every key stands under <c>tlogs</c>, told apart by address and algorithm: the audit log (Ed25519, address =
/// <c>https://</c> + origin) and model-signing keys (ECDSA P-256, address ends in <see cref="KeysPath"/>). Stock tools may
/// take a signing key for a log's key; it signs nothing but DSSE envelopes, so no checkpoint of that "log" can exist.
/// </summary>
internal sealed class TrustedRootDocument
{
    public const string KeysPath = "/.well-known/governance/keys.pem";
    public const string EcdsaP256 = "PKIX_ECDSA_P256_SHA_256";
    public const string Ed25519 = "PKIX_ED25519";
    private const string MediaType = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss'Z'";
    private const string Https = "https://";
    private const int MaxBytes = 1024 * 1024;

    // RFC 8410: the fixed SubjectPublicKeyInfo header of an Ed25519 key.
    private static readonly byte[] Ed25519Header =
    [
        0x30,
        0x2a,
        0x30,
        0x05,
        0x06,
        0x03,
        0x2b,
        0x65,
        0x70,
        0x03,
        0x21,
        0x00,
    ];

    private readonly IReadOnlyList<TrustedKey> _keys;

    public TrustedRootDocument(IReadOnlyList<TrustedKey> keys) => _keys = keys;

    public static TrustedKey LogKey(string origin, IEnumerable<byte> rawKey, DateTimeOffset start) =>
        new(Https + origin, Ed25519, [.. Ed25519Header, .. rawKey], start, null);

    public static TrustedKey SigningKey(string publicUrl, byte[] spki, DateTimeOffset start, DateTimeOffset? end) =>
        new(publicUrl + KeysPath, EcdsaP256, spki, start, end);

    /// <summary>The model-signing key with this hint, or null.</summary>
    public TrustedKey? FindSigningKey(string hint) =>
        _keys.FirstOrDefault(key =>
            key.KeyDetails == EcdsaP256 && key.BaseUrl.EndsWith(KeysPath, StringComparison.Ordinal) && key.Hint == hint
        );

    /// <summary>The log key with this verifier key, or null.</summary>
    public TrustedKey? FindLogKey(string verifierKey) => _keys.FirstOrDefault(key => VerifierKeyOf(key) == verifierKey);

    /// <summary>Verifier keys of the logs.</summary>
    public IEnumerable<string> LogVerifierKeys => _keys.Select(VerifierKeyOf).OfType<string>();

    public JsonObject Write() =>
        new()
        {
            ["mediaType"] = MediaType,
            ["tlogs"] = new JsonArray([.. _keys.Select(WriteKey)]),
            ["certificateAuthorities"] = new JsonArray(),
            ["ctlogs"] = new JsonArray(),
            ["timestampAuthorities"] = new JsonArray(),
        };

    public static Result<TrustedRootDocument> Read(ReadOnlySpan<byte> utf8)
    {
        if (
            utf8.Length <= MaxBytes
            && Json.TryParse(utf8) is JsonObject root
            && root["mediaType"].Text() == MediaType
            && root["tlogs"] is JsonArray items
        )
        {
            var keys = items.Select(ReadKey).ToList();
            if (keys.TrueForAll(key => key is not null))
            {
                return new TrustedRootDocument([.. keys.OfType<TrustedKey>()]);
            }
        }

        return SigningFailure.Of(
            "trusted_root",
            "The trusted root is malformed, too large, or has a key that cannot be read."
        );
    }

    private static string? VerifierKeyOf(TrustedKey key) =>
        key.KeyDetails == Ed25519
        && key.BaseUrl.StartsWith(Https, StringComparison.Ordinal)
        && key.Spki.Length == Ed25519Header.Length + 32
        && key.Spki.AsSpan(0, Ed25519Header.Length).SequenceEqual(Ed25519Header)
            ? LogVerifierKey.TryCreate(key.BaseUrl[Https.Length..], key.Spki.AsSpan(Ed25519Header.Length))
            : null;

    private static JsonObject WriteKey(TrustedKey key)
    {
        var window = new JsonObject { ["start"] = Time(key.Start) };
        if (key.End is { } end)
        {
            window["end"] = Time(end);
        }

        return new JsonObject
        {
            ["baseUrl"] = key.BaseUrl,
            ["hashAlgorithm"] = "SHA2_256",
            ["publicKey"] = new JsonObject
            {
                ["rawBytes"] = Convert.ToBase64String(key.Spki),
                ["keyDetails"] = key.KeyDetails,
                ["validFor"] = window,
            },
            ["logId"] = new JsonObject { ["keyId"] = Convert.ToBase64String(LogId(key)) },
        };
    }

    // C2SP signed-note ids: over name and typed key for Ed25519, over the SubjectPublicKeyInfo for ECDSA.
    private static byte[] LogId(TrustedKey key) =>
        key.KeyDetails == Ed25519
            ? SHA256.HashData([
                .. Encoding.UTF8.GetBytes(key.BaseUrl[Https.Length..]),
                (byte)'\n',
                1,
                .. key.Spki[Ed25519Header.Length..],
            ])
            : SHA256.HashData(key.Spki);

    private static TrustedKey? ReadKey(JsonNode? node) =>
        node is JsonObject log
        && log["baseUrl"].Text() is { } url
        && log["publicKey"] is JsonObject key
        && key["keyDetails"].Text() is { } details
        && StrictBase64.TryDecode(key["rawBytes"].Text() ?? "!") is { } spki
        && key["validFor"] is JsonObject window
        && ReadTime(window["start"]) is { } start
        && (!window.ContainsKey("end") || ReadTime(window["end"]) is not null)
            ? new TrustedKey(url, details, spki, start, ReadTime(window["end"]))
            : null;

    private static string Time(DateTimeOffset time) =>
        time.ToUniversalTime().ToString(TimeFormat, CultureInfo.InvariantCulture);

    private static DateTimeOffset? ReadTime(JsonNode? node) =>
        node.Text() is { } text
        && DateTimeOffset.TryParseExact(
            text,
            ["yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'"],
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal,
            out var time
        )
            ? time
            : null;
}
