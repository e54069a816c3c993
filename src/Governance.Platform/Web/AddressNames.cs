using System.Security.Cryptography;
using System.Text;
using Governance.Platform.Keys;
using Microsoft.AspNetCore.Http;

namespace Governance.Platform.Web;

/// <summary>
/// Pseudonyms of client addresses for log entries, which hold no personal data: the same address has the same name for as long
/// as the key <c>&lt;data&gt;/keys/addresses.key</c> exists, and nobody without it can tell which.
/// </summary>
public sealed class AddressNames(PlatformOptions platform, IKeyWrap wrap, TimeProvider clock)
{
    // What failed once is tried again.
    private readonly Lazy<byte[]> _key = new(
        () =>
            WrappedKeyFile
                .LoadOrCreate(
                    Path.Combine(platform.DataDirectory, "keys", "addresses.key"),
                    "client-addresses",
                    wrap,
                    clock,
                    () => RandomNumberGenerator.GetBytes(32)
                )
                .Key,
        LazyThreadSafetyMode.PublicationOnly
    );

    /// <summary>64 bits in hex for the address that a request came from.</summary>
    public string Of(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var bucket = ClientAddress.BucketOf(context.Connection.RemoteIpAddress);
        return Convert.ToHexStringLower(HMACSHA256.HashData(_key.Value, Encoding.ASCII.GetBytes(bucket)), 0, 8);
    }
}
