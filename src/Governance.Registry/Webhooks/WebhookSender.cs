using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Governance.Kernel;
using Governance.Platform.Keys;
using Governance.Platform.Outbound;
using Governance.Registry.Engine;
using Governance.Registry.Remote;
using Governance.Registry.Storage;
using Microsoft.Extensions.Options;

namespace Governance.Registry.Webhooks;

/// <summary>
/// Sends deliveries. A name is looked up for each attempt; see <see cref="OutboundConnections"/>. No reuse, no answer body.
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
        var handler = OutboundConnections.Handler(hosts, Policy.Allows, settings.WebhookAuthorities);
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

        using var request = WebhookRequest.Create(
            webhook.Url,
            "X-MLflow",
            deliveryId,
            _clock.GetUtcNow(),
            body,
            webhook.WrappedSecret is { } wrapped ? _keys.Unwrap(wrapped, Purpose(webhook.Id)) : null
        );
        using var answer = await _client.SendAsync(
            request,
            HttpCompletionOption.ResponseHeadersRead,
            cancellationToken
        );
        return (int)answer.StatusCode;
    }

    /// <summary>What became of an attempt, in one word for log and answer: never the text of an exception.</summary>
    public static string Reason(Exception exception) =>
        OutboundConnections.Chain(exception).Any(inner => inner is ForbiddenAddressException)
            ? OutboundPolicy.Forbidden.Code
        : OutboundConnections
            .Chain(exception)
            .Any(inner => inner is System.Security.Authentication.AuthenticationException)
            ? "tls"
        : exception is OperationCanceledException ? "timeout"
        : "unreachable";

    public void Dispose() => _client.Dispose();
}
