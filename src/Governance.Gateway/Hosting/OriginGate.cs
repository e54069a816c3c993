using System.Collections.Frozen;
using System.Text.Json.Nodes;
using Governance.Gateway.Tls;
using Governance.Kernel;
using Governance.Platform;
using Governance.Platform.Database;
using Governance.Platform.Logging;
using Governance.Platform.Web;

namespace Governance.Gateway.Hosting;

/// <summary>
/// Before everything else: the answer gets its headers, the request must name this gateway as its host (DNS rebinding), and one
/// that a browser marks as sent by a page of another site is refused on every route that could change something (CSRF).
/// </summary>
internal sealed class OriginGate
{
    private static readonly Failure UnknownHost = Failure.Invalid(
        "gateway.unknown_host",
        "The gateway has no such host name; the operator names further ones in Governance:AllowedHosts."
    );
    private static readonly Failure Malformed = Failure.Invalid(
        "gateway.malformed",
        "The request carries headers that its version of HTTP does not have."
    );
    private static readonly Failure ForeignOrigin = Failure.Denied(
        "gateway.foreign_origin",
        "A page of another site sent this request."
    );
    private readonly RequestDelegate _next;
    private readonly FrozenSet<string> _hosts;
    private readonly FrozenSet<string> _origins;
    private readonly HostString _public;
    private readonly IWriter _writer;
    private readonly AddressNames _addresses;

    public OriginGate(
        RequestDelegate next,
        PlatformOptions platform,
        GatewayOptions options,
        IWriter writer,
        AddressNames addresses
    )
    {
        (_next, _writer, _addresses) = (next, writer, addresses);
        var address = new Uri(platform.PublicUrl);
        var listening = new Uri(options.Urls.Replace("*", "localhost", StringComparison.Ordinal));
        _public = HostString.FromUriComponent(address);
        _hosts = AllowedHosts.Of(platform, options).ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        _origins = _hosts
            .SelectMany(host => new[] { address.Port, listening.Port }.Select(port => Origin(host, port)))
            .ToFrozenSet(StringComparer.OrdinalIgnoreCase);
    }

    public Task InvokeAsync(HttpContext context)
    {
        AnswerHeaders.Set(context);
        if (HasHopHeaders(context.Request))
        {
            return RefuseAsync(context, Malformed, "BAD_REQUEST");
        }

        if (!_hosts.Contains(context.Request.Host.Host))
        {
            return RefuseAsync(context, UnknownHost, "BAD_REQUEST");
        }

        if (IsFromElsewhere(context.Request))
        {
            return RefuseAsync(context, ForeignOrigin, "PERMISSION_DENIED");
        }

        // Addresses in answers come from the settings, never from the request.
        context.Request.Host = _public;
        return _next(context);
    }

    // RFC 9113 §8.2.2: headers about a connection of HTTP/1.1 make a request malformed; what stands behind might believe them.
    private static bool HasHopHeaders(HttpRequest request) =>
        HttpProtocol.IsHttp2(request.Protocol)
        && (
            request.Headers.TransferEncoding.Count
                + request.Headers.KeepAlive.Count
                + request.Headers.Upgrade.Count
                + request.Headers["Proxy-Connection"].Count
            > 0
        );

    // Whatever carries an Origin must carry ours; a page of another site can't leave it out of a request that changes something.
    private bool IsFromElsewhere(HttpRequest request)
    {
        var origin = request.Headers.Origin;
        if (origin.Count > 0)
        {
            return origin is not [{ } value] || !_origins.Contains(value);
        }

        return !HttpMethods.IsGet(request.Method)
            && !HttpMethods.IsHead(request.Method)
            && request.Headers.TryGetValue("Sec-Fetch-Site", out var site)
            && site is not ["same-origin" or "none"];
    }

    private async Task RefuseAsync(HttpContext context, Failure failure, string mlflowCode)
    {
        var entry = new LogEntry("access.foreign", Actor.Anonymous, "", LogOutcome.Refused)
        {
            Details = new JsonObject { ["code"] = failure.Code, ["address"] = _addresses.Of(context) },
        };
        await _writer.LogAsync(entry, CancellationToken.None);
        await ErrorAnswers.WriteAsync(context, failure, FailureResults.StatusOf(failure.Kind), mlflowCode);
    }

    private static string Origin(string host, int port) => port == 443 ? $"https://{host}" : $"https://{host}:{port}";
}
