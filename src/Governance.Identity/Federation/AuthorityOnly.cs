using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Governance.Identity.Contracts;

namespace Governance.Identity.Federation;

/// <summary>
/// What reaches a provider: https to the host of its configured address, and to hosts named beside it, and nowhere else,
/// whatever its metadata says. No proxy, no redirect, no cookie; times and sizes are bounded.
/// </summary>
internal sealed class AuthorityOnly : DelegatingHandler
{
    private const int MaxAnswer = 256 * 1024;
    private readonly IReadOnlySet<string> _allowed;

    private AuthorityOnly(IReadOnlySet<string> allowed, HttpMessageHandler inner)
        : base(inner) => _allowed = allowed;

    public static HttpClient For(ExternalIssuer issuer)
    {
        var transport = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            MaxResponseHeadersLength = 16,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        };
        transport.SslOptions.EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
        if (issuer.AuthorityFile.Length > 0)
        {
            transport.SslOptions.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            transport.SslOptions.CertificateChainPolicy.CustomTrustStore.ImportFromPemFile(issuer.AuthorityFile);
        }

        var allowed = ExternalIssuer
            .Parts(issuer.Hosts)
            .Select(host => new Uri($"https://{host}").Authority)
            .Append(new Uri(issuer.Authority).Authority)
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        return new HttpClient(new AuthorityOnly(allowed, transport))
        {
            Timeout = TimeSpan.FromSeconds(10),
            MaxResponseContentBufferSize = MaxAnswer,
        };
    }

    protected override Task<HttpResponseMessage> SendAsync(
        HttpRequestMessage request,
        CancellationToken cancellationToken
    ) =>
        request.RequestUri is { Scheme: "https" } address && _allowed.Contains(address.Authority)
            ? base.SendAsync(request, cancellationToken)
            : throw new HttpRequestException("The provider's metadata leads to a host that is not configured.");
}
