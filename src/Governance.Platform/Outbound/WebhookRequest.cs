using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace Governance.Platform.Outbound;

/// <summary>A delivery to a webhook: JSON, with id, time and signature in headers.</summary>
public static class WebhookRequest
{
    /// <summary>Makes the request; whoever sends it disposes of it.</summary>
    /// <param name="url">Where to.</param>
    /// <param name="headers">What the names of its headers begin with, such as <c>X-MLflow</c>.</param>
    /// <param name="deliveryId">The same for each attempt.</param>
    /// <param name="now">Time of this attempt.</param>
    /// <param name="body">JSON.</param>
    /// <param name="secret">What signs it (<see cref="WebhookSignature"/>), zeroed afterwards; null for no signature.</param>
    public static HttpRequestMessage Create(
        string url,
        string headers,
        string deliveryId,
        DateTimeOffset now,
        string body,
        byte[]? secret
    )
    {
        var time = now.ToUnixTimeSeconds();
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = content };
        request.Headers.Add($"{headers}-Delivery-Id", deliveryId);
        request.Headers.Add($"{headers}-Timestamp", time.ToString(CultureInfo.InvariantCulture));
        if (secret is not null)
        {
            var signature = WebhookSignature.Of(secret, deliveryId, time, body);
            request.Headers.TryAddWithoutValidation($"{headers}-Signature", signature);
            CryptographicOperations.ZeroMemory(secret);
        }

        return request;
    }
}
