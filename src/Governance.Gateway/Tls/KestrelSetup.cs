using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Options;

namespace Governance.Gateway.Tls;

/// <summary>HTTPS only: TLS 1.2 and 1.3, authenticated encryption only.</summary>
internal sealed class KestrelSetup(ServerCertificates certificates, GatewayOptions options)
    : IConfigureOptions<KestrelServerOptions>
{
    private static readonly TlsCipherSuite[] Suites =
    [
        TlsCipherSuite.TLS_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];

    public void Configure(KestrelServerOptions kestrel)
    {
        // A line ends in CR LF only, so that no proxy before this server sees other lines than it does.
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = 1 << 20; // routes that stream artifacts or datasets lift it for themselves
        kestrel.Limits.MaxRequestHeadersTotalSize = 32 << 10;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
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

    private void Secure(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1AndHttp2;
        listen.UseHttps(
            new HttpsConnectionAdapterOptions
            {
                ServerCertificate = certificates.Server,
                SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                OnAuthenticate = (_, ssl) =>
                {
                    if (!OperatingSystem.IsWindows())
                    {
                        ssl.CipherSuitesPolicy = new CipherSuitesPolicy(Suites);
                    }
                },
            }
        );
    }
}
