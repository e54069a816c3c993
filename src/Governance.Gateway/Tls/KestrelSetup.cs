using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Governance.Gateway.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Options;

namespace Governance.Gateway.Tls;

/// <summary>HTTPS only: TLS 1.2 and 1.3, authenticated encryption with forward secrecy only, on a second port with client certificates where configured; what a connection may take is bounded.</summary>
internal sealed class KestrelSetup(
    ServerCertificates certificates,
    GatewayOptions options,
    LimitOptions limits,
    ConnectionCount connections,
    MutualTlsOptions mutualTls
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
        Listen(kestrel, address, address.Port, clientCertificates: false);
        if (mutualTls.Port > 0)
        {
            Listen(kestrel, address, mutualTls.Port, clientCertificates: true);
        }
    }

    private void Listen(KestrelServerOptions kestrel, Uri address, int port, bool clientCertificates)
    {
        void Configure(ListenOptions listen) => Secure(listen, clientCertificates);
        if (address.IsLoopback && address.HostNameType == UriHostNameType.Dns)
        {
            kestrel.ListenLocalhost(port, Configure);
        }
        else
        {
            kestrel.Listen(
                IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) ? ip : IPAddress.Any,
                port,
                Configure
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

    private void Secure(ListenOptions listen, bool clientCertificates)
    {
        listen.Protocols = HttpProtocols.Http1AndHttp2;
        listen.Use(next => connection => connections.CountAsync(connection, () => next(connection)));
        listen.UseHttps(
            new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = TimeSpan.FromSeconds(limits.HandshakeSeconds),
                OnConnection = _ => ValueTask.FromResult(Handshake(clientCertificates)),
            }
        );
    }

    // With client certificates the handshake proves that the client has the key, and no more. Whose certificate it is, the
    // token endpoint asks: a registered one has no chain (RFC 8705 §2.2). Nothing is fetched at the wish of whoever connects.
    private SslServerAuthenticationOptions Handshake(bool clientCertificates) =>
        new()
        {
            ServerCertificateContext = certificates.Context,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            CipherSuitesPolicy = Suites,
            AllowRenegotiation = false,
            ClientCertificateRequired = clientCertificates,
            CertificateChainPolicy = clientCertificates
                ? new X509ChainPolicy
                {
                    DisableCertificateDownloads = true,
                    RevocationMode = X509RevocationMode.NoCheck,
                }
                : null,
            RemoteCertificateValidationCallback = clientCertificates
                ? static (_, certificate, _, _) => certificate is not null
                : null,
        };
}
