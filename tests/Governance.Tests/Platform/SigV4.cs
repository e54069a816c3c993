using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Governance.Tests.Platform;

/// <summary>
/// AWS Signature Version 4 as a service checks it, written from its description ("Create a signed AWS API request", IAM User Guide)
/// and nothing of the SDK that signs.
/// </summary>
internal static class SigV4
{
    /// <summary>The signature of a request with these headers, of which those in <paramref name="signed"/> count.</summary>
    public static string Of(
        string method,
        string path,
        string query,
        IReadOnlyDictionary<string, string> headers,
        string signed,
        byte[] body,
        string scope,
        string secret
    )
    {
        var canonical = new StringBuilder($"{method}\n{path}\n");
        canonical.AppendJoin('&', query.Split('&').Order(StringComparer.Ordinal)).Append('\n');
        foreach (var name in signed.Split(';'))
        {
            canonical.Append(CultureInfo.InvariantCulture, $"{name}:{headers[name].Trim()}\n");
        }

        canonical.Append(CultureInfo.InvariantCulture, $"\n{signed}\n{Hex(SHA256.HashData(body))}");
        var text =
            $"AWS4-HMAC-SHA256\n{headers["x-amz-date"]}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical.ToString())))}";
        var key = scope
            .Split('/')
            .Aggregate(Encoding.UTF8.GetBytes("AWS4" + secret), (current, part) => Mac(current, part));
        return Hex(Mac(key, text));
    }

    private static byte[] Mac(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
