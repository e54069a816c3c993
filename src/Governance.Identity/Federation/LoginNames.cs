using System.Security.Cryptography;
using System.Text;
using Governance.Platform;
using Governance.Platform.Keys;

namespace Governance.Identity.Federation;

/// <summary>
/// Pseudonyms of logins at providers: the same login has the same one for as long as <c>&lt;data&gt;/keys/logins.key</c> exists, and
/// without it nobody can tell whose it is. The provider's own name for a login is stored for those that are linked to a person only.
/// </summary>
internal sealed class LoginNames(PlatformOptions platform, IKeyWrap wrap, TimeProvider clock)
{
    private readonly Lazy<byte[]> _key = new(() =>
        WrappedKeyFile
            .LoadOrCreate(
                Path.Combine(platform.DataDirectory, "keys", "logins.key"),
                "external-logins",
                wrap,
                clock,
                () => RandomNumberGenerator.GetBytes(32)
            )
            .Key
    );

    /// <summary>128 bits in hex. The issuer goes in as a digest, so that no text can pass for another pair.</summary>
    public string Of(string issuer, string externalId)
    {
        var issuerDigest = SHA256.HashData(Encoding.UTF8.GetBytes(issuer));
        byte[] text = [.. issuerDigest, .. Encoding.UTF8.GetBytes(externalId)];
        var name = HMACSHA256.HashData(_key.Value, text);
        return Convert.ToHexStringLower(name, 0, 16);
    }
}
