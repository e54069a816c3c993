using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Governance.Platform.Outbound;

/// <summary>
/// MLflow's signature of a delivery, after the Standard Webhooks convention: <c>v1,</c> and the base64 of HMAC-SHA-256 over
/// <c>delivery id . timestamp . body</c> under the secret.
/// </summary>
public static class WebhookSignature
{
    /// <summary>The signature of one delivery.</summary>
    public static string Of(ReadOnlySpan<byte> secret, string deliveryId, long unixSeconds, string body)
    {
        var signed = string.Create(CultureInfo.InvariantCulture, $"{deliveryId}.{unixSeconds}.{body}");
        return $"v1,{Convert.ToBase64String(HMACSHA256.HashData(secret, Encoding.UTF8.GetBytes(signed)))}";
    }
}
