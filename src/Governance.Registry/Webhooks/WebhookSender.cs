using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Governance.Kernel;
using Governance.Platform.Keys;
using Governance.Registry.Engine;
using Governance.Registry.Storage;
using Microsoft.Extensions.Options;

namespace Governance.Registry.Webhooks;

/// <summary>Port to the name service.</summary>
internal interface IHostAddresses
{
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken);
}

internal sealed class SystemHostAddresses : IHostAddresses
{
    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) =>
        Dns.GetHostAddressesAsync(host, cancellationToken);
}

/// <summary>An address that the policy forbids, found only when it was looked up.</summary>
internal sealed class ForbiddenAddressException() : IOException(OutboundPolicy.Forbidden.Code);

/// <summary>
/// Sends deliveries: the only code of the registry that opens a connection. A name is looked up once per attempt, every
/// address it has is checked, and the connection goes to a checked one, so that a name that changes its mind gains nothing.
/// No proxy, no cookie, no redirect, no reuse, no answer body.
/// </summary>
internal sealed class WebhookSender : IDisposable
{
    private readonly HttpClient _client;
    private readonly IKeyWrap _keys;
    private readonly TimeProvider _clock;

    public WebhookSender(IHostAddresses hosts, IOptions<RegistryOptions> options, IKeyWrap keys, TimeProvider clock)
    {
        (_keys, _clock) = (keys, clock);
        var settings = options.Value;
        Policy = new OutboundPolicy([.. settings.WebhookNetworks.Select(network => IPNetwork.Parse(network))]);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            PooledConnectionLifetime = TimeSpan.Zero,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            MaxResponseHeadersLength = 16,
            ConnectCallback = (context, token) => ConnectAsync(hosts, context.DnsEndPoint, token),
        };
        if (settings.WebhookAuthorities.Length > 0)
        {
            handler.SslOptions.CertificateChainPolicy = Trusting(settings.WebhookAuthorities);
        }

        _client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(settings.WebhookTimeoutSeconds) };
    }

    public OutboundPolicy Policy { get; }

    public static string Purpose(string webhookId) => $"registry.webhook:{webhookId}";

    /// <summary>Sends once and gives back the status; throws when there is none.</summary>
    public async Task<int> SendAsync(
        WebhookRow webhook,
        string deliveryId,
        string body,
        CancellationToken cancellationToken
    )
    {
        if (Policy.Check(webhook.Url) is not null)
        {
            throw new ForbiddenAddressException();
        }

        var now = _clock.GetUtcNow().ToUnixTimeSeconds();
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, webhook.Url) { Content = content };
        request.Headers.Add("X-MLflow-Delivery-Id", deliveryId);
        request.Headers.Add("X-MLflow-Timestamp", now.ToString(CultureInfo.InvariantCulture));
        if (webhook.WrappedSecret is { } wrapped)
        {
            var secret = _keys.Unwrap(wrapped, Purpose(webhook.Id));
            try
            {
                request.Headers.TryAddWithoutValidation(
                    "X-MLflow-Signature",
                    WebhookSignature.Of(secret, deliveryId, now, body)
                );
            }
            finally
            {
                CryptographicOperations.ZeroMemory(secret);
            }
        }

        using var answer = await _client.SendAsync(
            request,
            HttpCompletionOption.ResponseHeadersRead,
            cancellationToken
        );
        return (int)answer.StatusCode;
    }

    /// <summary>What became of an attempt, in one word for log and answer: never the text of an exception.</summary>
    public static string Reason(Exception exception) =>
        Chain(exception).Any(inner => inner is ForbiddenAddressException) ? OutboundPolicy.Forbidden.Code
        : Chain(exception).Any(inner => inner is System.Security.Authentication.AuthenticationException) ? "tls"
        : exception is OperationCanceledException ? "timeout"
        : "unreachable";

    public void Dispose() => _client.Dispose();

    private async ValueTask<Stream> ConnectAsync(
        IHostAddresses hosts,
        DnsEndPoint end,
        CancellationToken cancellationToken
    )
    {
        var addresses = IPAddress.TryParse(end.Host, out var literal)
            ? [literal]
            : await hosts.ResolveAsync(end.Host, cancellationToken);
        // One forbidden address among public ones is how a name is made to point inside every now and then.
        if (addresses.Length == 0 || !addresses.All(Policy.Allows))
        {
            throw new ForbiddenAddressException();
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, end.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static X509ChainPolicy Trusting(string file)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
        };
        policy.CustomTrustStore.ImportFromPemFile(file);
        return policy;
    }

    private static IEnumerable<Exception> Chain(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            yield return exception;
        }
    }
}
