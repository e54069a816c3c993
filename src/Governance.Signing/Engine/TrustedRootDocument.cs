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
    public bool IsValidAt(DateTimeOffset time) => Window.Holds(Start, End, time);

    public string Pem => PemEncoding.WriteString("PUBLIC KEY", Spki) + "\n";

    /// <summary>OMS key hint: SHA-256 of the PEM text with its final newline.</summary>
    public string Hint => Digest.Of(Pem).Hex;
}

/// <summary>Time in which a key or authority may sign.</summary>
internal static class Window
{
    /// <summary>Ends are whole seconds, and their last second still counts.</summary>
    public static bool Holds(DateTimeOffset start, DateTimeOffset? end, DateTimeOffset time) =>
        start <= time && (end is not { } last || time < last || time.ToUnixTimeSeconds() == last.ToUnixTimeSeconds());
}

/// <summary>An authority that issues certificates, or timestamps, with the time in which it may.</summary>
/// <param name="Address">What it calls itself.</param>
/// <param name="Chain">Certificates, DER: of an issuer of certificates from it to its root, of timestamps from the one that signs.</param>
/// <param name="Start">UTC.</param>
/// <param name="End">UTC; null while it is in use.</param>
internal sealed record TrustedAuthority(
    string Address,
    IReadOnlyList<byte[]> Chain,
    DateTimeOffset Start,
    DateTimeOffset? End
)
{
    public bool IsValidAt(DateTimeOffset time) => Window.Holds(Start, End, time);
}

/// <summary>
/// The Sigstore trusted root v0.1. Its grammar has no place for bare signing keys, and some stock parsers refuse members they
/// do not know, so every key stands under <c>tlogs</c>, told apart by address and algorithm: the audit log (Ed25519, address =
/// <c>https://</c> + origin), model-signing keys (ECDSA P-256, address ends in <see cref="KeysPath"/>) and signature logs (other
/// addresses). Stock tools may take a signing key for a log's key; it signs nothing but DSSE envelopes, so no checkpoint of
/// that "log" can exist.
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

    public TrustedRootDocument(IReadOnlyList<TrustedKey> keys) => Keys = keys;

    /// <summary>What stands under <c>tlogs</c>.</summary>
    public IReadOnlyList<TrustedKey> Keys { get; }

    public static TrustedKey LogKey(string origin, IEnumerable<byte> rawKey, DateTimeOffset start) =>
        new(Https + origin, Ed25519, [.. Ed25519Header, .. rawKey], start, null);

    public static TrustedKey SigningKey(string publicUrl, byte[] spki, DateTimeOffset start, DateTimeOffset? end) =>
        new(publicUrl + KeysPath, EcdsaP256, spki, start, end);

    /// <summary>A signature log or a log of certificates.</summary>
    public static TrustedKey EcdsaLog(string name, byte[] spki, DateTimeOffset start, DateTimeOffset? end) =>
        new(Https + name, EcdsaP256, spki, start, end);

    public IReadOnlyList<TrustedAuthority> CertificateAuthorities { get; init; } = [];

    /// <summary>Logs whose timestamps certificates carry (SCT).</summary>
    public IReadOnlyList<TrustedKey> CertificateLogs { get; init; } = [];

    public IReadOnlyList<TrustedAuthority> TimestampAuthorities { get; init; } = [];

    /// <summary>The model-signing key with this hint, or null.</summary>
    public TrustedKey? FindSigningKey(string hint) =>
        Keys.FirstOrDefault(key => key.KeyDetails == EcdsaP256 && IsSigningKey(key) && key.Hint == hint);

    /// <summary>The signature log with this id and its name in checkpoints, or null.</summary>
    public (TrustedKey Key, string Name)? FindSignatureLog(byte[] logId) =>
        FindLog(Keys.Where(key => !IsSigningKey(key)), logId) is { } log
        && log.BaseUrl.StartsWith(Https, StringComparison.Ordinal)
            ? (log, log.BaseUrl[Https.Length..])
            : null;

    /// <summary>The log of certificates with this id, or null.</summary>
    public TrustedKey? FindCertificateLog(byte[] logId) => FindLog(CertificateLogs, logId);

    /// <summary>The log key with this verifier key, or null.</summary>
    public TrustedKey? FindLogKey(string verifierKey) => Keys.FirstOrDefault(key => VerifierKeyOf(key) == verifierKey);

    /// <summary>Verifier keys of the logs.</summary>
    public IEnumerable<string> LogVerifierKeys => Keys.Select(VerifierKeyOf).OfType<string>();

    public JsonObject Write() =>
        new()
        {
            ["mediaType"] = MediaType,
            ["tlogs"] = new JsonArray([.. Keys.Select(WriteKey)]),
            ["certificateAuthorities"] = new JsonArray([.. CertificateAuthorities.Select(WriteAuthority)]),
            ["ctlogs"] = new JsonArray([.. CertificateLogs.Select(WriteKey)]),
            ["timestampAuthorities"] = new JsonArray([.. TimestampAuthorities.Select(WriteAuthority)]),
        };

    public static Result<TrustedRootDocument> Read(ReadOnlySpan<byte> utf8)
    {
        if (
            utf8.Length <= MaxBytes
            && Json.TryParse(utf8) is JsonObject root
            && root["mediaType"].Text() == MediaType
            && root["tlogs"] is JsonArray logs
            && ReadAll(logs, ReadKey) is { } keys
            && ReadAll(root["certificateAuthorities"] ?? new JsonArray(), ReadAuthority) is { } authorities
            && ReadAll(root["ctlogs"] ?? new JsonArray(), ReadKey) is { } certificateLogs
            && ReadAll(root["timestampAuthorities"] ?? new JsonArray(), ReadAuthority) is { } timestampAuthorities
        )
        {
            return new TrustedRootDocument(keys)
            {
                CertificateAuthorities = authorities,
                CertificateLogs = certificateLogs,
                TimestampAuthorities = timestampAuthorities,
            };
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

    private static bool IsSigningKey(TrustedKey key) => key.BaseUrl.EndsWith(KeysPath, StringComparison.Ordinal);

    private static TrustedKey? FindLog(IEnumerable<TrustedKey> keys, byte[] logId) =>
        keys.FirstOrDefault(key => key.KeyDetails == EcdsaP256 && logId.AsSpan().SequenceEqual(LogId(key)));

    private static JsonObject WriteKey(TrustedKey key) =>
        new()
        {
            ["baseUrl"] = key.BaseUrl,
            ["hashAlgorithm"] = "SHA2_256",
            ["publicKey"] = new JsonObject
            {
                ["rawBytes"] = Convert.ToBase64String(key.Spki),
                ["keyDetails"] = key.KeyDetails,
                ["validFor"] = WriteWindow(key.Start, key.End),
            },
            ["logId"] = new JsonObject { ["keyId"] = Convert.ToBase64String(LogId(key)) },
        };

    private static JsonObject WriteAuthority(TrustedAuthority authority) =>
        new()
        {
            ["subject"] = new JsonObject { ["organization"] = "Governance", ["commonName"] = "Governance" },
            ["uri"] = authority.Address,
            ["certChain"] = new JsonObject
            {
                ["certificates"] = new JsonArray([
                    .. authority.Chain.Select(certificate => new JsonObject
                    {
                        ["rawBytes"] = Convert.ToBase64String(certificate),
                    }),
                ]),
            },
            ["validFor"] = WriteWindow(authority.Start, authority.End),
        };

    private static JsonObject WriteWindow(DateTimeOffset start, DateTimeOffset? end)
    {
        var window = new JsonObject { ["start"] = Time(start) };
        if (end is { } last)
        {
            window["end"] = Time(last);
        }

        return window;
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
        && ReadWindow(key["validFor"]) is var (start, end)
            ? new TrustedKey(url, details, spki, start, end)
            : null;

    private static TrustedAuthority? ReadAuthority(JsonNode? node) =>
        node is JsonObject authority
        && (authority["certChain"] as JsonObject)?["certificates"] is JsonArray { Count: > 0 } certificates
        && ReadAll(certificates, ReadCertificate) is { } chain
        && ReadWindow(authority["validFor"]) is var (start, end)
            ? new TrustedAuthority(authority["uri"].Text() ?? "", chain, start, end)
            : null;

    private static byte[]? ReadCertificate(JsonNode? node) =>
        node is JsonObject certificate ? StrictBase64.TryDecode(certificate["rawBytes"].Text() ?? "!") : null;

    private static (DateTimeOffset Start, DateTimeOffset? End)? ReadWindow(JsonNode? node) =>
        node is JsonObject window
        && ReadTime(window["start"]) is { } start
        && (!window.ContainsKey("end") || ReadTime(window["end"]) is not null)
            ? (start, ReadTime(window["end"]))
            : null;

    // All or nothing: what cannot be read might be what somebody took away.
    private static List<T>? ReadAll<T>(JsonNode? node, Func<JsonNode?, T?> read)
        where T : class
    {
        var items = node is JsonArray array ? array.Select(read).ToList() : null;
        return items is not null && items.TrueForAll(item => item is not null) ? items.ConvertAll(item => item!) : null;
    }

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
