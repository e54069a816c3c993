using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Governance.Gateway.Hosting;

/// <summary>Handlers for calls to this very gateway: they trust its own CA and nothing else.</summary>
internal static class Loopback
{
    /// <summary>A handler that trusts one CA, with full name and chain checks; no proxy, no redirects.</summary>
    public static SocketsHttpHandler Trusting(X509Certificate2 authority) =>
        new()
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            SslOptions = new SslClientAuthenticationOptions
            {
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore = { authority },
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            },
        };
}
