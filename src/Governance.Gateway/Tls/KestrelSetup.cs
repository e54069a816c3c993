using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using Governance.Gateway.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Options;

namespace Governance.Gateway.Tls;

/// <summary>HTTPS only: TLS 1.2 and 1.3, authenticated encryption with forward secrecy only; what a connection may take is bounded.</summary>
internal sealed class KestrelSetup(
    ServerCertificates certificates,
    GatewayOptions options,
    LimitOptions limits,
    ConnectionCount connections
) : IConfigureOptions<KestrelServerOptions>
{
    private static readonly CipherSuitesPolicy? Suites = OperatingSystem.IsWindows()
        ? null
        : new CipherSuitesPolicy([
            TlsCipherSuite.TLS_AES_256_GCM_SHA384,
            TlsCipherSuite.TLS_AES_128_GCM_SHA256,
            TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ]);

    public void Configure(KestrelServerOptions kestrel)
    {
        // A line ends in CR LF only, so that no proxy before this server sees other lines than it does.
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);
        kestrel.AddServerHeader = false;
        Limit(kestrel.Limits);
        var address = new Uri(options.Urls.Replace("*", "0.0.0.0", StringComparison.Ordinal));
        if (address.IsLoopback && address.HostNameType == UriHostNameType.Dns)
        {
            kestrel.ListenLocalhost(address.Port, Secure);
        }
        else
        {
            kestrel.Listen(
                IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) ? ip : IPAddress.Any,
                address.Port,
                Secure
            );
        }
    }

    private void Limit(KestrelServerLimits kestrel)
    {
        var slowest = new MinDataRate(limits.BytesPerSecond, TimeSpan.FromSeconds(limits.GraceSeconds));
        kestrel.MaxRequestBodySize = limits.BodyBytes; // routes that stream artifacts or datasets lift it for themselves
        kestrel.MaxRequestHeadersTotalSize = limits.HeaderBytes;
        kestrel.MaxRequestHeaderCount = limits.HeaderCount;
        kestrel.RequestHeadersTimeout = TimeSpan.FromSeconds(limits.HeaderSeconds);
        kestrel.KeepAliveTimeout = TimeSpan.FromSeconds(limits.IdleSeconds);
        kestrel.MinRequestBodyDataRate = slowest;
        kestrel.MinResponseDataRate = slowest;
        kestrel.MaxConcurrentConnections = limits.Connections;
        kestrel.MaxConcurrentUpgradedConnections = limits.Connections;
        kestrel.Http2.MaxStreamsPerConnection = limits.StreamsPerConnection;
        kestrel.Http2.MaxRequestHeaderFieldSize = limits.HeaderBytes;
    }

    private void Secure(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1AndHttp2;
        listen.Use(next => connection => connections.CountAsync(connection, () => next(connection)));
        listen.UseHttps(
            new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = TimeSpan.FromSeconds(limits.HandshakeSeconds),
                OnConnection = _ => ValueTask.FromResult(Handshake()),
            }
        );
    }

    private SslServerAuthenticationOptions Handshake() =>
        new()
        {
            ServerCertificateContext = certificates.Context,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            CipherSuitesPolicy = Suites,
            AllowRenegotiation = false,
        };
}
