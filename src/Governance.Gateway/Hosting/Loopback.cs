using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Governance.Gateway.Tls;

namespace Governance.Gateway.Hosting;

/// <summary>Handlers for calls to this very gateway: they trust its own CA and nothing else.</summary>
internal static class Loopback
{
    /// <summary>
    /// A handler for this gateway as it presents itself now: its own certificate, or one of the authorities that it trusts, and
    /// the right name in either.
    /// </summary>
    public static SocketsHttpHandler To(ServerCertificates certificates)
    {
        var handler = Trusting(certificates.Authority);
        handler.SslOptions.CertificateChainPolicy!.CustomTrustStore.AddRange(certificates.Trusted);
        handler.SslOptions.RemoteCertificateValidationCallback = (_, presented, _, errors) =>
            errors == SslPolicyErrors.None
            || (
                errors == SslPolicyErrors.RemoteCertificateChainErrors
                && presented is X509Certificate2 certificate
                && certificate.RawDataMemory.Span.SequenceEqual(certificates.Server.RawDataMemory.Span)
            );
        return handler;
    }

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
